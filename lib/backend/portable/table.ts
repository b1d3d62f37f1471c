import type { KernelName } from '../../graph/program/kernels';
import { attention } from './attention';
import { attentionGrad } from './attention-grad';
import { batchNorm, batchNormGradSums, batchNormStatistics } from './batchnorm';
import { checkRange } from './check-range';
import { conv2d, conv2dInputGrad, conv2dWeightGrad } from './conv';
import { elementwise } from './elementwise';
import { concat, embedding, embeddingGrad, gather, pad, scatterAdd } from './indexing';
import type { Kernel } from './kernel';
import { layerNorm, layerNormInputGrad, layerNormWeightGrads } from './layernorm';
import { matmul } from './matmul';
import { avgPool2d, avgPool2dInputGrad, maxPool2d, maxPool2dIndices } from './pool';
import { normal, permutation } from './random';
import { argmax, argmin, logSumExp, max, min, sum, variance } from './reduce';
import { logSoftmax, softmax, softmaxCrossEntropy, softmaxCrossEntropyGrad } from './softmax';

/** The compiler sees to it that no kernel is missing. */
export const kernelTable: { readonly [K in KernelName]: Kernel } = {
  elementwise,
  sum,
  max,
  min,
  argmax,
  argmin,
  logSumExp,
  variance,
  softmax,
  logSoftmax,
  softmaxCrossEntropy,
  softmaxCrossEntropyGrad,
  attention,
  attentionGrad,
  matmul,
  conv2d,
  conv2dInputGrad,
  conv2dWeightGrad,
  maxPool2d,
  maxPool2dIndices,
  avgPool2d,
  avgPool2dInputGrad,
  batchNormStatistics,
  batchNorm,
  batchNormGradSums,
  layerNorm,
  layerNormInputGrad,
  layerNormWeightGrads,
  gather,
  scatterAdd,
  embedding,
  embeddingGrad,
  concat,
  pad,
  checkRange,
  normal,
  permutation,
};
