import { ShapeError, ValueError } from '../errors';
import { tensor } from '../ops/create';
import { gather } from '../ops/indexing';
import { pad } from '../ops/place';
import { reshape } from '../ops/shape';
import { formatShape } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { checkBatch, sizesOf, type SizeLike } from './window';

export interface PoolOptions {
  /** kernelSize where not given. */
  stride?: SizeLike;
  /** At most half of kernelSize: 0 where not given. */
  padding?: SizeLike;
  /** Whether a last window that reaches beyond the padded end counts. */
  ceilMode?: boolean;
}

/** The windows of a pool along one dim. */
export interface PoolWindow {
  readonly size: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
  /** How many windows there are. */
  readonly count: number;
  /** What is missing behind for the last of them; only with ceilMode. */
  readonly surplus: number;
}

/** The windows along each of the last `dims` dims of x. Throws if there are none, or for options that are not possible. */
export function poolWindows(
  op: string,
  x: TensorBase,
  dims: number,
  kernelSize: SizeLike,
  options: PoolOptions & { dilation?: SizeLike },
): PoolWindow[] {
  const kernels = sizesOf(op, 'kernelSize', kernelSize, dims, 1);
  const strides = sizesOf(op, 'stride', options.stride ?? kernels, dims, 1);
  const paddings = sizesOf(op, 'padding', options.padding ?? 0, dims, 0);
  const dilations = sizesOf(op, 'dilation', options.dilation ?? 1, dims, 1);
  const { ceilMode = false } = options;
  if (paddings.some((padding, i) => 2 * padding > kernels[i]!))
    throw new ValueError(
      `${op}: padding is at most half of kernelSize [${kernels.join(', ')}], got [${paddings.join(', ')}]`,
    );
  checkBatch(op, x, dims);
  return x.shape.slice(-dims).map((size, i) => {
    const geometry = { kernel: kernels[i]!, stride: strides[i]!, padding: paddings[i]!, dilation: dilations[i]! };
    return { size, ...geometry, ...countOf(op, size, geometry, ceilMode) };
  });
}

function countOf(
  op: string,
  size: number,
  { kernel, stride, padding, dilation }: Pick<PoolWindow, 'kernel' | 'stride' | 'padding' | 'dilation'>,
  ceilMode: boolean,
): { count: number; surplus: number } {
  const span = dilation * (kernel - 1) + 1;
  const room = size + 2 * padding - span;
  let count = (ceilMode ? Math.ceil(room / stride) : Math.floor(room / stride)) + 1;
  // A window that starts behind the input and its padding in front does not count.
  if (ceilMode && (count - 1) * stride >= size + padding) count--;
  if (size < 1 || count < 1)
    throw new ShapeError(`${op}: a window of ${span} does not fit an input of ${size} with padding ${padding}`);
  return { count, surplus: Math.max(0, (count - 1) * stride - room) };
}

/** x [N, C, H, W] with `value` behind, where the last windows reach beyond it. */
export function withSurplus(x: Tensor, [rows, columns]: readonly PoolWindow[], value: number): Tensor {
  return pad(x, [0, columns!.surplus, 0, rows!.surplus], { value });
}

/** For each index the entry of a table that is known when this is recorded. */
export function lookUp(table: Int32Array, index: Tensor): Tensor {
  return reshape(gather(tensor(table), 0, reshape(index, [index.size])), index.shape);
}

/** x [N, C, d1, d2, ...] as [N, C, d1 · d2 · ...]. */
export function flatSpace(x: Tensor): Tensor {
  return reshape(x, [x.shape[0]!, x.shape[1]!, x.shape.slice(2).reduce((product, size) => product * size, 1)]);
}

/**
 * A pool over [N, C, D, H, W] by its parts, as the largest and the mean are separable: `planes` pools [N, C · D, H, W] over
 * height and width, `depth` pools [N, C, D, OH · OW] over depth.
 */
export function overVolumes(x: Tensor, planes: (x: Tensor) => Tensor, depth: (x: Tensor) => Tensor): Tensor {
  const [samples, channels, slices, height, width] = x.shape as [number, number, number, number, number];
  const y = planes(reshape(x, [samples, channels * slices, height, width]));
  const [rows, columns] = y.shape.slice(2) as [number, number];
  const z = depth(reshape(y, [samples, channels, slices, rows * columns]));
  return reshape(z, [samples, channels, z.shape[2]!, rows, columns]);
}

/** The window of a dim that a pool does not see. */
export const single = (size: number): PoolWindow => ({
  size,
  kernel: 1,
  stride: 1,
  padding: 0,
  dilation: 1,
  count: size,
  surplus: 0,
});

/** Sizes of an adaptive pool's output; null keeps the input's. Throws ValueError for others. */
export function adaptiveSizes(
  op: string,
  x: TensorBase,
  outputSize: number | readonly (number | null)[],
  dims: number,
): number[] {
  checkBatch(op, x, dims);
  const sizes = x.shape.slice(-dims);
  if (sizes.some((size) => size < 1)) throw new ShapeError(`${op}: nothing to pool in ${formatShape(x.shape)}`);
  if (Array.isArray(outputSize) && outputSize.length === dims)
    outputSize = outputSize.map((size: number | null, i) => size ?? sizes[i]!);
  return sizesOf(op, 'outputSize', outputSize as SizeLike, dims, 1);
}
