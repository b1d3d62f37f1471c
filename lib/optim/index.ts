import '../backend';

export { Adam, AdamW, type AdamOptions } from './adam';
export {
  Optimizer,
  type CommonOptions,
  type ParameterGroup,
  type Parameters,
  type StepOptions,
  type Update,
} from './optimizer';
export { LRScheduler, type Scheduled, type SchedulerStateDict } from './schedulers/scheduler';
export { StepLR } from './schedulers/step-lr';
export { WarmupCosineLR, type WarmupCosineOptions } from './schedulers/warmup-cosine-lr';
export { SGD, type SGDOptions } from './sgd';
export { ParameterState } from './state';
export type { OptimizerStateDict } from './state-dict';
