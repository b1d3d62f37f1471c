import { ShapeError, ValueError } from '../errors';
import { labelled } from '../graph/modes';
import { defineOp, type Apply } from '../graph/op';
import { formatShape, shapesEqual, type Shape } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { full, tensor } from './create';
import { gather, scatterAdd } from './indexing';
import { matmul } from './matmul';
import { asFloat } from './operands';
import { mean } from './reduce';
import { reshape, transpose } from './shape';
import { checkRank, overImages, pairOf, windowCount, type Pair, type PairLike } from './window';

// ---- the largest of each window

interface MaxPoolAttrs {
  readonly kernelSize: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
}

function maxPoolShape(op: string, x: Shape, { kernelSize, stride, padding, dilation }: MaxPoolAttrs): number[] {
  checkRank(op, 'x', x, 'N, C, H, W');
  const count = (i: 0 | 1): number => windowCount(op, x[2 + i]!, kernelSize[i], stride[i], padding[i], dilation[i]);
  return [x[0]!, x[1]!, count(0), count(1)];
}

const maxPoolAttributes = ({ kernelSize, stride, padding, dilation }: MaxPoolAttrs): number[] => [
  ...kernelSize,
  ...stride,
  ...padding,
  ...dilation,
];

/** [N, C, H, W] as [N, C, H * W]. */
const pixels = (x: Tensor): Tensor => reshape(x, [x.shape[0]!, x.shape[1]!, x.shape[2]! * x.shape[3]!]);

const indicesOp = defineOp<MaxPoolAttrs>('maxPool2dIndices', {
  shape: ([x], attrs) => maxPoolShape('maxPool2dIndices', x!.shape, attrs),
  dtype: () => 'int32',
  attributes: maxPoolAttributes,
  lower: { kernel: 'maxPool2dIndices' },
  vjp: 'none',
});

const maxPoolOp = defineOp<MaxPoolAttrs>('maxPool2d', {
  shape: ([x], attrs) => maxPoolShape('maxPool2d', x!.shape, attrs),
  attributes: maxPoolAttributes,
  lower: { kernel: 'maxPool2d' },
  vjp: (g, [x], _output, attrs) => {
    const indices = pixels(indicesOp([x!], attrs));
    const zeros = full(pixels(x!).shape, 0, { dtype: g.dtype });
    return [reshape(scatterAdd(zeros, 2, indices, pixels(g)), x!.shape)];
  },
  jvp: ([dx], [x], y, attrs) => reshape(gather(pixels(dx!), 2, pixels(indicesOp([x!], attrs))), y.shape),
});

export interface MaxPoolOptions {
  /** kernelSize where not given. */
  stride?: PairLike;
  /** At most half of kernelSize; counts as -Infinity. 0 where not given. */
  padding?: PairLike;
  /** 1 where not given. */
  dilation?: PairLike;
}

function maxPoolAttrs(op: string, kernelSize: PairLike, options: MaxPoolOptions): MaxPoolAttrs {
  return { ...windowOf(op, kernelSize, options), dilation: pairOf(op, 'dilation', options.dilation ?? 1, 1) };
}

function windowOf(op: string, kernelSize: PairLike, options: { stride?: PairLike; padding?: PairLike }) {
  const kernel = pairOf(op, 'kernelSize', kernelSize, 1);
  const padding = pairOf(op, 'padding', options.padding ?? 0, 0);
  if (2 * padding[0] > kernel[0] || 2 * padding[1] > kernel[1])
    throw new ValueError(
      `${op}: padding is at most half of kernelSize [${kernel.join(', ')}], got [${padding.join(', ')}]`,
    );
  return { kernelSize: kernel, stride: pairOf(op, 'stride', options.stride ?? kernel, 1), padding };
}

/**
 * The largest element of each window of x [N, C, H, W] or [C, H, W]; NaN wins. Throws ShapeError if no window fits,
 * ValueError for a stride or dilation below 1 or too much padding.
 *
 *     maxPool2d(zeros([8, 16, 32, 32]), 2).shape; // [8, 16, 16, 16]
 */
export function maxPool2d(x: TensorBase, kernelSize: PairLike, options: MaxPoolOptions = {}): Tensor {
  const attrs = maxPoolAttrs('maxPool2d', kernelSize, options);
  return labelled('maxPool2d', () =>
    overImages('maxPool2d', asFloat('maxPool2d', x), (images) => maxPoolOp([images], attrs)),
  );
}

/** Where `maxPool2d` found each maximum: h * W + w as int32, the first of ties. */
export function maxPool2dIndices(x: TensorBase, kernelSize: PairLike, options: MaxPoolOptions = {}): Tensor {
  const attrs = maxPoolAttrs('maxPool2dIndices', kernelSize, options);
  return labelled('maxPool2dIndices', () =>
    overImages('maxPool2dIndices', asFloat('maxPool2dIndices', x), (images) => indicesOp([images], attrs)),
  );
}

// ---- the mean of each window

interface AvgPoolAttrs {
  readonly kernelSize: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  readonly countIncludePad: boolean;
}

const avgPoolAttributes = ({ kernelSize, stride, padding, countIncludePad }: AvgPoolAttrs): number[] => [
  ...kernelSize,
  ...stride,
  ...padding,
  Number(countIncludePad),
];

const avgPoolShape = (op: string, x: Shape, attrs: AvgPoolAttrs): number[] =>
  maxPoolShape(op, x, { ...attrs, dilation: [1, 1] });

const avgPoolOp: Apply<AvgPoolAttrs> = defineOp('avgPool2d', {
  shape: ([x], attrs) => avgPoolShape('avgPool2d', x!.shape, attrs),
  attributes: avgPoolAttributes,
  lower: { kernel: 'avgPool2d' },
  vjp: (g, [x], _output, attrs) => [avgPoolGradOp([g], { ...attrs, size: x!.shape.slice(2) as unknown as Pair })],
  jvp: ([dx], _inputs, _output, attrs) => avgPoolOp([dx!], attrs),
});

interface AvgPoolGradAttrs extends AvgPoolAttrs {
  /** [H, W] of the input. */
  readonly size: Pair;
}

const avgPoolGradOp: Apply<AvgPoolGradAttrs> = defineOp<AvgPoolGradAttrs>('avgPool2dInputGrad', {
  shape: ([g], attrs) => {
    checkRank('avgPool2dInputGrad', 'g', g!.shape, 'N, C, OH, OW');
    const x = [g!.shape[0]!, g!.shape[1]!, ...attrs.size];
    const expected = avgPoolShape('avgPool2dInputGrad', x, attrs);
    if (!shapesEqual(g!.shape, expected))
      throw new ShapeError(`avgPool2dInputGrad: g is ${formatShape(expected)}, got ${formatShape(g!.shape)}`);
    return x;
  },
  attributes: avgPoolAttributes,
  lower: { kernel: 'avgPool2dInputGrad' },
  vjp: (u, _inputs, _output, attrs) => [avgPoolOp([u], attrs)],
  jvp: ([dg], _inputs, _output, attrs) => avgPoolGradOp([dg!], attrs),
});

export interface AvgPoolOptions {
  /** kernelSize where not given. */
  stride?: PairLike;
  /** At most half of kernelSize; 0 where not given. */
  padding?: PairLike;
  /** Whether padded zeros count as elements: true where not given. */
  countIncludePad?: boolean;
}

function avgPoolAttrs(op: string, kernelSize: PairLike, options: AvgPoolOptions): AvgPoolAttrs {
  return { ...windowOf(op, kernelSize, options), countIncludePad: options.countIncludePad ?? true };
}

/** The mean of each window of x [N, C, H, W] or [C, H, W]. Throws as `maxPool2d` does. */
export function avgPool2d(x: TensorBase, kernelSize: PairLike, options: AvgPoolOptions = {}): Tensor {
  const attrs = avgPoolAttrs('avgPool2d', kernelSize, options);
  return labelled('avgPool2d', () =>
    overImages('avgPool2d', asFloat('avgPool2d', x), (images) => {
      // One window that is the image: a reduction, whose gradient is no kernel of its own but fuses with what comes next.
      const isWhole = images.rank === 4 && shapesEqual(images.shape.slice(2), attrs.kernelSize);
      if (isWhole && images.size > 0 && attrs.padding.every((size) => size === 0))
        return mean(images, { dim: [2, 3], keepdim: true });
      return avgPoolOp([images], attrs);
    }),
  );
}

/** What a cotangent g [N, C, OH, OW] of avgPool2d is to its input, [N, C, H, W] with [H, W] = inputSize. */
export function avgPool2dInputGrad(
  g: TensorBase,
  inputSize: PairLike,
  kernelSize: PairLike,
  options: AvgPoolOptions = {},
): Tensor {
  const size = pairOf('avgPool2dInputGrad', 'inputSize', inputSize, 0);
  const attrs = { ...avgPoolAttrs('avgPool2dInputGrad', kernelSize, options), size };
  return avgPoolGradOp([asFloat('avgPool2dInputGrad', g)], attrs);
}

/**
 * Means of windows that are laid out so that the output is [N, C, ...outputSize], as in PyTorch: output i covers the
 * inputs from floor(i H / OH) to ceil((i + 1) H / OH). Throws ValueError for a size below 1.
 *
 *     adaptiveAvgPool2d(zeros([8, 16, 7, 7]), 1).shape; // [8, 16, 1, 1]
 */
export function adaptiveAvgPool2d(x: TensorBase, outputSize: PairLike): Tensor {
  const [oh, ow] = pairOf('adaptiveAvgPool2d', 'outputSize', outputSize, 1);
  return labelled('adaptiveAvgPool2d', () =>
    overImages('adaptiveAvgPool2d', asFloat('adaptiveAvgPool2d', x), (images) => {
      const [height, width] = images.shape.slice(2) as [number, number];
      if (height === 0 || width === 0)
        throw new ShapeError(`adaptiveAvgPool2d: takes images with pixels, got ${formatShape(images.shape)}`);
      if (height % oh === 0 && width % ow === 0) return avgPool2d(images, [height / oh, width / ow]);
      const overWidth = matmul(images, averages(width, ow, images));
      return transpose(matmul(transpose(overWidth, 2, 3), averages(height, oh, images)), 2, 3);
    }),
  );
}

/** The matrix [size, outputs] whose column i averages what output i covers. */
function averages(size: number, outputs: number, like: Tensor): Tensor {
  const values = new Float64Array(size * outputs);
  for (let i = 0; i < outputs; i++) {
    const start = Math.floor((i * size) / outputs);
    const end = Math.ceil(((i + 1) * size) / outputs);
    for (let j = start; j < end; j++) values[j * outputs + i] = 1 / (end - start);
  }
  return tensor(values, { shape: [size, outputs], dtype: like.dtype });
}
