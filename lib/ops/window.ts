import { ShapeError, ValueError } from '../errors';
import { formatShape, type Shape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { reshape } from './shape';

export type Pair = readonly [number, number];

/** One number for both directions, or [height, width]. */
export type PairLike = number | readonly number[];

/** Kernels take sizes as int32. */
const MOST = 2 ** 31 - 1;

/** Both numbers of a stride, padding or size. Throws ValueError unless they are integers of at least `least`. */
export function pairOf(op: string, name: string, value: PairLike, least: number): Pair {
  const pair: unknown = typeof value === 'number' ? [value, value] : value;
  const isPossible = (v: unknown): boolean => Number.isInteger(v) && (v as number) >= least && (v as number) <= MOST;
  if (!Array.isArray(pair) || pair.length !== 2 || !pair.every(isPossible))
    throw new ValueError(
      `${op}: ${name} is an integer from ${least} to 2^31 - 1, or two of them, got ${String(value)}`,
    );
  return [pair[0] as number, pair[1] as number];
}

/** How often a window fits one direction. Throws ShapeError if it does not fit at all. */
export function windowCount(
  op: string,
  size: number,
  kernel: number,
  stride: number,
  padding: number,
  dilation: number,
): number {
  const span = dilation * (kernel - 1) + 1;
  const count = Math.floor((size + 2 * padding - span) / stride) + 1;
  if (count < 1)
    throw new ShapeError(`${op}: a window of ${span} does not fit an input of ${size} with padding ${padding}`);
  return count;
}

/** Applies `fn` to x as [N, C, H, W]; one image without N gets it for the time of `fn`. */
export function overImages(op: string, x: Tensor, fn: (images: Tensor) => Tensor): Tensor {
  if (x.rank === 4) return fn(x);
  if (x.rank !== 3) throw new ShapeError(`${op}: takes [N, C, H, W] or [C, H, W], got ${formatShape(x.shape)}`);
  const y = fn(reshape(x, [1, ...x.shape]));
  return reshape(y, y.shape.slice(1));
}

/** Throws ShapeError unless the shape has as many dims as `names`. */
export function checkRank(op: string, name: string, shape: Shape, dims: string): void {
  const rank = dims.split(',').length;
  if (shape.length !== rank) throw new ShapeError(`${op}: ${name} is [${dims}], got ${formatShape(shape)}`);
}
