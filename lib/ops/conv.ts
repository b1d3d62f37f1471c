import { ShapeError, ValueError } from '../errors';
import { labelled } from '../graph/modes';
import { defineOp } from '../graph/op';
import { checkInteger, formatShape, MAX_ELEMENTS, shapesEqual, type Shape } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { currentTrace, refuseInTrace } from '../tensor/tracing';
import { add } from './elementwise';
import { sameFloats } from './operands';
import { pad } from './place';
import { reshape } from './shape';
import { checkRank, overImages, pairOf, windowCount, type Pair, type PairLike } from './window';

interface Geometry {
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly groups: number;
}

/** Three operations, each bilinear and each other's gradients; this one knows a size that its inputs do not give. */
interface SizedGeometry extends Geometry {
  /** [H, W] of the input, or [kh, kw] of the weight. */
  readonly size: Pair;
}

export interface ConvolutionSettings {
  /** 'auto' where not given: Winograd's algorithm where it is faster; 'off': never. */
  readonly winograd?: 'auto' | 'off';
}

class Convolution {
  winograd: 'auto' | 'off' = 'auto';
}

const settings = new Convolution();

/**
 * How convolutions that are recorded from now on are computed by the native backend. Winograd's F(4x4, 3x3) needs a quarter of the
 * multiplications of a 3x3 convolution with stride 1 (float32, forward and both gradients), and its rounding errors are
 * some 7 times as large as those of the direct sum, and an infinity makes NaN of its neighbours as well (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016).
 * Throws ValueError for another value.
 *
 *     setConvolution({ winograd: 'off' });
 *     const y = conv2d(x, weight, null, { padding: 1 });
 */
export function setConvolution({ winograd = 'auto' }: ConvolutionSettings): void {
  if (winograd !== 'auto' && winograd !== 'off')
    throw new ValueError(`setConvolution: winograd is 'auto' or 'off', got ${String(winograd)}`);
  refuseInTrace('setConvolution', 'set it before you compile');
  settings.winograd = winograd;
}

function attributesOf({ stride, padding, dilation, groups }: Geometry): number[] {
  currentTrace()?.guard(settings, 'winograd', () => settings.winograd);
  return [...stride, ...padding, ...dilation, groups, settings.winograd === 'auto' ? 1 : 0];
}

/** [OH, OW]. Throws unless x and weight fit each other. */
function outputShape(op: string, x: Shape, weight: Shape, geometry: Geometry): number[] {
  const { stride, padding, dilation, groups } = geometry;
  checkRank(op, 'x', x, 'N, C, H, W');
  checkRank(op, 'weight', weight, 'O, C / groups, kh, kw');
  const [n, channels, height, width] = x as [number, number, number, number];
  const [outputs, perGroup, kh, kw] = weight as [number, number, number, number];
  if (kh < 1 || kw < 1) throw new ShapeError(`${op}: kernels have at least 1 x 1 elements, got ${formatShape(weight)}`);
  if (perGroup * groups !== channels)
    throw new ShapeError(
      `${op}: weight ${formatShape(weight)} with groups ${groups} takes ${perGroup * groups} channels, got ${channels}`,
    );
  // Padded copies are made of one image at a time.
  if (channels * (height + 2 * padding[0]) * (width + 2 * padding[1]) > MAX_ELEMENTS)
    throw new ShapeError(
      `${op}: an image of ${formatShape(x)} with padding [${padding.join(', ')}] has more than ${MAX_ELEMENTS} elements`,
    );
  if (outputs % groups !== 0)
    throw new ShapeError(`${op}: groups ${groups} does not divide the ${outputs} output channels`);
  return [
    n,
    outputs,
    windowCount(op, height, kh, stride[0], padding[0], dilation[0]),
    windowCount(op, width, kw, stride[1], padding[1], dilation[1]),
  ];
}

/** Throws unless g is a cotangent of a convolution of x by weight. */
function checkCotangent(op: string, g: Shape, x: Shape, weight: Shape, geometry: Geometry): void {
  const expected = outputShape(op, x, weight, geometry);
  if (!shapesEqual(g, expected))
    throw new ShapeError(
      `${op}: for x ${formatShape(x)} and weight ${formatShape(weight)} g is ${formatShape(expected)}, got ${formatShape(g)}`,
    );
}

type Tangents = readonly (Tensor | null)[];

/** The jvp of a bilinear operation. */
function bilinear<A>(apply: (a: Tensor, b: Tensor, attrs: A) => Tensor) {
  return ([da, db]: Tangents, [a, b]: readonly Tensor[], _output: Tensor, attrs: A): Tangents => [
    da ? apply(da, b!, attrs) : null,
    db ? apply(a!, db, attrs) : null,
  ];
}

const convolve = (x: Tensor, weight: Tensor, attrs: Geometry): Tensor => conv2dOp([x, weight], attrs);
const inputGrad = (g: Tensor, weight: Tensor, attrs: SizedGeometry): Tensor => conv2dInputGradOp([g, weight], attrs);
const weightGrad = (g: Tensor, x: Tensor, attrs: SizedGeometry): Tensor => conv2dWeightGradOp([g, x], attrs);

const sized = (attrs: Geometry, like: Tensor): SizedGeometry => ({
  ...attrs,
  size: like.shape.slice(2) as unknown as Pair,
});

const conv2dOp = defineOp<Geometry>('conv2d', {
  shape: ([x, weight], attrs) => outputShape('conv2d', x!.shape, weight!.shape, attrs),
  attributes: attributesOf,
  lower: { kernel: 'conv2d' },
  vjp: (g, [x, weight], _output, attrs) => [
    inputGrad(g, weight!, sized(attrs, x!)),
    weightGrad(g, x!, sized(attrs, weight!)),
  ],
  jvp: bilinear(convolve),
});

const conv2dInputGradOp = defineOp<SizedGeometry>('conv2dInputGrad', {
  shape: ([g, weight], attrs) => {
    checkRank('conv2dInputGrad', 'g', g!.shape, 'N, O, OH, OW');
    const x = [g!.shape[0]!, (weight!.shape[1] ?? 0) * attrs.groups, ...attrs.size];
    checkCotangent('conv2dInputGrad', g!.shape, x, weight!.shape, attrs);
    return x;
  },
  attributes: attributesOf,
  lower: { kernel: 'conv2dInputGrad' },
  vjp: (u, [g, weight], _output, attrs) => [convolve(u, weight!, attrs), weightGrad(g!, u, sized(attrs, weight!))],
  jvp: bilinear(inputGrad),
});

const conv2dWeightGradOp = defineOp<SizedGeometry>('conv2dWeightGrad', {
  shape: ([g, x], attrs) => {
    checkRank('conv2dWeightGrad', 'g', g!.shape, 'N, O, OH, OW');
    checkRank('conv2dWeightGrad', 'x', x!.shape, 'N, C, H, W');
    if (x!.shape[1]! % attrs.groups !== 0)
      throw new ShapeError(`conv2dWeightGrad: groups ${attrs.groups} does not divide the ${x!.shape[1]} channels of x`);
    const weight = [g!.shape[1]!, x!.shape[1]! / attrs.groups, ...attrs.size];
    checkCotangent('conv2dWeightGrad', g!.shape, x!.shape, weight, attrs);
    return weight;
  },
  attributes: attributesOf,
  lower: { kernel: 'conv2dWeightGrad' },
  vjp: (u, [g, x], _output, attrs) => [convolve(x!, u, attrs), inputGrad(g!, u, sized(attrs, x!))],
  jvp: bilinear(weightGrad),
});

export interface ConvOptions {
  /** 1 where not given. */
  stride?: PairLike;
  /** Zeros on each side: 0 where not given; 'same' keeps H and W (stride 1), 'valid' is 0. */
  padding?: PairLike | 'same' | 'valid';
  /** Distance between the elements of a kernel: 1 where not given. */
  dilation?: PairLike;
  /** Channels fall into so many groups that do not see each other: 1 where not given. */
  groups?: number;
}

/**
 * The cross-correlation of x [N, C, H, W] (or [C, H, W]) with weight [O, C / groups, kh, kw], plus bias [O]:
 * [N, O, OH, OW]. Throws ShapeError for shapes that do not fit, ValueError for a stride or dilation below 1, a padding
 * below 0, groups below 1.
 *
 *     conv2d(zeros([8, 3, 32, 32]), zeros([16, 3, 3, 3]), null, { padding: 1 }).shape; // [8, 16, 32, 32]
 */
export function conv2d(
  x: TensorBase,
  weight: TensorBase,
  bias: TensorBase | null = null,
  options: ConvOptions = {},
): Tensor {
  return labelled('conv2d', () => {
    const stride = pairOf('conv2d', 'stride', options.stride ?? 1, 1);
    const dilation = pairOf('conv2d', 'dilation', options.dilation ?? 1, 1);
    const { groups = 1 } = options;
    checkInteger('conv2d', 'groups', groups, 1);
    const [images, filters] = sameFloats('conv2d', x, weight) as [Tensor, Tensor];
    checkRank('conv2d', 'weight', filters.shape, 'O, C / groups, kh, kw');
    return overImages('conv2d', images, (batch) => {
      const { input, padding } = padded(batch, filters.shape, stride, dilation, options.padding ?? 0);
      const y = convolve(input, filters, { stride, padding, dilation, groups });
      return bias === null ? y : add(y, channelBias(bias, y));
    });
  });
}

function channelBias(bias: TensorBase, y: Tensor): Tensor {
  const channels = y.shape[1]!;
  if (!shapesEqual(bias.shape, [channels]))
    throw new ShapeError(
      `conv2d: bias is [${channels}], one number per output channel, got ${formatShape(bias.shape)}`,
    );
  return reshape(bias, [channels, 1, 1]);
}

/** The padding as numbers; where 'same' needs one more behind than in front, that one is put into the input. */
function padded(
  x: Tensor,
  weight: Shape,
  stride: Pair,
  dilation: Pair,
  padding: PairLike | 'same' | 'valid',
): { input: Tensor; padding: Pair } {
  if (padding === 'valid') return { input: x, padding: [0, 0] };
  if (padding !== 'same') return { input: x, padding: pairOf('conv2d', 'padding', padding, 0) };
  if (stride[0] !== 1 || stride[1] !== 1)
    throw new ValueError(`conv2d: padding 'same' is possible with stride 1, got [${stride.join(', ')}]`);
  const height = dilation[0] * (weight[2]! - 1);
  const width = dilation[1] * (weight[3]! - 1);
  const input = pad(x, [0, width % 2, 0, height % 2]);
  return { input, padding: [Math.floor(height / 2), Math.floor(width / 2)] };
}

const pairsOf = (op: string, options: ConvOptions): Geometry => {
  if (typeof options.padding === 'string')
    throw new ValueError(`${op}: padding is a number or two of them, got '${options.padding}'`);
  const { groups = 1 } = options;
  checkInteger(op, 'groups', groups, 1);
  return {
    stride: pairOf(op, 'stride', options.stride ?? 1, 1),
    padding: pairOf(op, 'padding', options.padding ?? 0, 0),
    dilation: pairOf(op, 'dilation', options.dilation ?? 1, 1),
    groups,
  };
};

/**
 * What a cotangent g [N, O, OH, OW] of conv2d is to its input: [N, C, H, W], with [H, W] = inputSize. Also known as
 * transposed convolution. Throws as conv2d does, and ShapeError if g is not of a convolution of that size.
 */
export function conv2dInputGrad(
  g: TensorBase,
  weight: TensorBase,
  inputSize: PairLike,
  options: ConvOptions = {},
): Tensor {
  const size = pairOf('conv2dInputGrad', 'inputSize', inputSize, 0);
  const [cotangent, filters] = sameFloats('conv2dInputGrad', g, weight) as [Tensor, Tensor];
  return inputGrad(cotangent, filters, { ...pairsOf('conv2dInputGrad', options), size });
}

/** What a cotangent g [N, O, OH, OW] of conv2d is to its weight: [O, C / groups, kh, kw], with [kh, kw] = kernelSize. */
export function conv2dWeightGrad(
  g: TensorBase,
  x: TensorBase,
  kernelSize: PairLike,
  options: ConvOptions = {},
): Tensor {
  const size = pairOf('conv2dWeightGrad', 'kernelSize', kernelSize, 1);
  const [cotangent, images] = sameFloats('conv2dWeightGrad', g, x) as [Tensor, Tensor];
  return weightGrad(cotangent, images, { ...pairsOf('conv2dWeightGrad', options), size });
}
