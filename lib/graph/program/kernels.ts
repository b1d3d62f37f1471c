/**
 * What a backend can do: the kernels, in the order that gives each its number in an encoded program. The addon keeps
 * the same list (native/kernels/kernel.h) and both are compared when it loads.
 *
 * `strided` says which inputs a kernel reads through any strides; the others, and all outputs, are contiguous
 * (row-major, dense). `attributes` are plain numbers. "F" below stands for float32 and float64.
 */
interface KernelInfo {
  readonly strided: 'all' | 'none';
}

export const kernels = {
  // A chain of steps over one iteration space, or over several, its segments; see elementwise.ts for its attributes. Inputs
  // are views over the segment's iteration space (stride 0 where broadcast); every output has exactly its shape.
  elementwise: { strided: 'all' },

  // Reductions. Input [kept..., reduced...]; attributes [number of kept dims]; output shape = kept dims.
  sum: { strided: 'all' }, // F, int32 (wraps); empty: 0
  max: { strided: 'all' }, // F, int32; NaN wins; reduced size is at least 1
  min: { strided: 'all' },
  argmax: { strided: 'all' }, // F, int32 -> int32: flat index in the reduced dims; the first of ties; the first NaN wins
  argmin: { strided: 'all' },
  logSumExp: { strided: 'all' }, // F; all -inf: -inf; any +inf: +inf; empty: -inf
  variance: { strided: 'all' }, // F; attributes [kept, correction]; M2 / max(0, n - correction) by Welford/Chan; empty: NaN

  // Over the last dim of [..., n].
  softmax: { strided: 'none' }, // F
  logSoftmax: { strided: 'none' }, // F

  // Logits [N, C], labels int32 [N]; attributes [ignoreIndex, mean (0 or 1)]. A label that is neither ignoreIndex nor in
  // [0, C) is a run-time failure of kind 'value'. With mean all is divided by the number of rows that are not ignored.
  softmaxCrossEntropy: { strided: 'none' }, // logits, labels -> [N]: log Σ e^x - x[label]; ignored: 0 (divided: 0 / count)
  softmaxCrossEntropyGrad: { strided: 'none' }, // g [N] or [1], logits, labels -> [N, C]: g (softmax - onehot); ignored: 0
  // F; softmax(scale q kᵀ + mask) v of q [..., L, E], k [..., S, E], v [..., S, Ev] and, where given, mask [..., L, S]:
  // bool, true where seen, or numbers of the same dtype; attributes [scale, isCausal (0 or 1)]; nothing seen: NaN.
  attention: { strided: 'all' }, // q, k, v, mask? -> [..., L, Ev]
  attentionGrad: { strided: 'all' }, // g [..., L, Ev], q, k, v, mask? -> [..., L E + S E + S Ev]: for q, for k, for v

  // [...batch, M, K] x [...batch, K, N] -> [...batch, M, N]; same rank, same batch dims (broadcast by stride 0). F
  // With attributes an epilogue follows: they are byte code (elementwise.ts) whose register 0 is the product and whose next
  // ones are the inputs behind the two matrices. These and all outputs have one shape, of as many elements as the
  // product. Output 0 has its dtype and is written by a step after which none reads register 0: there it is made.
  matmul: { strided: 'all' },

  // NCHW, F. Attributes [strideH, strideW, paddingH, paddingW, dilationH, dilationW, groups, winograd (0 or 1)].
  conv2d: { strided: 'none' }, // x [N,C,H,W], weight [O,C/groups,kh,kw] -> [N,O,OH,OW]
  conv2dInputGrad: { strided: 'none' }, // g [N,O,OH,OW], weight -> [N,C,H,W]
  conv2dWeightGrad: { strided: 'none' }, // g [N,O,OH,OW], x [N,C,H,W] -> [O,C/groups,kh,kw]

  // NCHW, F. Attributes [kh, kw, strideH, strideW, paddingH, paddingW, dilationH, dilationW]; padding counts as -inf.
  maxPool2d: { strided: 'none' },
  maxPool2dIndices: { strided: 'none' }, // -> int32: h * W + w of the maximum, the first of ties; the first NaN wins
  // NCHW, F. Attributes [kh, kw, strideH, strideW, paddingH, paddingW, countIncludePad (0 or 1)].
  avgPool2d: { strided: 'none' },
  avgPool2dInputGrad: { strided: 'none' }, // g [N,C,OH,OW] -> [N,C,H,W]

  // F. x, g [N,C,S]; statistics [2,C]: mean, then biased variance.
  batchNormStatistics: { strided: 'none' }, // x -> [2,C] by Welford/Chan
  batchNorm: { strided: 'none' }, // x, statistics, weight [C], bias [C]; attributes [eps]: (x-mean) * (weight/sqrt(var+eps)) + bias
  batchNormGradSums: { strided: 'none' }, // g, x, statistics -> [2,C]: sum g, sum g * (x - mean)

  // F. Over the rows of x, g [R,D], attributes [eps]; x̂ = (x - mean) / sqrt(var + eps), with the biased variance.
  layerNorm: { strided: 'none' }, // x, weight [D], bias [D] -> x̂ * weight + bias
  layerNormInputGrad: { strided: 'none' }, // g, x, weight -> (v - mean of v - x̂ * mean of v x̂) / sqrt(var + eps), v = g * weight
  layerNormWeightGrads: { strided: 'none' }, // g, x -> [2,D]: sum over rows of g x̂, of g

  // Indexing; any dtype; index is int32 and outside of [0, size) a run-time failure of kind 'value'.
  gather: { strided: 'none' }, // x, index; attributes [dim]; out[i..] = x[i.. with index[i..] at dim]; index dims <= x dims elsewhere
  scatterAdd: { strided: 'none' }, // x, index, src (index's shape); attributes [dim]; F, int32; in index order: deterministic; may overwrite x
  embedding: { strided: 'none' }, // weight [V,D], index [...] -> [...,D]
  embeddingGrad: { strided: 'none' }, // g [...,D], index [...] -> [V,D]; F; rows added in index order
  concat: { strided: 'all' }, // any number of inputs; attributes [dim]; any dtype
  // x -> out filled with value, then out[starts + i * steps] = x[i]; attributes [value, ...starts, ...steps]; any dtype
  pad: { strided: 'all' },

  // x -> x; F. Attributes [least, most, whether NaN may be]; a number out of [least, most] is a run-time failure of kind 'value'.
  checkRange: { strided: 'none' },

  // Random numbers: attributes [slot of the seed, slot of the offset] among the program's scalars; see lib/tensor/philox.ts.
  // Uniform ones are a step of `elementwise`.
  normal: { strided: 'none' }, // F
  permutation: { strided: 'none' }, // int32 [n]
} as const satisfies Record<string, KernelInfo>;

export type KernelName = keyof typeof kernels;
export const kernelNames = Object.keys(kernels) as KernelName[];
