import { ShapeError, ValueError } from '../errors';
import { labelled } from '../graph/modes';
import { conv2dInputGrad } from '../ops/conv';
import { add } from '../ops/elementwise';
import { sameFloats } from '../ops/operands';
import { pad } from '../ops/place';
import { permute, reshape, slice, squeeze, unsqueeze, type Range } from '../ops/shape';
import { checkInteger, formatShape } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { checkBias } from './convolution';
import { checkBatch, foldDim, overBatch, sizesOf, type SizeLike } from './window';

export interface ConvTransposeOptions {
  /** How far the kernel moves in the output for each input: 1 where not given. */
  stride?: SizeLike;
  /** How much is taken away at both ends of the output: 0 where not given. */
  padding?: SizeLike;
  /** How much longer the output is at its end; below stride or dilation. 0 where not given. */
  outputPadding?: SizeLike;
  /** 1 where not given. */
  groups?: number;
  /** Distance between the elements of a kernel: 1 where not given. */
  dilation?: SizeLike;
}

/** Per dim, and each with `dims` numbers. */
interface Geometry {
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly outputPadding: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
}

/** The sizes of a transposed convolution's output. */
export function transposedSizes(sizes: readonly number[], kernel: readonly number[], geometry: Geometry): number[] {
  const { stride, padding, outputPadding, dilation } = geometry;
  return sizes.map(
    (size, i) => (size - 1) * stride[i]! - 2 * padding[i]! + dilation[i]! * (kernel[i]! - 1) + outputPadding[i]! + 1,
  );
}

function geometryOf(
  op: string,
  dims: number,
  x: TensorBase,
  weight: TensorBase,
  bias: TensorBase | null,
  options: ConvTransposeOptions,
): Geometry {
  const stride = sizesOf(op, 'stride', options.stride ?? 1, dims, 1);
  const padding = sizesOf(op, 'padding', options.padding ?? 0, dims, 0);
  const outputPadding = sizesOf(op, 'outputPadding', options.outputPadding ?? 0, dims, 0);
  const dilation = sizesOf(op, 'dilation', options.dilation ?? 1, dims, 1);
  const { groups = 1 } = options;
  checkInteger(op, 'groups', groups, 1);
  if (outputPadding.some((size, i) => size >= Math.max(stride[i]!, dilation[i]!)))
    throw new ValueError(
      `${op}: outputPadding is below stride [${stride.join(', ')}] or dilation [${dilation.join(', ')}], got [${outputPadding.join(', ')}]`,
    );
  checkBatch(op, x, dims);
  const kernel = weight.shape.slice(2);
  if (weight.rank !== dims + 2 || kernel.some((size) => size < 1))
    throw new ShapeError(
      `${op}: weight is [C, O / groups, ...] with ${dims} kernel sizes, got ${formatShape(weight.shape)}`,
    );
  const channels = x.shape[x.rank - dims - 1]!;
  if (weight.shape[0] !== channels || channels % groups !== 0)
    throw new ShapeError(
      `${op}: weight ${formatShape(weight.shape)} with groups ${groups} takes ${weight.shape[0]} channels, divisible by groups, got ${channels}`,
    );
  checkBias(op, bias, weight.shape[1]! * groups);
  const geometry = { stride, padding, outputPadding, dilation, groups };
  const sizes = x.shape.slice(-dims);
  const result = transposedSizes(sizes, kernel, geometry);
  if (sizes.some((size) => size < 1) || result.some((size) => size < 1))
    throw new ShapeError(`${op}: an input of ${formatShape(sizes)} gives an output of ${formatShape(result)}`);
  return geometry;
}

/** The indices from `start` on, `size` of them; those behind the end are 0. */
function cut(x: Tensor, dim: number, start: number, size: number): Tensor {
  const missing = Math.max(0, start + size - x.shape[dim]!);
  const ranges = new Array<Range>(dim).fill(null);
  const there = slice(x, [...ranges, [start, start + size - missing]]);
  const behind = new Array<number>(2 * (x.rank - 1 - dim)).fill(0);
  return pad(there, [...behind, 0, missing]);
}

/** On images: the gradient of conv2d to its input, which knows output paddings below the stride only. */
function transposed(x: Tensor, weight: Tensor, geometry: Geometry): Tensor {
  const { stride, outputPadding, dilation, groups } = geometry;
  const sizes = x.shape.slice(2);
  const kernel = weight.shape.slice(2);
  const wanted = transposedSizes(sizes, kernel, geometry);
  if (outputPadding.every((size, i) => size < stride[i]!))
    return conv2dInputGrad(x, weight, wanted, { stride, padding: geometry.padding, dilation, groups });
  const whole = { ...geometry, padding: [0, 0], outputPadding: [0, 0] };
  const full = conv2dInputGrad(x, weight, transposedSizes(sizes, kernel, whole), { stride, dilation, groups });
  return cut(cut(full, 2, geometry.padding[0]!, wanted[0]!), 3, geometry.padding[1]!, wanted[1]!);
}

function withBias(y: Tensor, bias: TensorBase | null): Tensor {
  return bias === null ? y : add(y, reshape(bias, [bias.size, ...y.shape.slice(2).fill(1)]));
}

/**
 * The transpose of `conv1d` as a linear map: x [N, C, L] (or [C, L]) with weight [C, O / groups, k], plus bias [O], to
 * [N, O, (L - 1) stride - 2 padding + dilation (k - 1) + outputPadding + 1]. Throws ShapeError for shapes that do not fit,
 * ValueError for a stride, dilation or groups below 1, and an outputPadding that is not below stride or dilation.
 *
 *     convTranspose1d(zeros([8, 4, 10]), zeros([4, 6, 4]), null, { stride: 2, padding: 1 }).shape; // [8, 6, 20]
 */
export function convTranspose1d(
  x: TensorBase,
  weight: TensorBase,
  bias: TensorBase | null = null,
  options: ConvTransposeOptions = {},
): Tensor {
  const { stride, padding, outputPadding, dilation, groups } = geometryOf(
    'convTranspose1d',
    1,
    x,
    weight,
    bias,
    options,
  );
  return labelled('convTranspose1d', () => {
    const [signals, filters] = sameFloats('convTranspose1d', x, weight) as [Tensor, Tensor];
    return overBatch('convTranspose1d', signals, 1, (batch) => {
      const y = transposed(unsqueeze(batch, 2), unsqueeze(filters, 2), {
        stride: [1, stride[0]!],
        padding: [0, padding[0]!],
        outputPadding: [0, outputPadding[0]!],
        dilation: [1, dilation[0]!],
        groups,
      });
      return withBias(squeeze(y, { dim: 2 }), bias);
    });
  });
}

/**
 * The transpose of `conv2d` as a linear map: x [N, C, H, W] (or [C, H, W]) with weight [C, O / groups, kh, kw], plus bias
 * [O]. Sizes and errors as for `convTranspose1d`.
 *
 *     convTranspose2d(zeros([8, 4, 7, 7]), zeros([4, 6, 3, 3]), null, { stride: 2 }).shape; // [8, 6, 15, 15]
 */
export function convTranspose2d(
  x: TensorBase,
  weight: TensorBase,
  bias: TensorBase | null = null,
  options: ConvTransposeOptions = {},
): Tensor {
  const geometry = geometryOf('convTranspose2d', 2, x, weight, bias, options);
  return labelled('convTranspose2d', () => {
    const [images, filters] = sameFloats('convTranspose2d', x, weight) as [Tensor, Tensor];
    return overBatch('convTranspose2d', images, 2, (batch) => withBias(transposed(batch, filters, geometry), bias));
  });
}

/**
 * The transpose of `conv3d` as a linear map: x [N, C, D, H, W] (or [C, D, H, W]) with weight [C, O / groups, kd, kh, kw],
 * plus bias [O]. Sizes and errors as for `convTranspose1d`.
 *
 *     convTranspose3d(zeros([2, 4, 3, 7, 7]), zeros([4, 6, 2, 2, 2]), null, { stride: 2 }).shape; // [2, 6, 6, 14, 14]
 */
export function convTranspose3d(
  x: TensorBase,
  weight: TensorBase,
  bias: TensorBase | null = null,
  options: ConvTransposeOptions = {},
): Tensor {
  const geometry = geometryOf('convTranspose3d', 3, x, weight, bias, options);
  const { stride, padding, outputPadding, dilation, groups } = geometry;
  const plane: Geometry = {
    stride: stride.slice(1),
    padding: padding.slice(1),
    outputPadding: outputPadding.slice(1),
    dilation: dilation.slice(1),
    groups,
  };
  return labelled('convTranspose3d', () => {
    const [volumes, filters] = sameFloats('convTranspose3d', x, weight) as [Tensor, Tensor];
    return overBatch('convTranspose3d', volumes, 3, (batch) => {
      const [samples, channels, depth, height, width] = batch.shape as [number, number, number, number, number];
      const [, perGroup, taps, ...window] = filters.shape as [number, number, number, number, number];
      // Each slice of the input gives one of the output for every tap over depth; then these are added up.
      const slices = transposed(
        reshape(permute(batch, [0, 2, 1, 3, 4]), [samples * depth, channels, height, width]),
        reshape(filters, [channels, perGroup * taps, ...window]),
        plane,
      );
      const apart = reshape(slices, [samples, depth, perGroup * groups, taps, ...slices.shape.slice(2)]);
      const steps = { kernel: taps, stride: stride[0]!, dilation: dilation[0]!, count: depth };
      const full = (depth - 1) * stride[0]! + dilation[0]! * (taps - 1) + 1;
      const y = foldDim(permute(apart, [0, 2, 3, 1, 4, 5]), 2, full, steps);
      return withBias(cut(y, 2, padding[0]!, full - 2 * padding[0]! + outputPadding[0]!), bias);
    });
  });
}
