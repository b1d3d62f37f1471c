import '../backend';

export { Adadelta, type AdadeltaOptions } from './adadelta';
export { Adafactor, type AdafactorOptions } from './adafactor';
export { Adagrad, type AdagradOptions } from './adagrad';
export { Adam, AdamW, type AdamOptions } from './adam';
export { Adamax, type AdamaxOptions } from './adamax';
export { Adan, type AdanOptions } from './adan';
export { ASGD, type ASGDOptions } from './asgd';
export { AveragedModel, emaAverage, swaAverage, type AveragedModelOptions, type AveragingRule } from './averaged-model';
export { clipGradNorm, clipGradValue, type ClipGradNormOptions } from './clip';
export { LAMB, type LAMBOptions } from './lamb';
export { LBFGS, type LBFGSOptions } from './lbfgs';
export type { LBFGSStateDict } from './lbfgs-memory';
export { Lion, type LionOptions } from './lion';
export { Muon, type MuonOptions } from './muon';
export { NAdam, type NAdamOptions } from './nadam';
export {
  Optimizer,
  type Closure,
  type CommonOptions,
  type ParameterGroup,
  type Parameters,
  type StepOptions,
  type Update,
} from './optimizer';
export { RAdam, type RAdamOptions } from './radam';
export { RMSprop, type RMSpropOptions } from './rmsprop';
export { Rprop, type RpropOptions } from './rprop';
export { ChainedScheduler, SequentialLR, WarmUp } from './schedulers/combined';
export { CosineAnnealingLR, CosineAnnealingWarmRestarts } from './schedulers/cosine-annealing-lr';
export { CyclicLR, type CyclicOptions } from './schedulers/cyclic-lr';
export { ConstantLR, ExponentialLR, LinearLR, MultiStepLR, PolynomialLR } from './schedulers/decays';
export { InverseSquareRootLR } from './schedulers/inverse-square-root-lr';
export { LambdaLR, MultiplicativeLR } from './schedulers/lambda-lr';
export { OneCycleLR, type OneCycleOptions } from './schedulers/one-cycle-lr';
export { ReduceLROnPlateau, type PlateauOptions, type PlateauStateDict } from './schedulers/reduce-lr-on-plateau';
export { LRScheduler, type PerGroup, type Scheduled, type SchedulerStateDict } from './schedulers/scheduler';
export { StepLR } from './schedulers/step-lr';
export { SWALR } from './schedulers/swa-lr';
export { WarmupCosineLR, type WarmupCosineOptions } from './schedulers/warmup-cosine-lr';
export { WarmupStableDecayLR, type WarmupStableDecayOptions } from './schedulers/warmup-stable-decay-lr';
export { SGD, type MomentumForm, type SGDOptions } from './sgd';
export { ParameterState } from './state';
export type { OptimizerStateDict } from './state-dict';
