import { ShapeError, ValueError } from '../errors';
import { labelled } from '../graph/modes';
import { conv2d as convolve } from '../ops/conv';
import { sameFloats } from '../ops/operands';
import { pad } from '../ops/place';
import { permute, reshape, squeeze, unsqueeze } from '../ops/shape';
import { windowCount } from '../ops/window';
import { checkInteger, formatShape, shapesEqual } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { checkBatch, overBatch, sizesOf, unfoldDim, type SizeLike } from './window';

export interface ConvNdOptions {
  /** 1 where not given. */
  stride?: SizeLike;
  /** Zeros on each side: 0 where not given; 'same' keeps the sizes (stride 1), 'valid' is 0. */
  padding?: SizeLike | 'same' | 'valid';
  /** Distance between the elements of a kernel: 1 where not given. */
  dilation?: SizeLike;
  /** Channels fall into so many groups that do not see each other: 1 where not given. */
  groups?: number;
}

/** Zeros in front of and behind each dim. */
export interface Sides {
  readonly before: readonly number[];
  readonly after: readonly number[];
}

/** The padding of a convolution as numbers; where 'same' is odd, the larger half goes behind, as in PyTorch. */
export function convPadding(
  op: string,
  padding: SizeLike | 'same' | 'valid',
  kernel: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
): Sides {
  if (padding === 'same') {
    if (stride.some((step) => step !== 1))
      throw new ValueError(`${op}: padding 'same' is possible with stride 1, got [${stride.join(', ')}]`);
    const total = kernel.map((size, i) => dilation[i]! * (size - 1));
    return { before: total.map((size) => Math.floor(size / 2)), after: total.map((size) => Math.ceil(size / 2)) };
  }
  const sizes = sizesOf(op, 'padding', padding === 'valid' ? 0 : padding, kernel.length, 0);
  return { before: sizes, after: sizes };
}

interface Geometry extends Sides {
  readonly stride: readonly number[];
  readonly dilation: readonly number[];
  readonly groups: number;
  /** How often the window fits each dim. */
  readonly counts: readonly number[];
}

function geometryOf(
  op: string,
  dims: number,
  x: TensorBase,
  weight: TensorBase,
  bias: TensorBase | null,
  options: ConvNdOptions,
): Geometry {
  const stride = sizesOf(op, 'stride', options.stride ?? 1, dims, 1);
  const dilation = sizesOf(op, 'dilation', options.dilation ?? 1, dims, 1);
  const { groups = 1 } = options;
  checkInteger(op, 'groups', groups, 1);
  checkBatch(op, x, dims);
  const kernel = weight.shape.slice(2);
  if (weight.rank !== dims + 2 || kernel.some((size) => size < 1))
    throw new ShapeError(
      `${op}: weight is [O, C / groups, ...] with ${dims} kernel sizes, got ${formatShape(weight.shape)}`,
    );
  const [outputs, perGroup] = weight.shape as [number, number];
  const channels = x.shape[x.rank - dims - 1]!;
  if (perGroup * groups !== channels)
    throw new ShapeError(
      `${op}: weight ${formatShape(weight.shape)} with groups ${groups} takes ${perGroup * groups} channels, got ${channels}`,
    );
  if (outputs % groups !== 0)
    throw new ShapeError(`${op}: groups ${groups} does not divide the ${outputs} output channels`);
  checkBias(op, bias, outputs);
  const { before, after } = convPadding(op, options.padding ?? 0, kernel, stride, dilation);
  const counts = x.shape
    .slice(-dims)
    .map((size, i) => windowCount(op, size + before[i]! + after[i]!, kernel[i]!, stride[i]!, 0, dilation[i]!));
  return { stride, dilation, groups, before, after, counts };
}

/** Throws ShapeError unless the bias has one number for each output channel. */
export function checkBias(op: string, bias: TensorBase | null, outputs: number): void {
  if (bias && !shapesEqual(bias.shape, [outputs]))
    throw new ShapeError(`${op}: bias is [${outputs}], one number per output channel, got ${formatShape(bias.shape)}`);
}

/** What is padded behind but not in front, in the order that `pad` takes. */
const surplus = ({ before, after }: Sides): number[] =>
  after.flatMap((_, i) => [0, after.at(-1 - i)! - before.at(-1 - i)!]);

/**
 * The cross-correlation of x [N, C, L] (or [C, L]) with weight [O, C / groups, k], plus bias [O]: [N, O, OL] with
 * OL = ⌊(L + 2 padding - dilation (k - 1) - 1) / stride⌋ + 1. Throws ShapeError for shapes that do not fit, ValueError for a
 * stride, dilation or groups below 1, a padding below 0.
 *
 *     conv1d(zeros([8, 4, 100]), zeros([16, 4, 5]), null, { padding: 2 }).shape; // [8, 16, 100]
 */
export function conv1d(
  x: TensorBase,
  weight: TensorBase,
  bias: TensorBase | null = null,
  options: ConvNdOptions = {},
): Tensor {
  const geometry = geometryOf('conv1d', 1, x, weight, bias, options);
  return labelled('conv1d', () => {
    const [signals, filters] = sameFloats('conv1d', x, weight) as [Tensor, Tensor];
    return overBatch('conv1d', signals, 1, (batch) => {
      const y = convolve(unsqueeze(pad(batch, surplus(geometry)), 2), unsqueeze(filters, 2), bias, {
        stride: [1, geometry.stride[0]!],
        padding: [0, geometry.before[0]!],
        dilation: [1, geometry.dilation[0]!],
        groups: geometry.groups,
      });
      return squeeze(y, { dim: 2 });
    });
  });
}

/**
 * The cross-correlation of x [N, C, D, H, W] (or [C, D, H, W]) with weight [O, C / groups, kd, kh, kw], plus bias [O]:
 * [N, O, OD, OH, OW]. Throws as `conv1d` does.
 *
 *     conv3d(zeros([2, 3, 8, 16, 16]), zeros([6, 3, 3, 3, 3]), null, { padding: 1 }).shape; // [2, 6, 8, 16, 16]
 */
export function conv3d(
  x: TensorBase,
  weight: TensorBase,
  bias: TensorBase | null = null,
  options: ConvNdOptions = {},
): Tensor {
  const { stride, before, after, dilation, groups, counts } = geometryOf('conv3d', 3, x, weight, bias, options);
  return labelled('conv3d', () => {
    const [volumes, filters] = sameFloats('conv3d', x, weight) as [Tensor, Tensor];
    return overBatch('conv3d', volumes, 3, (batch) => {
      const around = surplus({ before, after });
      const padded = pad(batch, [...around.slice(0, 4), before[0]!, after[0]!]);
      // The taps over depth become channels, so that one product of matrices sums over all of the kernel.
      const [outputs, perGroup, taps, ...window] = filters.shape as [number, number, number, number, number];
      const steps = { kernel: taps, stride: stride[0]!, dilation: dilation[0]!, count: counts[0]! };
      const slices = permute(unfoldDim(padded, 2, steps), [0, 3, 1, 2, 4, 5]);
      const [samples, depth, channels, , height, width] = slices.shape as [
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      const y = convolve(
        reshape(slices, [samples * depth, channels * taps, height, width]),
        reshape(filters, [outputs, perGroup * taps, ...window]),
        bias,
        { stride: stride.slice(1), padding: before.slice(1), dilation: dilation.slice(1), groups },
      );
      return permute(reshape(y, [samples, depth, ...y.shape.slice(1)]), [0, 2, 1, 3, 4]);
    });
  });
}
