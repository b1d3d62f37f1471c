import { ValueError } from '../errors';
import { labelled } from '../graph/modes';
import { tensor } from '../ops/create';
import { abs, mul, pow, relu, sign } from '../ops/elementwise';
import { asFloat } from '../ops/operands';
import { avgPool2d as pool } from '../ops/pool';
import { squeeze, unsqueeze } from '../ops/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { checkNumber } from './check';
import { overVolumes, poolWindows, single, withSurplus, type PoolOptions, type PoolWindow } from './pool-window';
import { overBatch, sizesOf, type SizeLike } from './window';

export interface AvgPool1dOptions extends PoolOptions {
  /** Whether padded zeros count as elements: true where not given. */
  countIncludePad?: boolean;
}

export interface AvgPoolOptions extends AvgPool1dOptions {
  /** What the sum of a window is divided by, instead of its number of elements. */
  divisorOverride?: number | null;
}

/** How many elements count in each window of one dim; what is beyond the padding never does. */
function lengths({ size, kernel, stride, padding, count }: PoolWindow, countIncludePad: boolean): number[] {
  return Array.from({ length: count }, (_, i) => {
    const start = i * stride - padding;
    const end = Math.min(start + kernel, size + padding);
    return countIncludePad ? end - start : Math.min(end, size) - Math.max(start, 0);
  });
}

/** Images [N, C, H, W]: the kernel's mean over whole windows, turned into that over what counts. */
function averages(x: Tensor, windows: readonly PoolWindow[], countIncludePad: boolean, divisor: number | null): Tensor {
  const [rows, columns] = windows as [PoolWindow, PoolWindow];
  const kernel = [rows.kernel, columns.kernel];
  const steps = { stride: [rows.stride, columns.stride], padding: [rows.padding, columns.padding] };
  if (divisor === null && rows.surplus === 0 && columns.surplus === 0)
    return pool(x, kernel, { ...steps, countIncludePad });
  const means = pool(withSurplus(x, windows, 0), kernel, steps);
  const area = rows.kernel * columns.kernel;
  if (divisor !== null) return mul(means, area / divisor);
  const across = lengths(columns, countIncludePad);
  const scale = lengths(rows, countIncludePad).flatMap((height) => across.map((width) => area / (height * width)));
  return mul(means, tensor(Float64Array.from(scale), { shape: [rows.count, columns.count], dtype: x.dtype }));
}

/** x with `dims` dims behind its channels. */
function averagesOver(
  x: Tensor,
  windows: readonly PoolWindow[],
  countIncludePad: boolean,
  divisor: number | null,
): Tensor {
  if (windows.length === 2) return averages(x, windows, countIncludePad, divisor);
  if (windows.length === 1)
    return squeeze(averages(unsqueeze(x, 2), [single(1), ...windows], countIncludePad, divisor), { dim: 2 });
  const [depth, ...plane] = windows;
  return overVolumes(
    x,
    (planes) => averages(planes, plane, countIncludePad, divisor === null ? null : 1),
    (lines) => averages(lines, [depth!, single(lines.shape[3]!)], countIncludePad, divisor),
  );
}

function pooled(op: string, dims: number, x: TensorBase, kernelSize: SizeLike, options: AvgPoolOptions): Tensor {
  const { countIncludePad = true, divisorOverride = null } = options;
  if (divisorOverride !== null) checkNumber(op, 'divisorOverride', divisorOverride);
  if (divisorOverride === 0) throw new ValueError(`${op}: divisorOverride is not 0`);
  const windows = poolWindows(op, x, dims, kernelSize, options);
  return labelled(op, () =>
    overBatch(op, asFloat(op, x), dims, (batch) => averagesOver(batch, windows, countIncludePad, divisorOverride)),
  );
}

/**
 * The mean of each window of x [N, C, L] or [C, L]. Throws ShapeError if no window fits, ValueError for a stride below 1,
 * or a padding above half of kernelSize.
 *
 *     avgPool1d(zeros([8, 16, 9]), 3, { stride: 2 }).shape; // [8, 16, 4]
 */
export const avgPool1d = (x: TensorBase, kernelSize: SizeLike, options: AvgPool1dOptions = {}): Tensor => {
  const { stride, padding, ceilMode, countIncludePad } = options;
  return pooled('avgPool1d', 1, x, kernelSize, { stride, padding, ceilMode, countIncludePad });
};

/**
 * The mean of each window of images [N, C, H, W] or [C, H, W]. Throws as `avgPool1d` does, and ValueError for a
 * divisorOverride of 0.
 *
 *     avgPool2d(zeros([8, 16, 32, 32]), 2).shape; // [8, 16, 16, 16]
 */
export const avgPool2d = (x: TensorBase, kernelSize: SizeLike, options: AvgPoolOptions = {}): Tensor =>
  pooled('avgPool2d', 2, x, kernelSize, options);

/**
 * The mean of each window of volumes [N, C, D, H, W] or [C, D, H, W]. Throws as `avgPool2d` does.
 *
 *     avgPool3d(zeros([2, 4, 8, 8, 8]), 2).shape; // [2, 4, 4, 4, 4]
 */
export const avgPool3d = (x: TensorBase, kernelSize: SizeLike, options: AvgPoolOptions = {}): Tensor =>
  pooled('avgPool3d', 3, x, kernelSize, options);

export interface LPPoolOptions {
  /** kernelSize where not given. */
  stride?: SizeLike;
  /** Whether a last window that reaches beyond the end counts, scaled as if it were whole. */
  ceilMode?: boolean;
}

function lpPooled(
  op: string,
  dims: number,
  x: TensorBase,
  normType: number,
  kernelSize: SizeLike,
  options: LPPoolOptions,
): Tensor {
  checkNumber(op, 'normType', normType);
  if (normType === 0) throw new ValueError(`${op}: normType is not 0`);
  const kernel = sizesOf(op, 'kernelSize', kernelSize, dims, 1);
  const { stride, ceilMode } = options;
  const area = kernel.reduce((product, size) => product * size, 1);
  const windows = poolWindows(op, x, dims, kernel, { stride, ceilMode });
  return labelled(op, () =>
    overBatch(op, asFloat(op, x), dims, (batch) => {
      const means = averagesOver(pow(batch, normType), windows, true, null);
      return pow(mul(mul(sign(means), relu(abs(means))), area), 1 / normType);
    }),
  );
}

/**
 * (Σ x^p)^(1/p) over each window of x [N, C, L] or [C, L], p = normType: the sum for 1, tending to the maximum for large
 * p. Throws ShapeError if no window fits, ValueError for a stride below 1 or a normType of 0.
 *
 *     lpPool1d(ones([1, 1, 4]), 2, 4); // [[[2]]]
 */
export const lpPool1d = (x: TensorBase, normType: number, kernelSize: SizeLike, options: LPPoolOptions = {}): Tensor =>
  lpPooled('lpPool1d', 1, x, normType, kernelSize, options);

/**
 * (Σ x^p)^(1/p) over each window of images [N, C, H, W] or [C, H, W]. Throws as `lpPool1d` does.
 *
 *     lpPool2d(ones([1, 1, 2, 2]), 2, 2); // [[[[2]]]]
 */
export const lpPool2d = (x: TensorBase, normType: number, kernelSize: SizeLike, options: LPPoolOptions = {}): Tensor =>
  lpPooled('lpPool2d', 2, x, normType, kernelSize, options);
