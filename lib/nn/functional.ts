export {
  elu,
  gelu,
  hardsigmoid,
  hardswish,
  hardtanh,
  leakyRelu,
  logSigmoid,
  mish,
  relu6,
  selu,
  silu,
  softsign,
} from '../ops/activations';
export { conv2d, type ConvOptions } from '../ops/conv';
export { relu, sigmoid, tanh } from '../ops/elementwise';
export { dropout, type DropoutOptions } from '../ops/random';
export { logSoftmax, softmax } from '../ops/softmax';
export * from './activations';
export * from './adaptive-pooling';
export * from './avg-pooling';
export { batchNorm, type BatchNormOptions } from './batch-normalization';
export { conv1d, conv3d, type ConvNdOptions } from './convolution';
export * from './dropouts';
export * from './folding';
export * from './fractional-pooling';
export * from './grid-sampling';
export { interpolate, type InterpolateOptions, type InterpolationMode } from './interpolation';
export * from './max-pooling';
export * from './normalization';
export { pad, type PaddingMode, type PadOptions } from './padding';
export type { PoolOptions } from './pool-window';
export * from './shuffling';
export { convTranspose1d, convTranspose2d, convTranspose3d, type ConvTransposeOptions } from './transposed-convolution';
export * from './unpooling';
export type { SizeLike } from './window';
export { cosineSimilarity, normalize, pairwiseDistance, pdist } from './distance';
export type { CosineSimilarityOptions, NormalizeOptions, PairwiseDistanceOptions } from './distance';
export * from './losses/functional';
export { generateSquareSubsequentMask, scaledDotProductAttention, type AttentionOptions } from './attention';
export { embedding, type EmbeddingFunctionOptions } from './embedding';
export { embeddingBag, type BagMode, type EmbeddingBagFunctionOptions } from './embedding-bag';
export { bilinear, linear } from './linear';
export {
  multiHeadAttentionForward,
  type MultiHeadAttentionMasks,
  type MultiHeadAttentionOptions,
  type MultiHeadAttentionWeights,
} from './multi-head-attention';
