import { ShapeError, ValueError } from '../errors';
import { labelled } from '../graph/modes';
import { cast } from '../ops/cast';
import { arange, full } from '../ops/create';
import { add, floor, mul, sub } from '../ops/elementwise';
import { gather } from '../ops/indexing';
import { concat } from '../ops/join';
import { asFloat } from '../ops/operands';
import { rand, type GeneratorOptions } from '../ops/random';
import { expand, narrow, reshape, unsqueeze } from '../ops/shape';
import { formatShape, shapesEqual } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { maxPool2d, maxPool2dWithIndices, maxPool3d, maxPool3dWithIndices } from './max-pooling';
import { flatSpace } from './pool-window';
import { checkBatch, overBatch, sizesOf, type SizeLike } from './window';

export interface FractionalMaxPoolOptions extends GeneratorOptions {
  /** Sizes of the output; this or outputRatio is needed. */
  outputSize?: SizeLike;
  /** Sizes of the output as shares of the input's, each between 0 and 1. */
  outputRatio?: number | readonly number[];
  /** [N, C, 2] for images (width first, as PyTorch has it), [N, C, 3] for volumes (depth first): in [0, 1), drawn where not given. */
  randomSamples?: TensorBase;
}

function outputSizes(
  op: string,
  dims: number,
  sizes: readonly number[],
  { outputSize, outputRatio }: FractionalMaxPoolOptions,
): number[] {
  if ((outputSize === undefined) === (outputRatio === undefined))
    throw new ValueError(`${op}: takes either outputSize or outputRatio`);
  if (outputSize !== undefined) return sizesOf(op, 'outputSize', outputSize, dims, 1);
  const ratios: unknown = typeof outputRatio === 'number' ? sizes.map(() => outputRatio) : outputRatio;
  const isRatio = (ratio: unknown): boolean => typeof ratio === 'number' && ratio > 0 && ratio < 1;
  if (!Array.isArray(ratios) || ratios.length !== dims || !ratios.every(isRatio))
    throw new ValueError(
      `${op}: outputRatio is between 0 and 1, or ${dims} of them, got ${JSON.stringify(outputRatio)}`,
    );
  return sizesOf(
    op,
    'outputSize',
    sizes.map((size, i) => Math.floor(size * (ratios[i] as number))),
    dims,
    1,
  );
}

/**
 * The indices [N, C, outputs · kernel] of one dim, window after window: window i starts at ⌊(i + u) a⌋ - ⌊u a⌋ with
 * a = (size - kernel) / (outputs - 1), the last one at size - kernel (Graham 2014). u is [N, C, 1].
 */
function windowIndices(u: Tensor, size: number, kernel: number, outputs: number): Tensor {
  const last = full([u.shape[0]!, u.shape[1]!, 1], size - kernel, { dtype: u.dtype });
  const pace = (size - kernel) / (outputs - 1);
  const position = arange(outputs - 1 || 0, { dtype: u.dtype });
  const starts =
    outputs === 1 ? last : concat([sub(floor(mul(add(u, position), pace)), floor(mul(u, pace))), last], { dim: 2 });
  const all = add(unsqueeze(cast(starts, 'int32'), 3), arange(kernel));
  return reshape(all, [u.shape[0]!, u.shape[1]!, outputs * kernel]);
}

interface Parts {
  /** x with its windows side by side. */
  readonly laid: Tensor;
  /** For each dim the index [N, C, ...] that each of its elements had, broadcast against `laid`. */
  readonly indices: readonly Tensor[];
}

function sideBySide(x: Tensor, samples: Tensor, kernel: readonly number[], outputs: readonly number[]): Parts {
  const dims = kernel.length;
  let laid = x;
  const indices = kernel.map((size, i) => {
    // PyTorch draws for images the width first.
    const u = narrow(samples, 2, dims === 2 ? 1 - i : i, 1);
    const index = windowIndices(u, x.shape[2 + i]!, size, outputs[i]!);
    const along = reshape(index, [x.shape[0]!, x.shape[1]!, ...kernel.map((_, d) => (d === i ? index.shape[2]! : 1))]);
    laid = gather(laid, 2 + i, expand(along, laid.shape.with(2 + i, index.shape[2]!)));
    return along;
  });
  return { laid, indices };
}

function pooled(
  op: string,
  dims: 2 | 3,
  x: TensorBase,
  kernelSize: SizeLike,
  options: FractionalMaxPoolOptions,
  pick: (parts: Parts, kernel: readonly number[], sizes: readonly number[]) => Tensor,
  randomSamples?: Tensor,
): Tensor {
  checkBatch(op, x, dims);
  const kernel = sizesOf(op, 'kernelSize', kernelSize, dims, 1);
  const sizes = x.shape.slice(-dims);
  const outputs = outputSizes(op, dims, sizes, options);
  if (sizes.some((size, i) => outputs[i]! + kernel[i]! - 1 > size))
    throw new ShapeError(
      `${op}: outputSize [${outputs.join(', ')}] and kernelSize [${kernel.join(', ')}] need more than ${formatShape(x.shape)}`,
    );
  const drawn = samplesFor(op, dims, x, options, randomSamples);
  return labelled(op, () =>
    overBatch(op, asFloat(op, x), dims, (batch) =>
      pick(sideBySide(batch, drawn, kernel, outputs), kernel, batch.shape.slice(2)),
    ),
  );
}

/** [N, C, dims]. */
function samplesFor(
  op: string,
  dims: number,
  x: TensorBase,
  options: FractionalMaxPoolOptions,
  drawn?: Tensor,
): Tensor {
  if (drawn !== undefined) return drawn;
  const shape = [x.rank === dims + 2 ? x.shape[0]! : 1, x.shape[x.rank - dims - 1]!, dims];
  const given = options.randomSamples;
  if (given === undefined)
    return rand(shape, { dtype: x.dtype === 'float64' ? 'float64' : 'float32', generator: options.generator });
  if (!shapesEqual(given.shape, shape))
    throw new ShapeError(`${op}: randomSamples is ${formatShape(shape)}, got ${formatShape(given.shape)}`);
  return asFloat(op, given);
}

/** The flat index in the input for each element that is laid side by side. */
function flatIndex({ laid, indices }: Parts, sizes: readonly number[]): Tensor {
  const flat = indices.reduce((above, index, i) => add(mul(above, sizes[i]!), index));
  return flatSpace(expand(flat, laid.shape));
}

function withIndices(
  dims: 2 | 3,
  x: TensorBase,
  kernelSize: SizeLike,
  options: FractionalMaxPoolOptions,
): [Tensor, Tensor] {
  const op = `fractionalMaxPool${dims}dWithIndices`;
  const largest = dims === 2 ? maxPool2d : maxPool3d;
  const places = dims === 2 ? maxPool2dWithIndices : maxPool3dWithIndices;
  checkBatch(op, x, dims);
  // The same windows for both.
  const samples = samplesFor(op, dims, x, options);
  const values = pooled(op, dims, x, kernelSize, options, ({ laid }, kernel) => largest(laid, kernel), samples);
  const pick = (parts: Parts, kernel: readonly number[], sizes: readonly number[]): Tensor => {
    const [, found] = places(parts.laid, kernel);
    return reshape(gather(flatIndex(parts, sizes), 2, flatSpace(found)), found.shape);
  };
  return [values, pooled(op, dims, x, kernelSize, options, pick, samples)];
}

/**
 * The largest element of windows of images [N, C, H, W] or [C, H, W] whose distances vary at random, so that the output has
 * any wanted size (Graham 2014). Throws ShapeError for an output that the input is too small for, ValueError unless one of
 * outputSize and outputRatio is given.
 *
 *     fractionalMaxPool2d(images, 2, { outputRatio: 0.7 });
 */
export const fractionalMaxPool2d = (x: TensorBase, kernelSize: SizeLike, options: FractionalMaxPoolOptions): Tensor =>
  pooled('fractionalMaxPool2d', 2, x, kernelSize, options, ({ laid }, kernel) => maxPool2d(laid, kernel));

/**
 * `fractionalMaxPool2d` for volumes [N, C, D, H, W] or [C, D, H, W].
 *
 *     fractionalMaxPool3d(volumes, 2, { outputSize: 5 });
 */
export const fractionalMaxPool3d = (x: TensorBase, kernelSize: SizeLike, options: FractionalMaxPoolOptions): Tensor =>
  pooled('fractionalMaxPool3d', 3, x, kernelSize, options, ({ laid }, kernel) => maxPool3d(laid, kernel));

/**
 * `fractionalMaxPool2d` and where each of its elements comes from, h · W + w as int32.
 *
 *     const [values, indices] = fractionalMaxPool2dWithIndices(images, 2, { outputSize: 5 });
 */
export const fractionalMaxPool2dWithIndices = (
  x: TensorBase,
  kernelSize: SizeLike,
  options: FractionalMaxPoolOptions,
): [Tensor, Tensor] => withIndices(2, x, kernelSize, options);

/**
 * `fractionalMaxPool3d` and where each of its elements comes from, (d · H + h) · W + w as int32.
 *
 *     const [values, indices] = fractionalMaxPool3dWithIndices(volumes, 2, { outputSize: 5 });
 */
export const fractionalMaxPool3dWithIndices = (
  x: TensorBase,
  kernelSize: SizeLike,
  options: FractionalMaxPoolOptions,
): [Tensor, Tensor] => withIndices(3, x, kernelSize, options);
