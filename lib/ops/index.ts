export * from './identity';
export { cast } from './cast';
export * from './elementwise';
export * from './activations';
export {
  broadcastTo,
  expand,
  expandAs,
  flatten,
  movedim,
  narrow,
  permute,
  reshape,
  select,
  slice,
  squeeze,
  t,
  transpose,
  unsqueeze,
  type Range,
} from './shape';
export { pad } from './place';
export { chunk, concat, split, stack, unstack, type DimOptions } from './join';
export {
  arange,
  eye,
  full,
  linspace,
  ones,
  onesLike,
  tensor,
  zeros,
  zerosLike,
  type ArangeOptions,
  type CreateOptions,
  type NestedArray,
} from './create';
export {
  all,
  any,
  argmax,
  argmin,
  logSumExp,
  max,
  mean,
  min,
  std,
  sum,
  variance,
  type ReduceOptions,
  type VarianceOptions,
} from './reduce';
export { softmaxCrossEntropy, softmaxCrossEntropyGrad } from './cross-entropy';
export { logSoftmax, softmax } from './softmax';
export { attention, attentionGrad, type AttentionAttrs } from './attention';
export { matmul } from './matmul';
export { conv2d, conv2dInputGrad, conv2dWeightGrad, setConvolution } from './conv';
export type { ConvOptions, ConvolutionSettings } from './conv';
export {
  adaptiveAvgPool2d,
  avgPool2d,
  avgPool2dInputGrad,
  maxPool2d,
  maxPool2dIndices,
  type AvgPoolOptions,
  type MaxPoolOptions,
} from './pool';
export type { PairLike } from './window';
export { layerNorm, layerNormInputGrad, layerNormWeightGrads, type RowNormOptions } from './layer-norm';
export { batchNorm, batchNormGradSums, batchNormStatistics, type BatchNormOptions } from './norm';
export { embedding, embeddingGrad, gather, oneHot, scatterAdd } from './indexing';
export {
  bernoulli,
  defaultGenerator,
  dropout,
  Generator,
  manualSeed,
  normal,
  rand,
  randn,
  randperm,
  uniform,
  type DropoutOptions,
  type GeneratorState,
  type GeneratorOptions,
  type RandomOptions,
} from './random';
import './methods';
