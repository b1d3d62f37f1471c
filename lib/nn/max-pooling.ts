import { labelled } from '../graph/modes';
import { add } from '../ops/elementwise';
import { gather } from '../ops/indexing';
import { asFloat } from '../ops/operands';
import { maxPool2d as pool, maxPool2dIndices as poolIndices } from '../ops/pool';
import { reshape, squeeze, unsqueeze } from '../ops/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import {
  flatSpace,
  lookUp,
  overVolumes,
  poolWindows,
  single,
  withSurplus,
  type PoolOptions,
  type PoolWindow,
} from './pool-window';
import { overBatch, type SizeLike } from './window';

export interface MaxPoolOptions extends PoolOptions {
  /** Distance between the elements of a window: 1 where not given. */
  dilation?: SizeLike;
}

const optionsOf = (windows: readonly PoolWindow[]) => ({
  stride: windows.map(({ stride }) => stride),
  padding: windows.map(({ padding }) => padding),
  dilation: windows.map(({ dilation }) => dilation),
});

const kernelOf = (windows: readonly PoolWindow[]): number[] => windows.map(({ kernel }) => kernel);

/** Images [N, C, H, W]. */
function largest(x: Tensor, windows: readonly PoolWindow[]): Tensor {
  return pool(withSurplus(x, windows, -Infinity), kernelOf(windows), optionsOf(windows));
}

/** Where `largest` found each: h · W + w. */
function places(x: Tensor, windows: readonly PoolWindow[]): Tensor {
  const padded = withSurplus(x, windows, -Infinity);
  const found = poolIndices(padded, kernelOf(windows), optionsOf(windows));
  const [height, width] = padded.shape.slice(2) as [number, number];
  const own = x.shape[3]!;
  if (width === own) return found;
  const table = Int32Array.from({ length: height * width }, (_, i) => Math.floor(i / width) * own + (i % width));
  return lookUp(table, found);
}

/** Both of x with `dims` dims behind its channels. */
type Pooling = (x: Tensor, windows: readonly PoolWindow[]) => Tensor;

const VALUES: readonly Pooling[] = [
  (x, windows) => squeeze(largest(unsqueeze(x, 2), [single(1), ...windows]), { dim: 2 }),
  largest,
  (x, [depth, ...plane]) =>
    overVolumes(
      x,
      (planes) => largest(planes, plane),
      (lines) => largest(lines, [depth!, single(lines.shape[3]!)]),
    ),
];

const INDICES: readonly Pooling[] = [
  (x, windows) => squeeze(places(unsqueeze(x, 2), [single(1), ...windows]), { dim: 2 }),
  places,
  placesInVolumes,
];

/** d · H · W + h · W + w: the slice that has the largest, and where it is in that slice. */
function placesInVolumes(x: Tensor, [depth, ...plane]: readonly PoolWindow[]): Tensor {
  const [samples, channels, slices, height, width] = x.shape as [number, number, number, number, number];
  const planes = reshape(x, [samples, channels * slices, height, width]);
  const inPlane = places(planes, plane);
  const [rows, columns] = inPlane.shape.slice(2) as [number, number];
  const area = rows * columns;
  const lines = reshape(largest(planes, plane), [samples, channels, slices, area]);
  const found = places(lines, [depth!, single(area)]);
  const ofSlice = Int32Array.from({ length: slices * area }, (_, i) => Math.floor(i / area) * height * width);
  const within = gather(reshape(inPlane, [samples, channels, slices * area]), 2, flatSpace(found));
  const index = add(lookUp(ofSlice, flatSpace(found)), within);
  return reshape(index, [samples, channels, found.shape[2]!, rows, columns]);
}

function pooled(
  op: string,
  dims: number,
  results: readonly Pooling[],
  x: TensorBase,
  kernelSize: SizeLike,
  options: MaxPoolOptions,
): Tensor {
  const windows = poolWindows(op, x, dims, kernelSize, options);
  return labelled(op, () => overBatch(op, asFloat(op, x), dims, (batch) => results[dims - 1]!(batch, windows)));
}

function withIndices(dims: number, x: TensorBase, kernelSize: SizeLike, options: MaxPoolOptions): [Tensor, Tensor] {
  const op = `maxPool${dims}dWithIndices`;
  return [pooled(op, dims, VALUES, x, kernelSize, options), pooled(op, dims, INDICES, x, kernelSize, options)];
}

/**
 * The largest element of each window of x [N, C, L] or [C, L]; NaN wins, padding never does. Throws ShapeError if no window
 * fits, ValueError for a stride or dilation below 1, or a padding above half of kernelSize.
 *
 *     maxPool1d(zeros([8, 16, 9]), 2, { ceilMode: true }).shape; // [8, 16, 5]
 */
export const maxPool1d = (x: TensorBase, kernelSize: SizeLike, options: MaxPoolOptions = {}): Tensor =>
  pooled('maxPool1d', 1, VALUES, x, kernelSize, options);

/**
 * The largest element of each window of images [N, C, H, W] or [C, H, W]. Throws as `maxPool1d` does.
 *
 *     maxPool2d(zeros([8, 16, 32, 32]), 2).shape; // [8, 16, 16, 16]
 */
export const maxPool2d = (x: TensorBase, kernelSize: SizeLike, options: MaxPoolOptions = {}): Tensor =>
  pooled('maxPool2d', 2, VALUES, x, kernelSize, options);

/**
 * The largest element of each window of volumes [N, C, D, H, W] or [C, D, H, W]. Throws as `maxPool1d` does.
 *
 *     maxPool3d(zeros([2, 4, 8, 8, 8]), 2).shape; // [2, 4, 4, 4, 4]
 */
export const maxPool3d = (x: TensorBase, kernelSize: SizeLike, options: MaxPoolOptions = {}): Tensor =>
  pooled('maxPool3d', 3, VALUES, x, kernelSize, options);

/**
 * `maxPool1d` and where each of its elements comes from, as int32: what `maxUnpool1d` takes.
 *
 *     const [values, indices] = maxPool1dWithIndices(x, 2);
 */
export const maxPool1dWithIndices = (
  x: TensorBase,
  kernelSize: SizeLike,
  options: MaxPoolOptions = {},
): [Tensor, Tensor] => withIndices(1, x, kernelSize, options);

/**
 * `maxPool2d` and where each of its elements comes from, h · W + w as int32: what `maxUnpool2d` takes.
 *
 *     const [values, indices] = maxPool2dWithIndices(images, 2);
 */
export const maxPool2dWithIndices = (
  x: TensorBase,
  kernelSize: SizeLike,
  options: MaxPoolOptions = {},
): [Tensor, Tensor] => withIndices(2, x, kernelSize, options);

/**
 * `maxPool3d` and where each of its elements comes from, (d · H + h) · W + w as int32: what `maxUnpool3d` takes.
 *
 *     const [values, indices] = maxPool3dWithIndices(volumes, 2);
 */
export const maxPool3dWithIndices = (
  x: TensorBase,
  kernelSize: SizeLike,
  options: MaxPoolOptions = {},
): [Tensor, Tensor] => withIndices(3, x, kernelSize, options);
