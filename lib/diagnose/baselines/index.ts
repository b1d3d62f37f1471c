export { fitConstant } from './constant';
export { fitLinear, type LinearBaselineOptions } from './linear';
export { fitSmallNetwork, type SmallNetworkOptions } from './small-network';
export { fitLogistic, type LogisticBaselineOptions } from './logistic';
export { fitSupportVectorMachine, type SupportVectorMachineOptions } from './support-vector-machine';
export {
  type Baseline,
  type BaselineData,
  type BaselineLoss,
  type BaselineOptions,
  type BaselineProgress,
  type Task,
} from './types';
