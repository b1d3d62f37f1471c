import { ShapeError, ValueError } from '../errors';
import { tensor } from '../ops/create';
import { add } from '../ops/elementwise';
import { gather } from '../ops/indexing';
import { stack } from '../ops/join';
import { place } from '../ops/place';
import { expand, reshape, select, slice, type Range } from '../ops/shape';
import { formatShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';

/** One number for every direction, or one for each: [length], [height, width], [depth, height, width]. */
export type SizeLike = number | readonly number[];

const MOST = 2 ** 31 - 1;

/** The numbers of a stride, padding or size in `count` directions. Throws ValueError unless they are integers from `least`. */
export function sizesOf(op: string, name: string, value: SizeLike, count: number, least: number): number[] {
  const sizes: unknown = typeof value === 'number' ? new Array<number>(count).fill(value) : value;
  const isPossible = (v: unknown): boolean => Number.isInteger(v) && (v as number) >= least && (v as number) <= MOST;
  if (!Array.isArray(sizes) || sizes.length !== count || !sizes.every(isPossible)) {
    const several = count === 1 ? 'in an array or not' : `or ${count} of them`;
    throw new ValueError(
      `${op}: ${name} is an integer from ${least} to 2^31 - 1, ${several}, got ${JSON.stringify(value)}`,
    );
  }
  return [...(sizes as number[])];
}

const DIMS = ['', 'L', 'H, W', 'D, H, W'] as const;

/** Applies `fn` to x as [N, C, ...] with `dims` dims behind; one sample without N gets it for the time of `fn`. */
export function overBatch(op: string, x: Tensor, dims: number, fn: (batch: Tensor) => Tensor): Tensor {
  checkBatch(op, x, dims);
  if (x.rank === dims + 2) return fn(x);
  const y = fn(reshape(x, [1, ...x.shape]));
  return reshape(y, y.shape.slice(1));
}

/** Throws ShapeError unless x is [N, C, ...] or [C, ...] with `dims` dims behind. */
export function checkBatch(op: string, x: { readonly shape: readonly number[] }, dims: number): void {
  const rank = x.shape.length;
  if (rank !== dims + 1 && rank !== dims + 2)
    throw new ShapeError(`${op}: takes [N, C, ${DIMS[dims]}] or [C, ${DIMS[dims]}], got ${formatShape(x.shape)}`);
}

/** The indices `start`, `start + step`, ... of one dim, `count` of them. */
function strided(x: Tensor, dim: number, start: number, step: number, count: number): Tensor {
  const ranges = new Array<Range>(dim).fill(null);
  return slice(x, [...ranges, [start, start + (count - 1) * step + 1, step]]);
}

/** The indices of one dim that an array names, known when this is recorded. */
export function take(x: Tensor, dim: number, indices: Int32Array): Tensor {
  const along = x.shape.map((_, d) => (d === dim ? indices.length : 1));
  return gather(x, dim, expand(tensor(indices, { shape: along }), x.shape.with(dim, indices.length)));
}

/** How a window of `kernel` taps moves along one dim. */
export interface Steps {
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  /** How often it fits. */
  readonly count: number;
}

/** Dim `dim` of x as two, [kernel, count]: tap k of window i is index i · stride + k · dilation. */
export function unfoldDim(x: Tensor, dim: number, { kernel, stride, dilation, count }: Steps): Tensor {
  const taps = Array.from({ length: kernel }, (_, tap) => strided(x, dim, tap * dilation, stride, count));
  return stack(taps, { dim });
}

/** The adjoint of `unfoldDim`: dims [kernel, count] of y added up where their taps are, in one dim of `size`. */
export function foldDim(y: Tensor, dim: number, size: number, { kernel, stride, dilation }: Steps): Tensor {
  const shape = y.shape.toSpliced(dim, 2, size);
  const taps = Array.from({ length: kernel }, (_, tap) =>
    place(select(y, dim, tap), {
      starts: shape.map((_size, d) => (d === dim ? tap * dilation : 0)),
      steps: shape.map((_size, d) => (d === dim ? stride : 1)),
      shape,
      value: 0,
    }),
  );
  return taps.reduce((sum, tap) => add(sum, tap));
}
