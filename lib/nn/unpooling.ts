import { DTypeError, ShapeError } from '../errors';
import { labelled } from '../graph/modes';
import { full, onesLike } from '../ops/create';
import { div, maximum } from '../ops/elementwise';
import { scatterAdd } from '../ops/indexing';
import { asFloat } from '../ops/operands';
import { reshape } from '../ops/shape';
import { formatShape, shapesEqual, sizeOf } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { flatSpace } from './pool-window';
import { checkBatch, overBatch, sizesOf, type SizeLike } from './window';

export interface MaxUnpoolOptions {
  /** kernelSize where not given. */
  stride?: SizeLike;
  /** What the pool was padded with: 0 where not given. */
  padding?: SizeLike;
  /** Sizes of the result, less than a stride away from (size - 1) stride - 2 padding + kernelSize, which is the default. */
  outputSize?: readonly number[];
}

function resultSizes(
  op: string,
  dims: number,
  sizes: readonly number[],
  kernelSize: SizeLike,
  options: MaxUnpoolOptions,
): readonly number[] {
  const kernel = sizesOf(op, 'kernelSize', kernelSize, dims, 1);
  const stride = sizesOf(op, 'stride', options.stride ?? kernel, dims, 1);
  const padding = sizesOf(op, 'padding', options.padding ?? 0, dims, 0);
  const usual = sizes.map((size, i) => (size - 1) * stride[i]! - 2 * padding[i]! + kernel[i]!);
  if (options.outputSize === undefined) {
    if (usual.some((size) => size < 1))
      throw new ShapeError(`${op}: an input of ${formatShape(sizes)} gives an output of ${formatShape(usual)}`);
    return usual;
  }
  const wanted = sizesOf(op, 'outputSize', options.outputSize.slice(-dims), dims, 1);
  if (wanted.some((size, i) => Math.abs(size - usual[i]!) >= stride[i]!))
    throw new ShapeError(
      `${op}: outputSize is less than a stride away from ${formatShape(usual)}, got ${formatShape(wanted)}`,
    );
  return wanted;
}

function unpooled(
  dims: number,
  x: TensorBase,
  indices: TensorBase,
  kernelSize: SizeLike,
  options: MaxUnpoolOptions,
): Tensor {
  const op = `maxUnpool${dims}d`;
  checkBatch(op, x, dims);
  if (!shapesEqual(x.shape, indices.shape))
    throw new ShapeError(`${op}: indices have x's shape ${formatShape(x.shape)}, got ${formatShape(indices.shape)}`);
  if (indices.dtype !== 'int32' && indices.dtype !== 'int64')
    throw new DTypeError(`${op}: indices are int32 or int64, got ${indices.dtype}`);
  const sizes = resultSizes(op, dims, x.shape.slice(-dims), kernelSize, options);
  return labelled(op, () => {
    const places = x.rank === dims + 1 ? reshape(indices, [1, ...indices.shape]) : indices.capture();
    return overBatch(op, asFloat(op, x), dims, (batch) => {
      const source = flatSpace(batch);
      const index = flatSpace(places);
      const zeros = full([batch.shape[0]!, batch.shape[1]!, sizeOf(sizes)], 0, { dtype: batch.dtype });
      // Overlapping windows name one place several times, with the same number each.
      const times = maximum(scatterAdd(zeros, 2, index, onesLike(source)), 1);
      return reshape(div(scatterAdd(zeros, 2, index, source), times), [batch.shape[0]!, batch.shape[1]!, ...sizes]);
    });
  });
}

/**
 * Puts the elements of x [N, C, L] or [C, L] back where `maxPool1dWithIndices` took them from, 0 elsewhere. A place that is
 * named several times gets the mean. Throws ShapeError for an outputSize that the pool cannot have had, DTypeError unless
 * indices are integers; an index outside fails when it is computed.
 *
 *     maxUnpool1d(values, indices, 2);
 */
export const maxUnpool1d = (
  x: TensorBase,
  indices: TensorBase,
  kernelSize: SizeLike,
  options: MaxUnpoolOptions = {},
): Tensor => unpooled(1, x, indices, kernelSize, options);

/**
 * Puts the elements of x [N, C, H, W] or [C, H, W] back where `maxPool2dWithIndices` took them from; as `maxUnpool1d`.
 *
 *     maxUnpool2d(values, indices, 2, { outputSize: [9, 9] });
 */
export const maxUnpool2d = (
  x: TensorBase,
  indices: TensorBase,
  kernelSize: SizeLike,
  options: MaxUnpoolOptions = {},
): Tensor => unpooled(2, x, indices, kernelSize, options);

/**
 * Puts the elements of x [N, C, D, H, W] or [C, D, H, W] back where `maxPool3dWithIndices` took them from; as `maxUnpool1d`.
 *
 *     maxUnpool3d(values, indices, 2);
 */
export const maxUnpool3d = (
  x: TensorBase,
  indices: TensorBase,
  kernelSize: SizeLike,
  options: MaxUnpoolOptions = {},
): Tensor => unpooled(3, x, indices, kernelSize, options);
