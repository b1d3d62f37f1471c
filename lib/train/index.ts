import '../backend';

export { evaluateClassifier, type EvaluateOptions, type Evaluation } from './evaluate';
export { convolutionalNetwork } from './models';
export {
  trainClassifier,
  type BatchProgress,
  type EpochRecord,
  type TrainingOptimizer,
  type TrainOptions,
} from './trainer';
