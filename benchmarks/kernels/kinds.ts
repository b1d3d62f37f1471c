import {
  add,
  conv2d,
  conv2dInputGrad,
  conv2dWeightGrad,
  cos,
  avgPool2d,
  erf,
  exp,
  expm1,
  F,
  log,
  log1p,
  matmul,
  max,
  maxPool2d,
  pow,
  relu,
  rsqrt,
  sigmoid,
  sin,
  softplus,
  sqrt,
  sum,
  tanh,
  transpose,
  type Tensor,
} from '../../lib';

/** What a kernel is given besides tensors; torch_kernels.py reads the same. */
export interface Options {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly stride?: number;
  readonly padding?: number;
  readonly groups?: number;
  /** Of the input, for its gradient, or of a window. */
  readonly size?: number;
  readonly dim?: number;
  readonly classes?: number;
  /** Of a function of one number. */
  readonly function?: FunctionName;
}

export const functions = {
  add: (x: Tensor) => add(x, 1),
  exp,
  expm1,
  log,
  log1p,
  tanh,
  erf,
  sigmoid,
  softplus,
  sin,
  cos,
  sqrt,
  rsqrt,
  pow: (x: Tensor) => pow(x, 1.7),
  relu,
};
export type FunctionName = keyof typeof functions;

const swapped = (x: Tensor, swap = false): Tensor => (swap ? transpose(x, -2, -1) : x);

/** Each kind of kernel as a function of its inputs; torch_kernels.py has the same names. */
export const kinds = {
  matmul: ([a, b], { transposeA, transposeB }) => matmul(swapped(a!, transposeA), swapped(b!, transposeB)),
  conv2d: ([x, weight], options) => conv2d(x!, weight!, null, options),
  conv2dInputGrad: ([g, weight], { size, ...options }) => conv2dInputGrad(g!, weight!, size!, options),
  conv2dWeightGrad: ([g, x], { size, ...options }) => conv2dWeightGrad(g!, x!, size!, options),
  batchNorm: ([x, weight, bias]) => F.batchNorm(x!, null, null, { weight: weight!, bias: bias!, training: true }),
  layerNorm: ([x, weight, bias]) => F.layerNorm(x!, x!.shape.slice(-1), { weight: weight!, bias: bias! }),
  maxPool2d: ([x], { size, ...options }) => maxPool2d(x!, size!, options),
  avgPool2d: ([x], { size, ...options }) => avgPool2d(x!, size!, options),
  crossEntropy: ([logits, labels]) => F.crossEntropy(logits!, labels!),
  sum: ([x], { dim }) => sum(x!, { dim }),
  max: ([x], { dim }) => max(x!, { dim }),
  function: ([x], options) => functions[options.function!](x!),
} satisfies { [kind: string]: (inputs: readonly Tensor[], options: Options) => Tensor };

export type Kind = keyof typeof kinds;
