import { ShapeError } from '../errors';
import { labelled } from '../graph/modes';
import { add, div, lt, mul, where } from '../ops/elementwise';
import { asFloat } from '../ops/operands';
import { rand, type DropoutOptions } from '../ops/random';
import { formatShape, type Shape } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { checkNumber } from './check';

/** One of two formulas for x, depending on a mask that is true with probability p. */
interface Dropping {
  /** The mask's shape, from x's. */
  readonly mask: (shape: Shape) => Shape;
  readonly formula: (x: Tensor, dropped: Tensor) => Tensor;
}

function dropping(
  name: string,
  x: TensorBase,
  p: number,
  options: DropoutOptions,
  { mask, formula }: Dropping,
): Tensor {
  checkNumber(name, 'p', p, { least: 0, most: 1 });
  return labelled(name, () => {
    const tensor = asFloat(name, x);
    if (options.training === false || p === 0) return tensor;
    if (p === 1) return mul(tensor, 0);
    return formula(tensor, lt(rand(mask(tensor.shape), { generator: options.generator }), p));
  });
}

/** Whole channels become 0, the others grow: x [N, C, ...], or [C, ...] where it has `unbatched` dims. */
function channelDropout(
  name: string,
  x: TensorBase,
  p: number,
  options: DropoutOptions,
  ranks: readonly number[],
  unbatched: number,
): Tensor {
  if (!ranks.includes(x.rank))
    throw new ShapeError(`${name}: takes ${ranks.join(' or ')} dims, got ${formatShape(x.shape)}`);
  return dropping(name, x, p, options, {
    mask: (shape) => channelMask(shape, shape.length === unbatched ? 1 : 2),
    formula: (v, dropped) => where(dropped, 0, div(v, 1 - p)),
  });
}

const channelMask = (shape: Shape, kept: number): Shape => shape.map((size, dim) => (dim < kept ? size : 1));

/**
 * Sets whole channels of x [N, C, L] or [C, L] to 0 with probability p and divides the others by 1 - p (Tompson et al.
 * 2015). Throws ShapeError for other dims, ValueError for a p outside [0, 1].
 *
 *     dropout1d(ones([8, 16, 32]), 0.2);
 */
export const dropout1d = (x: TensorBase, p = 0.5, options: DropoutOptions = {}): Tensor =>
  channelDropout('dropout1d', x, p, options, [2, 3], 2);

/**
 * Sets whole channels of x [N, C, H, W] to 0 with probability p and divides the others by 1 - p. As in PyTorch 1.13
 * three dims are [N, C, L]. Throws ShapeError for other dims, ValueError for a p outside [0, 1].
 *
 *     dropout2d(ones([8, 16, 32, 32]), 0.2);
 */
export const dropout2d = (x: TensorBase, p = 0.5, options: DropoutOptions = {}): Tensor =>
  channelDropout('dropout2d', x, p, options, [3, 4], 0);

/**
 * Sets whole channels of x [N, C, D, H, W] or [C, D, H, W] to 0 with probability p and divides the others by 1 - p.
 * Throws ShapeError for other dims, ValueError for a p outside [0, 1].
 *
 *     dropout3d(ones([2, 16, 8, 8, 8]), 0.2);
 */
export const dropout3d = (x: TensorBase, p = 0.5, options: DropoutOptions = {}): Tensor =>
  channelDropout('dropout3d', x, p, options, [4, 5], 4);

/** What selu tends to far below 0: -scale · alpha (Klambauer et al. 2017). */
const SATURATED = -1.7580993408473766;

/** Dropped elements become selu's saturation; then scale and shift restore mean 0 and variance 1. */
function saturating(p: number): Dropping['formula'] {
  const scale = 1 / Math.sqrt((SATURATED * SATURATED * p + 1) * (1 - p));
  const shift = -SATURATED * scale * p;
  return (x, dropped) => add(mul(where(dropped, SATURATED, x), scale), shift);
}

/**
 * Dropout for selu: keeps mean 0 and variance 1 of its input (Klambauer et al. 2017). Throws ValueError for a p outside
 * [0, 1].
 *
 *     alphaDropout(selu(x), 0.1);
 */
export const alphaDropout = (x: TensorBase, p = 0.5, options: DropoutOptions = {}): Tensor =>
  dropping('alphaDropout', x, p, options, { mask: (shape) => shape, formula: saturating(p) });

/**
 * `alphaDropout` of whole channels: x is [N, C, ...]. Throws ShapeError for fewer than two dims, ValueError for a p
 * outside [0, 1].
 *
 *     featureAlphaDropout(selu(images), 0.1);
 */
export function featureAlphaDropout(x: TensorBase, p = 0.5, options: DropoutOptions = {}): Tensor {
  if (x.rank < 2) throw new ShapeError(`featureAlphaDropout: takes [N, C, ...], got ${formatShape(x.shape)}`);
  return dropping('featureAlphaDropout', x, p, options, {
    mask: (shape) => channelMask(shape, 2),
    formula: saturating(p),
  });
}
