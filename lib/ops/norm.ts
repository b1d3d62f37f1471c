import { ShapeError, ValueError } from '../errors';
import { defineOp, type Apply, type Layout } from '../graph/op';
import { contiguousStrides, formatShape, shapesEqual, sizeOf, type Shape } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { zerosLike } from './create';
import { add, div, mul, neg, rsqrt, square, sub } from './elementwise';
import { stack } from './join';
import { asFloat, sameFloats } from './operands';
import { mean, sum } from './reduce';
import { reshape, select } from './shape';

/*
 * Batch normalisation (Ioffe and Szegedy 2015) as three operations, closed under each other's gradients. x and g are
 * [N, C, ...]; statistics are [2, C]: the mean and the biased variance of each channel.
 */

/** Kernels see [N, C, S]. */
function flatSpace({ offset, shape }: Layout): Layout {
  const flat = [shape[0]!, shape[1]!, sizeOf(shape.slice(2))];
  return { offset, shape: flat, strides: contiguousStrides(flat) };
}

const meanOf = (statistics: Tensor): Tensor => select(statistics, 0, 0);
const varianceOf = (statistics: Tensor): Tensor => select(statistics, 0, 1);

/** One number per channel, broadcast against x [N, C, ...]. */
const perChannel = (values: Tensor, x: Tensor): Tensor =>
  reshape(values, [values.size, ...new Array<number>(x.rank - 2).fill(1)]);

const otherDims = (x: Tensor): number[] => x.shape.map((_, dim) => dim).filter((dim) => dim !== 1);
const sumPerChannel = (x: Tensor): Tensor => sum(x, { dim: otherDims(x) });
const centered = (x: Tensor, statistics: Tensor): Tensor => sub(x, perChannel(meanOf(statistics), x));

/** The sum of the terms that there are; zeros like another tensor without any. */
const total = (terms: readonly (Tensor | null | undefined)[], like: Tensor): Tensor =>
  terms.filter((term) => !!term).reduce<Tensor | null>((a, b) => (a === null ? b : add(a, b)), null) ?? zerosLike(like);

function checkChannels(op: string, x: Shape): void {
  if (x.length < 2) throw new ShapeError(`${op}: takes [N, C, ...], got ${formatShape(x)}`);
}

function checkPerChannel(op: string, name: string, tensor: Tensor, x: Tensor, shape: Shape): void {
  if (!shapesEqual(tensor.shape, shape))
    throw new ShapeError(
      `${op}: for x ${formatShape(x.shape)} ${name} is ${formatShape(shape)}, got ${formatShape(tensor.shape)}`,
    );
}

const statisticsOp = defineOp('batchNormStatistics', {
  shape: ([x]) => {
    checkChannels('batchNormStatistics', x!.shape);
    if (x!.shape[1]! > 0 && x!.size === 0)
      throw new ShapeError(`batchNormStatistics: an empty batch has no statistics, got ${formatShape(x!.shape)}`);
    return [2, x!.shape[1]!];
  },
  lower: { kernel: 'batchNormStatistics', arrange: ([x]) => [flatSpace(x!)] },
  vjp: (g, [x], statistics) => {
    const count = x!.size / x!.shape[1]!;
    const ofMean = perChannel(div(meanOf(g), count), x!);
    const ofVariance = perChannel(mul(varianceOf(g), 2 / count), x!);
    return [add(ofMean, mul(ofVariance, centered(x!, statistics)))];
  },
  jvp: ([dx], [x], statistics) => {
    const count = x!.size / x!.shape[1]!;
    const sums = gradSumsOp([dx!, x!, statistics], undefined);
    return stack([div(meanOf(sums), count), mul(varianceOf(sums), 2 / count)]);
  },
  decompose: ([x]) => {
    const average = mean(x!, { dim: otherDims(x!) });
    return stack([average, mean(square(sub(x!, perChannel(average, x!))), { dim: otherDims(x!) })]);
  },
});

interface BatchNormAttrs {
  readonly eps: number;
}

const batchNormOp: Apply<BatchNormAttrs> = defineOp<BatchNormAttrs>('batchNorm', {
  shape: ([x, statistics, weight, bias]) => {
    checkChannels('batchNorm', x!.shape);
    const channels = x!.shape[1]!;
    checkPerChannel('batchNorm', 'statistics', statistics!, x!, [2, channels]);
    checkPerChannel('batchNorm', 'weight', weight!, x!, [channels]);
    checkPerChannel('batchNorm', 'bias', bias!, x!, [channels]);
    return x!.shape;
  },
  attributes: ({ eps }) => [eps],
  lower: {
    kernel: 'batchNorm',
    arrange: ([x, ...others]) => [flatSpace(x!), ...others],
    output: (_shape, [x]) => flatSpace(x!).shape,
  },
  vjp: (g, [x, statistics, weight], _output, { eps }) => {
    const sums = gradSumsOp([g, x!, statistics!], undefined);
    const ofBias = meanOf(sums);
    const products = varianceOf(sums);
    const inverse = rsqrt(add(varianceOf(statistics!), eps));
    const scale = mul(weight!, inverse);
    const ofMean = neg(mul(scale, ofBias));
    const ofVariance = mul(mul(scale, square(inverse)), mul(products, -0.5));
    return [mul(g, perChannel(scale, x!)), stack([ofMean, ofVariance]), mul(products, inverse), ofBias];
  },
  jvp: ([dx, dstatistics, dweight, dbias], [x, statistics, weight], _output, { eps }) => {
    const inverse = rsqrt(add(varianceOf(statistics!), eps));
    const scale = mul(weight!, inverse);
    const ofInput = dx && mul(dx, perChannel(scale, x!));
    if (!dstatistics && !dweight && !dbias) return [ofInput];
    // Changes of the statistics are changes of weight and bias, and those make another batchNorm of x.
    const ofVariance = dstatistics && mul(mul(weight!, square(inverse)), mul(varianceOf(dstatistics), -0.5));
    const ofMean = dstatistics && neg(mul(scale, meanOf(dstatistics)));
    const changes = [total([dweight, ofVariance], weight!), total([dbias, ofMean], weight!)];
    return [ofInput, batchNormOp([x!, statistics!, ...changes], { eps })];
  },
  decompose: ([x, statistics, weight, bias], { eps }) => {
    const scale = mul(weight!, rsqrt(add(varianceOf(statistics!), eps)));
    return add(mul(centered(x!, statistics!), perChannel(scale, x!)), perChannel(bias!, x!));
  },
});

const gradSumsOp: Apply = defineOp('batchNormGradSums', {
  shape: ([g, x, statistics]) => {
    checkChannels('batchNormGradSums', x!.shape);
    checkPerChannel('batchNormGradSums', 'g', g!, x!, x!.shape);
    checkPerChannel('batchNormGradSums', 'statistics', statistics!, x!, [2, x!.shape[1]!]);
    return [2, x!.shape[1]!];
  },
  lower: {
    kernel: 'batchNormGradSums',
    arrange: ([g, x, statistics]) => [flatSpace(g!), flatSpace(x!), statistics!],
  },
  vjp: (u, [g, x, statistics], sums) => {
    const ofSum = perChannel(meanOf(u), x!);
    const ofProducts = perChannel(varianceOf(u), x!);
    const ofMean = neg(mul(varianceOf(u), meanOf(sums)));
    const ofStatistics = stack([ofMean, zerosLike(ofMean)]);
    return [add(ofSum, mul(ofProducts, centered(x!, statistics!))), mul(ofProducts, g!), ofStatistics];
  },
  jvp: ([dg, dx, dstatistics], [g, x, statistics], sums) => {
    const ofCotangent = dg && gradSumsOp([dg, x!, statistics!], undefined);
    if (!dx && !dstatistics) return [ofCotangent];
    const ofInput = dx && sumPerChannel(mul(g!, dx));
    const ofMean = dstatistics && neg(mul(meanOf(dstatistics), meanOf(sums)));
    const ofProducts = total([ofInput, ofMean], meanOf(sums));
    return [ofCotangent, stack([zerosLike(ofProducts), ofProducts])];
  },
  decompose: ([g, x, statistics]) => stack([sumPerChannel(g!), sumPerChannel(mul(g!, centered(x!, statistics!)))]),
});

/**
 * Mean and biased variance of each channel of x [N, C, ...], as [2, C]. Throws ShapeError for fewer than two dims and
 * for an empty batch.
 *
 *     batchNormStatistics(tensor([[1, 0], [3, 0]])); // [[2, 0], [1, 0]]
 */
export function batchNormStatistics(x: TensorBase): Tensor {
  return statisticsOp([asFloat('batchNormStatistics', x)], undefined);
}

export interface BatchNormOptions {
  /** Added to the variance: 1e-5 where not given. */
  eps?: number;
}

/**
 * (x - mean) / √(variance + eps) · weight + bias for each channel of x [N, C, ...], with statistics [2, C] = mean and
 * variance. Throws ShapeError for shapes that do not fit, ValueError for an eps below 0.
 */
export function batchNorm(
  x: TensorBase,
  statistics: TensorBase,
  weight: TensorBase,
  bias: TensorBase,
  options: BatchNormOptions = {},
): Tensor {
  const { eps = 1e-5 } = options;
  if (!(Number.isFinite(eps) && eps >= 0)) throw new ValueError(`batchNorm: eps is a number of at least 0, got ${eps}`);
  return batchNormOp(sameFloats('batchNorm', x, statistics, weight, bias), { eps });
}

/** Σ g and Σ g (x - mean) of each channel, as [2, C]: what the gradient of `batchNorm` needs, in one pass. */
export function batchNormGradSums(g: TensorBase, x: TensorBase, statistics: TensorBase): Tensor {
  return gradSumsOp(sameFloats('batchNormGradSums', g, x, statistics), undefined);
}
