import { ShapeError, ValueError } from '../errors';
import { labelled, noGrad } from '../graph/modes';
import { add, div, mul, pow, rsqrt, square, sub } from '../ops/elementwise';
import { full } from '../ops/create';
import { layerNorm as normalizeRows } from '../ops/layer-norm';
import { asFloat } from '../ops/operands';
import { pad } from '../ops/place';
import { avgPool2d } from '../ops/pool';
import { mean, variance } from '../ops/reduce';
import { reshape } from '../ops/shape';
import { epsilonOf } from '../tensor/dtype';
import { checkInteger, checkShape, formatShape, shapesEqual, sizeOf, type Shape } from '../tensor/shape';
import type { Tensor, TensorBase, Variable } from '../tensor/tensor';
import { batchNorm, move } from './batch-normalization';
import { checkNumber } from './check';

/** (x - mean) / √(variance + eps) over the dims, with the biased variance. */
function standardized(x: Tensor, dim: readonly number[], eps: number): Tensor {
  const center = mean(x, { dim, keepdim: true });
  return mul(sub(x, center), rsqrt(add(variance(x, { dim, keepdim: true, correction: 0 }), eps)));
}

function affine(y: Tensor, weight: TensorBase | null, bias: TensorBase | null, shape: Shape): Tensor {
  const scaled = weight ? mul(y, reshape(weight, shape)) : y;
  return bias ? add(scaled, reshape(bias, shape)) : scaled;
}

function checkSizes(
  op: string,
  shape: Shape,
  tensors: { readonly [name: string]: TensorBase | null | undefined },
): void {
  for (const [name, value] of Object.entries(tensors))
    if (value && !shapesEqual(value.shape, shape))
      throw new ShapeError(`${op}: ${name} is ${formatShape(shape)}, got ${formatShape(value.shape)}`);
}

/** [C, 1, ..., 1]: as numbers of channels broadcast against x [N, C, ...]. */
const alongChannels = (x: TensorBase): Shape => [x.shape[1]!, ...x.shape.slice(2).fill(1)];

/** `normalizedShape` as an array. Throws ShapeError unless x ends with it. */
function lastDims(op: string, x: TensorBase, normalizedShape: number | Shape): Shape {
  const shape = typeof normalizedShape === 'number' ? [normalizedShape] : normalizedShape;
  checkShape(op, shape);
  if (shape.length === 0 || x.rank < shape.length || !shapesEqual(x.shape.slice(-shape.length), shape))
    throw new ShapeError(
      `${op}: normalizedShape ${formatShape(shape)} is to be the last dims of x, got ${formatShape(x.shape)}`,
    );
  return shape;
}

const dimsFromEnd = (count: number): number[] => Array.from({ length: count }, (_, i) => i - count);

export interface LayerNormOptions {
  /** Of normalizedShape; 1 where not given. */
  weight?: TensorBase | null;
  /** Of normalizedShape; 0 where not given. */
  bias?: TensorBase | null;
  /** Added to the variance: 1e-5 where not given. */
  eps?: number;
}

/**
 * (x - mean) / √(variance + eps) · weight + bias over the last dims of x, which are normalizedShape (Ba et al. 2016); the
 * variance is the biased one. Throws ShapeError for shapes that do not fit, ValueError for an eps below 0.
 *
 *     layerNorm(x, 64, { weight, bias }); // x [..., 64]
 */
export function layerNorm(x: TensorBase, normalizedShape: number | Shape, options: LayerNormOptions = {}): Tensor {
  const { weight = null, bias = null, eps = 1e-5 } = options;
  const shape = lastDims('layerNorm', x, normalizedShape);
  checkNumber('layerNorm', 'eps', eps, { least: 0 });
  checkSizes('layerNorm', shape, { weight, bias });
  return labelled('layerNorm', () => {
    const length = sizeOf(shape);
    const perColumn = (values: TensorBase | null, value: number): Tensor =>
      values ? reshape(values, [length]) : full([length], value, { dtype: tensor.dtype });
    const tensor = asFloat('layerNorm', x);
    const rows = reshape(tensor, [length === 0 ? 0 : tensor.size / length, length]);
    return reshape(normalizeRows(rows, perColumn(weight, 1), perColumn(bias, 0), { eps }), tensor.shape);
  });
}

export interface RMSNormOptions {
  /** Of normalizedShape; 1 where not given. */
  weight?: TensorBase | null;
  /** Added to the mean square: the machine epsilon of x's dtype where null or not given, as in PyTorch. */
  eps?: number | null;
}

/**
 * x / √(mean of x² + eps) · weight over the last dims of x, which are normalizedShape (Zhang and Sennrich 2019).
 * Throws ShapeError for shapes that do not fit, ValueError for an eps below 0.
 *
 *     rmsNorm(x, 64, { weight, eps: 1e-6 }); // x [..., 64]
 */
export function rmsNorm(x: TensorBase, normalizedShape: number | Shape, options: RMSNormOptions = {}): Tensor {
  const { weight = null } = options;
  const eps = options.eps ?? epsilonOf(x.dtype);
  const shape = lastDims('rmsNorm', x, normalizedShape);
  checkNumber('rmsNorm', 'eps', eps, { least: 0 });
  checkSizes('rmsNorm', shape, { weight });
  return labelled('rmsNorm', () => {
    const tensor = asFloat('rmsNorm', x);
    const power = mean(square(tensor), { dim: dimsFromEnd(shape.length), keepdim: true });
    return affine(mul(tensor, rsqrt(add(power, eps))), weight, null, shape);
  });
}

export interface GroupNormOptions {
  /** [C], 1 where not given. */
  weight?: TensorBase | null;
  /** [C], 0 where not given. */
  bias?: TensorBase | null;
  /** Added to the variance: 1e-5 where not given. */
  eps?: number;
}

/**
 * Normalises x [N, C, ...] over groups of C / numGroups channels of one sample, then scales and shifts each channel (Wu and
 * He 2018). Throws ShapeError unless numGroups divides C, ValueError for an eps below 0 or numGroups below 1.
 *
 *     groupNorm(images, 4, { weight, bias });
 */
export function groupNorm(x: TensorBase, numGroups: number, options: GroupNormOptions = {}): Tensor {
  const { weight = null, bias = null, eps = 1e-5 } = options;
  checkInteger('groupNorm', 'numGroups', numGroups, 1);
  checkNumber('groupNorm', 'eps', eps, { least: 0 });
  const [samples, channels] = x.shape;
  if (samples === undefined || channels === undefined || channels % numGroups !== 0)
    throw new ShapeError(
      `groupNorm: takes [N, C, ...] with C divisible by numGroups ${numGroups}, got ${formatShape(x.shape)}`,
    );
  checkSizes('groupNorm', [channels], { weight, bias });
  return labelled('groupNorm', () => {
    const groups = reshape(asFloat('groupNorm', x), [
      samples,
      numGroups,
      x.size === 0 ? 0 : x.size / (samples * numGroups),
    ]);
    return affine(reshape(standardized(groups, [2], eps), x.shape), weight, bias, alongChannels(x));
  });
}

export interface InstanceNormOptions extends GroupNormOptions {
  /** [C]; moved towards the mean of the instances' where useInputStats holds, used where it does not. */
  runningMean?: Variable | null;
  runningVar?: Variable | null;
  /** Whether the statistics are those of each instance, the default; otherwise the running ones. */
  useInputStats?: boolean;
  /** Share of the batch in the running statistics: 0.1 where not given. */
  momentum?: number;
}

/**
 * Normalises each channel of each sample of x [N, C, ...] by itself, then scales and shifts it (Ulyanov et al. 2016).
 * Throws ShapeError for sizes that do not fit, ValueError if a channel has a single value, or if running statistics are
 * wanted and missing.
 *
 *     instanceNorm(images, { weight, bias });
 */
export function instanceNorm(x: TensorBase, options: InstanceNormOptions = {}): Tensor {
  const { weight = null, bias = null, eps = 1e-5, useInputStats = true, momentum = 0.1 } = options;
  const { runningMean = null, runningVar = null } = options;
  checkNumber('instanceNorm', 'eps', eps, { least: 0 });
  checkNumber('instanceNorm', 'momentum', momentum, { least: 0, most: 1 });
  if (x.rank < 3) throw new ShapeError(`instanceNorm: takes [N, C, ...], got ${formatShape(x.shape)}`);
  checkSizes('instanceNorm', [x.shape[1]!], { weight, bias, runningMean, runningVar });
  if (!useInputStats) {
    if (runningMean === null || runningVar === null)
      throw new ValueError('instanceNorm: without useInputStats runningMean and runningVar are needed');
    return labelled('instanceNorm', () => batchNorm(x, runningMean, runningVar, { weight, bias, eps }));
  }
  const count = sizeOf(x.shape.slice(2));
  if (count === 1)
    throw new ValueError(`instanceNorm: needs more than one value per channel, got ${formatShape(x.shape)}`);
  return labelled('instanceNorm', () => {
    const tensor = asFloat('instanceNorm', x);
    const dim = dimsFromEnd(tensor.rank - 2);
    const center = mean(tensor, { dim, keepdim: true });
    const spread = variance(tensor, { dim, keepdim: true, correction: 0 });
    const y = mul(sub(tensor, center), rsqrt(add(spread, eps)));
    noGrad(() => {
      const ofSamples = (values: Tensor): Tensor => reshape(mean(values, { dim: 0 }), [tensor.shape[1]!]);
      if (runningMean !== null) move(runningMean, ofSamples(center), momentum, y);
      if (runningVar !== null) move(runningVar, ofSamples(mul(spread, count / (count - 1))), momentum, y);
    });
    return affine(y, weight, bias, alongChannels(tensor));
  });
}

export interface LocalResponseNormOptions {
  /** 1e-4 where not given. */
  alpha?: number;
  /** 0.75 where not given. */
  beta?: number;
  /** 1 where not given. */
  k?: number;
}

/**
 * x / (k + alpha · mean of x² over `size` neighbouring channels)^beta for x [N, C, ...], missing channels counting as 0
 * (Krizhevsky et al. 2012; PyTorch's form, with the mean for the paper's sum). Throws ShapeError for fewer than three
 * dims, ValueError for a size below 1.
 *
 *     localResponseNorm(images, 5);
 */
export function localResponseNorm(x: TensorBase, size: number, options: LocalResponseNormOptions = {}): Tensor {
  const { alpha = 1e-4, beta = 0.75, k = 1 } = options;
  checkInteger('localResponseNorm', 'size', size, 1);
  for (const [name, value] of Object.entries({ alpha, beta, k })) checkNumber('localResponseNorm', name, value);
  if (x.rank < 3) throw new ShapeError(`localResponseNorm: takes [N, C, ...], got ${formatShape(x.shape)}`);
  return labelled('localResponseNorm', () => {
    const tensor = asFloat('localResponseNorm', x);
    const [samples, channels] = tensor.shape as [number, number];
    const squares = reshape(square(tensor), [samples, 1, channels, sizeOf(tensor.shape.slice(2))]);
    const padded = pad(squares, [0, 0, Math.floor(size / 2), Math.floor((size - 1) / 2)]);
    const means = reshape(avgPool2d(padded, [size, 1], { stride: 1 }), tensor.shape);
    return div(tensor, pow(add(mul(means, alpha), k), beta));
  });
}
