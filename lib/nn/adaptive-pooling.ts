import { labelled } from '../graph/modes';
import { gather } from '../ops/indexing';
import { add } from '../ops/elementwise';
import { asFloat } from '../ops/operands';
import { adaptiveAvgPool2d as averages, maxPool2d, maxPool2dIndices } from '../ops/pool';
import { reshape, squeeze, unsqueeze } from '../ops/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { adaptiveSizes, flatSpace, lookUp, overVolumes } from './pool-window';
import { overBatch, take } from './window';

/** One size, or one for each dim; null keeps a dim as it is. */
export type AdaptiveSize = number | readonly (number | null)[];

// ---- means

function averagesOver(op: string, dims: number, x: TensorBase, outputSize: AdaptiveSize): Tensor {
  const sizes = adaptiveSizes(op, x, outputSize, dims);
  return labelled(op, () =>
    overBatch(op, asFloat(op, x), dims, (batch) => {
      if (dims === 2) return averages(batch, sizes);
      if (dims === 1) return squeeze(averages(unsqueeze(batch, 2), [1, sizes[0]!]), { dim: 2 });
      const [depth, ...plane] = sizes;
      return overVolumes(
        batch,
        (planes) => averages(planes, plane),
        (lines) => averages(lines, [depth!, lines.shape[3]!]),
      );
    }),
  );
}

/**
 * Means over windows that are laid out so that x [N, C, L] or [C, L] becomes [N, C, outputSize]: output i covers inputs
 * from ⌊i L / outputSize⌋ to ⌈(i + 1) L / outputSize⌉. Throws ShapeError for an empty input, ValueError for a size below 1.
 *
 *     adaptiveAvgPool1d(zeros([8, 16, 10]), 4).shape; // [8, 16, 4]
 */
export const adaptiveAvgPool1d = (x: TensorBase, outputSize: AdaptiveSize): Tensor =>
  averagesOver('adaptiveAvgPool1d', 1, x, outputSize);

/**
 * Means over windows so that images [N, C, H, W] or [C, H, W] come out as outputSize; as `adaptiveAvgPool1d` in both
 * directions, null keeps one.
 *
 *     adaptiveAvgPool2d(zeros([8, 16, 7, 7]), [1, null]).shape; // [8, 16, 1, 7]
 */
export const adaptiveAvgPool2d = (x: TensorBase, outputSize: AdaptiveSize): Tensor =>
  averagesOver('adaptiveAvgPool2d', 2, x, outputSize);

/**
 * Means over windows so that volumes [N, C, D, H, W] or [C, D, H, W] come out as outputSize; as `adaptiveAvgPool1d` in
 * every direction, null keeps one.
 *
 *     adaptiveAvgPool3d(zeros([2, 4, 8, 9, 10]), 3).shape; // [2, 4, 3, 3, 3]
 */
export const adaptiveAvgPool3d = (x: TensorBase, outputSize: AdaptiveSize): Tensor =>
  averagesOver('adaptiveAvgPool3d', 3, x, outputSize);

// ---- the largest

/** The windows of one dim laid side by side, all of one length: shorter ones repeat their last index. */
interface SideBySide {
  readonly length: number;
  /** null where they are so already. */
  readonly indices: Int32Array | null;
}

function sideBySide(size: number, outputs: number): SideBySide {
  if (size % outputs === 0) return { length: size / outputs, indices: null };
  const starts = Array.from({ length: outputs }, (_, i) => Math.floor((i * size) / outputs));
  const ends = starts.map((_, i) => Math.ceil(((i + 1) * size) / outputs));
  const length = Math.max(...starts.map((start, i) => ends[i]! - start));
  const indices = Int32Array.from({ length: outputs * length }, (_, j) => {
    const i = Math.floor(j / length);
    return Math.min(starts[i]! + (j % length), ends[i]! - 1);
  });
  return { length, indices };
}

interface Found {
  readonly values: Tensor;
  /** Recorded only when asked for. */
  readonly indices: () => Tensor;
}

/** The largest of images [N, C, H, W], and where: h · W + w. */
function largest(x: Tensor, [rows, columns]: readonly number[]): Found {
  const [height, width] = x.shape.slice(2) as [number, number];
  const vertical = sideBySide(height, rows!);
  const horizontal = sideBySide(width, columns!);
  let laid = x;
  if (vertical.indices) laid = take(laid, 2, vertical.indices);
  if (horizontal.indices) laid = take(laid, 3, horizontal.indices);
  const kernel = [vertical.length, horizontal.length];
  const indices = (): Tensor => {
    const found = maxPool2dIndices(laid, kernel);
    if (laid === x) return found;
    const [laidHeight, laidWidth] = laid.shape.slice(2) as [number, number];
    const table = Int32Array.from({ length: laidHeight * laidWidth }, (_, i) => {
      const row = Math.floor(i / laidWidth);
      const column = i % laidWidth;
      return (vertical.indices?.[row] ?? row) * width + (horizontal.indices?.[column] ?? column);
    });
    return lookUp(table, found);
  };
  return { values: maxPool2d(laid, kernel), indices };
}

/** The same of volumes [N, C, D, H, W]: first in each slice, then over the slices. */
function largestInVolumes(x: Tensor, [depth, ...plane]: readonly number[]): Found {
  const [samples, channels, slices, height, width] = x.shape as [number, number, number, number, number];
  const inPlane = largest(reshape(x, [samples, channels * slices, height, width]), plane);
  const [rows, columns] = plane as [number, number];
  const area = rows * columns;
  const overDepth = largest(reshape(inPlane.values, [samples, channels, slices, area]), [depth!, area]);
  const shape = [samples, channels, depth!, rows, columns];
  const indices = (): Tensor => {
    const found = flatSpace(overDepth.indices());
    const ofSlice = Int32Array.from({ length: slices * area }, (_, i) => Math.floor(i / area) * height * width);
    const within = gather(reshape(inPlane.indices(), [samples, channels, slices * area]), 2, found);
    return reshape(add(lookUp(ofSlice, found), within), shape);
  };
  return { values: reshape(overDepth.values, shape), indices };
}

function largestOver(x: Tensor, sizes: readonly number[]): Found {
  if (sizes.length === 3) return largestInVolumes(x, sizes);
  if (sizes.length === 2) return largest(x, sizes);
  const found = largest(unsqueeze(x, 2), [1, sizes[0]!]);
  return {
    values: squeeze(found.values, { dim: 2 }),
    indices: () => squeeze(found.indices(), { dim: 2 }),
  };
}

function pooled(
  op: string,
  dims: number,
  x: TensorBase,
  outputSize: AdaptiveSize,
  pick: (found: Found) => Tensor,
): Tensor {
  const sizes = adaptiveSizes(op, x, outputSize, dims);
  return labelled(op, () => overBatch(op, asFloat(op, x), dims, (batch) => pick(largestOver(batch, sizes))));
}

const values = (op: string, dims: number, x: TensorBase, outputSize: AdaptiveSize): Tensor =>
  pooled(op, dims, x, outputSize, (found) => found.values);

function withIndices(dims: number, x: TensorBase, outputSize: AdaptiveSize): [Tensor, Tensor] {
  const op = `adaptiveMaxPool${dims}dWithIndices`;
  return [values(op, dims, x, outputSize), pooled(op, dims, x, outputSize, (found) => found.indices())];
}

/**
 * The largest element of windows so that x [N, C, L] or [C, L] becomes [N, C, outputSize]; windows and errors as for
 * `adaptiveAvgPool1d`.
 *
 *     adaptiveMaxPool1d(zeros([8, 16, 10]), 4).shape; // [8, 16, 4]
 */
export const adaptiveMaxPool1d = (x: TensorBase, outputSize: AdaptiveSize): Tensor =>
  values('adaptiveMaxPool1d', 1, x, outputSize);

/**
 * The largest element of windows so that images [N, C, H, W] or [C, H, W] come out as outputSize; null keeps a direction.
 *
 *     adaptiveMaxPool2d(zeros([8, 16, 7, 9]), [3, null]).shape; // [8, 16, 3, 9]
 */
export const adaptiveMaxPool2d = (x: TensorBase, outputSize: AdaptiveSize): Tensor =>
  values('adaptiveMaxPool2d', 2, x, outputSize);

/**
 * The largest element of windows so that volumes [N, C, D, H, W] or [C, D, H, W] come out as outputSize; null keeps a
 * direction.
 *
 *     adaptiveMaxPool3d(zeros([2, 4, 8, 9, 10]), 3).shape; // [2, 4, 3, 3, 3]
 */
export const adaptiveMaxPool3d = (x: TensorBase, outputSize: AdaptiveSize): Tensor =>
  values('adaptiveMaxPool3d', 3, x, outputSize);

/**
 * `adaptiveMaxPool1d` and where each of its elements comes from, as int32.
 *
 *     const [values, indices] = adaptiveMaxPool1dWithIndices(x, 4);
 */
export const adaptiveMaxPool1dWithIndices = (x: TensorBase, outputSize: AdaptiveSize): [Tensor, Tensor] =>
  withIndices(1, x, outputSize);

/**
 * `adaptiveMaxPool2d` and where each of its elements comes from, h · W + w as int32.
 *
 *     const [values, indices] = adaptiveMaxPool2dWithIndices(images, 4);
 */
export const adaptiveMaxPool2dWithIndices = (x: TensorBase, outputSize: AdaptiveSize): [Tensor, Tensor] =>
  withIndices(2, x, outputSize);

/**
 * `adaptiveMaxPool3d` and where each of its elements comes from, (d · H + h) · W + w as int32.
 *
 *     const [values, indices] = adaptiveMaxPool3dWithIndices(volumes, 4);
 */
export const adaptiveMaxPool3dWithIndices = (x: TensorBase, outputSize: AdaptiveSize): [Tensor, Tensor] =>
  withIndices(3, x, outputSize);
