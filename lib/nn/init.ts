import { ShapeError, ValueError } from '../errors';
import { noGrad } from '../graph/modes';
import { clamp } from '../ops/activations';
import { cast } from '../ops/cast';
import { full } from '../ops/create';
import { add, erf, mul, sub } from '../ops/elementwise';
import { normal as drawNormal, uniform as drawUniform, type Generator } from '../ops/random';
import type { DType } from '../tensor/dtype';
import { formatShape, sizeOf, type Shape } from '../tensor/shape';
import type { Tensor, Variable } from '../tensor/tensor';
import { checkNumber } from './check';
import { inverseErf } from './inverse-erf';

export { dirac, eye, orthogonal, sparse } from './init-matrices';

export type Nonlinearity = (typeof LINEAR)[number] | 'sigmoid' | 'tanh' | 'relu' | 'leakyRelu' | 'selu';

const LINEAR = [
  'linear',
  'conv1d',
  'conv2d',
  'conv3d',
  'convTranspose1d',
  'convTranspose2d',
  'convTranspose3d',
] as const;

export interface RandomInitOptions {
  /** The default generator where not given. */
  generator?: Generator;
}

export interface XavierOptions extends RandomInitOptions {
  gain?: number;
}

export interface KaimingOptions extends RandomInitOptions {
  /** Slope of leakyRelu below 0. */
  a?: number;
  /** Keeps the variance of outputs ('fanIn') or of gradients ('fanOut'). */
  mode?: 'fanIn' | 'fanOut';
  nonlinearity?: Nonlinearity;
}

/** How many inputs reach one output of a weight [out, in, ...kernel], and how many outputs one input reaches. */
export function calculateFans(shape: Shape): { fanIn: number; fanOut: number } {
  const [outputs, inputs, ...kernel] = shape;
  if (outputs === undefined || inputs === undefined)
    throw new ShapeError(`calculateFans: a weight has at least 2 dims, got ${formatShape(shape)}`);
  const field = sizeOf(kernel);
  return { fanIn: inputs * field, fanOut: outputs * field };
}

/** By how much weights grow to make up for what an activation takes of the standard deviation. */
export function calculateGain(nonlinearity: Nonlinearity, a = 0.01): number {
  switch (nonlinearity) {
    case 'linear':
    case 'conv1d':
    case 'conv2d':
    case 'conv3d':
    case 'convTranspose1d':
    case 'convTranspose2d':
    case 'convTranspose3d':
    case 'sigmoid':
      return 1;
    case 'tanh':
      return 5 / 3;
    case 'relu':
      return Math.SQRT2;
    case 'leakyRelu':
      return Math.sqrt(2 / (1 + a * a));
    case 'selu':
      return 3 / 4;
    default:
      throw new ValueError(
        `calculateGain: nonlinearity is ${LINEAR.join(', ')}, sigmoid, tanh, relu, leakyRelu or selu, got ${String(nonlinearity)}`,
      );
  }
}

function set(variable: Variable, value: (shape: Shape, dtype: DType) => Tensor): Variable {
  noGrad(() => variable.initialize(value(variable.shape, variable.dtype)));
  return variable;
}

/** Every element becomes `value`. */
export function constant(variable: Variable, value: number): Variable {
  return set(variable, (shape, dtype) => full(shape, value, { dtype }));
}

/** Every element becomes 0. */
export const zeros = (variable: Variable): Variable => constant(variable, 0);

/** Every element becomes 1. */
export const ones = (variable: Variable): Variable => constant(variable, 1);

/** Evenly spread in [low, high). */
export function uniform(
  variable: Variable,
  options: RandomInitOptions & { low?: number; high?: number } = {},
): Variable {
  const { low = 0, high = 1, generator } = options;
  return set(variable, (shape, dtype) => drawUniform(shape, low, high, { dtype, generator }));
}

/** Normally spread around `mean`. */
export function normal(
  variable: Variable,
  options: RandomInitOptions & { mean?: number; std?: number } = {},
): Variable {
  const { mean = 0, std = 1, generator } = options;
  return set(variable, (shape, dtype) => drawNormal(shape, mean, std, { dtype, generator }));
}

/**
 * Normally spread around `mean`, only between a and b: by the inverse of the distribution function, so that no draw is
 * thrown away (https://pytorch.org/docs/1.13/nn.init.html). Throws ValueError unless a < b and std is above 0.
 *
 *     init.truncNormal(layer.weight, { std: 0.02 });
 */
export function truncNormal(
  variable: Variable,
  options: RandomInitOptions & { mean?: number; std?: number; a?: number; b?: number } = {},
): Variable {
  const { mean = 0, std = 1, a = -2, b = 2, generator } = options;
  for (const [name, value] of Object.entries({ mean, a, b })) checkNumber('truncNormal', name, value);
  checkNumber('truncNormal', 'std', std, { least: Number.MIN_VALUE });
  if (a >= b) throw new ValueError(`truncNormal: a is below b, got ${a} and ${b}`);
  // erf of the standardised result is even between erf of both limits. In float64, as erf is flat there.
  const limit = (x: number): Tensor => erf(full([], (x - mean) / (std * Math.SQRT2), { dtype: 'float64' }));
  return set(variable, (shape, dtype) => {
    const share = drawUniform(shape, 0, 1, { dtype: 'float64', generator });
    const even = add(limit(a), mul(share, sub(limit(b), limit(a))));
    return cast(clamp(add(mul(inverseErf(even), std * Math.SQRT2), mean), { min: a, max: b }), dtype);
  });
}

/** Uniform in ±gain √(6 / (fanIn + fanOut)) (Glorot and Bengio 2010). */
export function xavierUniform(variable: Variable, options: XavierOptions = {}): Variable {
  const bound = Math.sqrt(3) * xavierStd(variable.shape, options.gain);
  return uniform(variable, { low: -bound, high: bound, generator: options.generator });
}

/** Normal with standard deviation gain √(2 / (fanIn + fanOut)) (Glorot and Bengio 2010). */
export function xavierNormal(variable: Variable, options: XavierOptions = {}): Variable {
  return normal(variable, { std: xavierStd(variable.shape, options.gain), generator: options.generator });
}

/** Uniform in ±gain √(3 / fan) (He et al. 2015). */
export function kaimingUniform(variable: Variable, options: KaimingOptions = {}): Variable {
  const bound = Math.sqrt(3) * kaimingStd(variable.shape, options);
  return uniform(variable, { low: -bound, high: bound, generator: options.generator });
}

/** Normal with standard deviation gain / √fan (He et al. 2015). */
export function kaimingNormal(variable: Variable, options: KaimingOptions = {}): Variable {
  return normal(variable, { std: kaimingStd(variable.shape, options), generator: options.generator });
}

function xavierStd(shape: Shape, gain = 1): number {
  const { fanIn, fanOut } = calculateFans(shape);
  return gain * Math.sqrt(2 / (fanIn + fanOut));
}

function kaimingStd(shape: Shape, { a = 0, mode = 'fanIn', nonlinearity = 'leakyRelu' }: KaimingOptions): number {
  const fans = calculateFans(shape);
  if (!Object.hasOwn(fans, mode)) throw new ValueError(`kaiming: mode is fanIn or fanOut, got ${String(mode)}`);
  return calculateGain(nonlinearity, a) / Math.sqrt(fans[mode]);
}
