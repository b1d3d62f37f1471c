import { ShapeError } from '../errors';
import { labelled } from '../graph/modes';
import { asTensor } from '../ops/operands';
import { permute, reshape, transpose } from '../ops/shape';
import { checkInteger, formatShape, sizeOf } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';

/**
 * Channels become pixels: [..., C · r², H, W] to [..., C, H r, W r] (Shi et al. 2016). Throws ShapeError unless r² divides
 * the channels, ValueError for a factor below 1.
 *
 *     pixelShuffle(zeros([1, 8, 4, 4]), 2).shape; // [1, 2, 8, 8]
 */
export function pixelShuffle(x: TensorBase, upscaleFactor: number): Tensor {
  checkInteger('pixelShuffle', 'upscaleFactor', upscaleFactor, 1);
  const r = upscaleFactor;
  const [channels, height, width] = x.shape.slice(-3) as [number, number, number];
  if (x.rank < 3 || channels % (r * r) !== 0)
    throw new ShapeError(`pixelShuffle: takes [..., C * ${r * r}, H, W], got ${formatShape(x.shape)}`);
  return labelled('pixelShuffle', () => {
    const apart = reshape(asTensor('pixelShuffle', x), [
      sizeOf(x.shape.slice(0, -3)),
      channels / (r * r),
      r,
      r,
      height,
      width,
    ]);
    const moved = permute(apart, [0, 1, 4, 2, 5, 3]);
    return reshape(moved, [...x.shape.slice(0, -3), channels / (r * r), height * r, width * r]);
  });
}

/**
 * Pixels become channels, which undoes `pixelShuffle`: [..., C, H r, W r] to [..., C · r², H, W]. Throws ShapeError unless r
 * divides height and width, ValueError for a factor below 1.
 *
 *     pixelUnshuffle(zeros([1, 2, 8, 8]), 2).shape; // [1, 8, 4, 4]
 */
export function pixelUnshuffle(x: TensorBase, downscaleFactor: number): Tensor {
  checkInteger('pixelUnshuffle', 'downscaleFactor', downscaleFactor, 1);
  const r = downscaleFactor;
  const [channels, height, width] = x.shape.slice(-3) as [number, number, number];
  if (x.rank < 3 || height % r !== 0 || width % r !== 0)
    throw new ShapeError(`pixelUnshuffle: takes [..., C, H * ${r}, W * ${r}], got ${formatShape(x.shape)}`);
  return labelled('pixelUnshuffle', () => {
    const apart = reshape(asTensor('pixelUnshuffle', x), [
      sizeOf(x.shape.slice(0, -3)),
      channels,
      height / r,
      r,
      width / r,
      r,
    ]);
    const moved = permute(apart, [0, 1, 3, 5, 2, 4]);
    return reshape(moved, [...x.shape.slice(0, -3), channels * r * r, height / r, width / r]);
  });
}

/**
 * Channels of x [N, C, ...] dealt out among groups: the first of each group, then the second of each, ... (Zhang et al.
 * 2018). Throws ShapeError unless groups divides C, ValueError for groups below 1.
 *
 *     channelShuffle(images, 2); // channels 0, 1, 2, 3 become 0, 2, 1, 3
 */
export function channelShuffle(x: TensorBase, groups: number): Tensor {
  checkInteger('channelShuffle', 'groups', groups, 1);
  const [samples, channels, ...others] = x.shape as [number, number, ...number[]];
  if (x.rank < 3 || channels % groups !== 0)
    throw new ShapeError(
      `channelShuffle: takes [N, C, ...] with C divisible by ${groups}, got ${formatShape(x.shape)}`,
    );
  return labelled('channelShuffle', () => {
    const grouped = reshape(asTensor('channelShuffle', x), [samples, groups, channels / groups, ...others]);
    return reshape(transpose(grouped, 1, 2), x.shape);
  });
}
