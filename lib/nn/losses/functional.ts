import { DTypeError, ShapeError, ValueError } from '../../errors';
import { labelled } from '../../graph/modes';
import { cast } from '../../ops/cast';
import { add, div, eq, mul, neg, softplus, square, sub, where } from '../../ops/elementwise';
import { gather } from '../../ops/indexing';
import { mean, sum } from '../../ops/reduce';
import { reshape } from '../../ops/shape';
import { logSoftmax } from '../../ops/softmax';
import { isFloat } from '../../tensor/dtype';
import { formatShape, shapesEqual } from '../../tensor/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { checkNumber } from '../check';

/** What becomes of one loss per sample: their mean, their sum, or all of them. */
export type Reduction = 'mean' | 'sum' | 'none';

export interface LossOptions {
  reduction?: Reduction;
}

export interface NLLLossOptions extends LossOptions {
  /** [classes]: how much each class counts. */
  weight?: TensorBase | null;
  /** Samples with this label do not count. */
  ignoreIndex?: number;
}

export interface CrossEntropyOptions extends NLLLossOptions {
  /** This share of the target is spread evenly over all classes (Szegedy et al. 2016). */
  labelSmoothing?: number;
}

export interface BCEWithLogitsOptions extends LossOptions {
  /** How much each element counts; broadcasts to the input. */
  weight?: TensorBase | null;
  /** How much positive targets count; broadcasts to the input. */
  posWeight?: TensorBase | null;
}

/**
 * The cross-entropy of softmax(input) with the target, for one class out of several. `input` holds logits, [N, C] or
 * [N, C, d1, ...] or [C]; `target` class indices of the same shape without C, or probabilities of input's shape.
 * The mean is weighted, and over the samples that count.
 *
 * Throws ShapeError, DTypeError for a target that does not fit, ValueError for an empty batch under 'mean' and for options
 * outside what is possible; a label that is no class is a ValueError when the loss is computed.
 *
 *     const loss = crossEntropy(model.forward(images), labels);
 *     const smooth = crossEntropy(logits, labels, { labelSmoothing: 0.1 });
 */
export function crossEntropy(input: TensorBase, target: TensorBase, options: CrossEntropyOptions = {}): Tensor {
  const name = 'crossEntropy';
  const { labelSmoothing = 0, reduction = 'mean', weight } = options;
  checkNumber(name, 'labelSmoothing', labelSmoothing, { least: 0, most: 1 });
  return labelled(name, () => {
    const { dim, classes } = classDim(name, input);
    if (isFloat(target.dtype)) {
      if (options.ignoreIndex !== undefined)
        throw new ValueError(`${name}: ignoreIndex is for class indices, the target holds probabilities`);
      checkSameShape(name, input, target);
      checkWeight(name, weight, classes);
      const smoothed = labelSmoothing === 0 ? target : add(mul(target, 1 - labelSmoothing), labelSmoothing / classes);
      const weights = weight ? mul(smoothed, alongClasses(weight, input, dim)) : smoothed;
      const losses = neg(sum(mul(logSoftmax(input, dim), weights), { dim }));
      return reduce(name, losses, reduction);
    }
    const labels = checkLabels(name, input, target, weight, options.ignoreIndex);
    const logProbabilities = logSoftmax(input, dim);
    const exact = weighted(name, negativeLogLikelihood(logProbabilities, labels), labels, reduction);
    if (labelSmoothing === 0) return exact;
    const all = weight ? mul(logProbabilities, alongClasses(weight, input, dim)) : logProbabilities;
    const even = weighted(name, where(labels.ignored, 0, neg(sum(all, { dim }))), labels, reduction);
    return add(mul(exact, 1 - labelSmoothing), mul(even, labelSmoothing / classes));
  });
}

/**
 * The negative log-likelihood of class indices, from log-probabilities: crossEntropy without its softmax.
 * Shapes and errors as there.
 *
 *     nllLoss(logSoftmax(logits, 1), labels);
 */
export function nllLoss(input: TensorBase, target: TensorBase, options: NLLLossOptions = {}): Tensor {
  const name = 'nllLoss';
  return labelled(name, () => {
    const labels = checkLabels(name, input, target, options.weight, options.ignoreIndex);
    return weighted(name, negativeLogLikelihood(input, labels), labels, options.reduction ?? 'mean');
  });
}

/**
 * The mean square error. Throws ShapeError unless both shapes are equal: broadcasting here is nearly always a mistake.
 *
 *     const loss = mseLoss(model.forward(x), y);
 */
export function mseLoss(input: TensorBase, target: TensorBase, options: LossOptions = {}): Tensor {
  const name = 'mseLoss';
  checkSameShape(name, input, target);
  return labelled(name, () => reduce(name, square(sub(input, target)), options.reduction ?? 'mean'));
}

/**
 * The binary cross-entropy of sigmoid(input) with targets in [0, 1], for labels that do not exclude each other; stable for
 * any logit. Throws ShapeError unless input and target have one shape.
 *
 *     const loss = binaryCrossEntropyWithLogits(model.forward(x), cast(labels, 'float32'));
 */
export function binaryCrossEntropyWithLogits(
  input: TensorBase,
  target: TensorBase,
  options: BCEWithLogitsOptions = {},
): Tensor {
  const name = 'binaryCrossEntropyWithLogits';
  const { weight, posWeight, reduction = 'mean' } = options;
  checkSameShape(name, input, target);
  return labelled(name, () => {
    // -y log σ(x) - (1 - y) log(1 - σ(x)) = (1 - y) x + log(1 + e^-x)
    const positive = posWeight
      ? mul(softplus(neg(input)), add(mul(sub(posWeight, 1), target), 1))
      : softplus(neg(input));
    const losses = add(mul(sub(1, target), input), positive);
    if (!shapesEqual(losses.shape, input.shape))
      throw new ShapeError(
        `${name}: posWeight ${formatShape(posWeight!.shape)} does not broadcast to ${formatShape(input.shape)}`,
      );
    const counted = weight ? mul(losses, weight) : losses;
    if (!shapesEqual(counted.shape, input.shape))
      throw new ShapeError(
        `${name}: weight ${formatShape(weight!.shape)} does not broadcast to ${formatShape(input.shape)}`,
      );
    return reduce(name, counted, reduction);
  });
}

function reduce(name: string, losses: Tensor, reduction: Reduction): Tensor {
  checkReduction(name, reduction, losses.size);
  return reduction === 'mean' ? mean(losses) : reduction === 'sum' ? sum(losses) : losses;
}

function checkReduction(name: string, reduction: Reduction, size: number): void {
  if (!['mean', 'sum', 'none'].includes(reduction))
    throw new ValueError(`${name}: reduction is mean, sum or none, got ${String(reduction)}`);
  if (reduction === 'mean' && size === 0) throw new ValueError(`${name}: the mean of no elements; the batch is empty`);
}

function checkSameShape(name: string, input: TensorBase, target: TensorBase): void {
  if (!shapesEqual(input.shape, target.shape))
    throw new ShapeError(
      `${name}: input and target have one shape, got ${formatShape(input.shape)} and ${formatShape(target.shape)}`,
    );
}

// ---- class indices

interface Labels {
  /** Index for each sample, of the target's shape; 0 where ignored. */
  readonly index: Tensor;
  readonly ignored: Tensor;
  /** What each sample counts: 0 where ignored. */
  readonly weights: Tensor;
  readonly dim: number;
}

/** Where the classes are: [C], or [N, C, ...]. */
function classDim(name: string, input: TensorBase): { dim: number; classes: number } {
  const dim = input.rank === 1 ? 0 : 1;
  const classes = input.shape[dim];
  if (classes === undefined || classes === 0)
    throw new ShapeError(`${name}: the input is [N, classes, ...] or [classes], got ${formatShape(input.shape)}`);
  return { dim, classes };
}

function checkWeight(name: string, weight: TensorBase | null | undefined, classes: number): void {
  if (weight && !shapesEqual(weight.shape, [classes]))
    throw new ShapeError(`${name}: weight is [${classes}], one for each class, got ${formatShape(weight.shape)}`);
}

function checkLabels(
  name: string,
  input: TensorBase,
  target: TensorBase,
  weight: TensorBase | null | undefined,
  ignoreIndex = -100,
): Labels {
  const { dim, classes } = classDim(name, input);
  if (!isFloat(input.dtype)) throw new DTypeError(`${name}: the input is float32 or float64, got ${input.dtype}`);
  if (target.dtype !== 'int32' && target.dtype !== 'int64')
    throw new DTypeError(`${name}: class indices are int32, got ${target.dtype}`);
  if (!Number.isInteger(ignoreIndex))
    throw new ValueError(`${name}: ignoreIndex is an integer, got ${String(ignoreIndex)}`);
  const expected = input.shape.filter((_, d) => d !== dim);
  if (!shapesEqual(target.shape, expected))
    throw new ShapeError(
      `${name}: class indices for an input ${formatShape(input.shape)} are ${formatShape(expected)}, got ${formatShape(target.shape)}`,
    );
  checkWeight(name, weight, classes);
  const given = cast(target, 'int32');
  const ignored = eq(given, ignoreIndex);
  const index = where(ignored, 0, given);
  const count = weight ? reshape(gather(weight, 0, reshape(index, [-1])), expected) : 1;
  return { index, ignored, weights: cast(where(ignored, 0, count), input.dtype), dim };
}

/** For each sample -log p of its class, times the weight of that. */
function negativeLogLikelihood(logProbabilities: TensorBase, { index, dim, ignored, weights }: Labels): Tensor {
  const column = [...index.shape.slice(0, dim), 1, ...index.shape.slice(dim)];
  const chosen = reshape(gather(logProbabilities, dim, reshape(index, column)), index.shape);
  // A choice, not a product alone: 0 times an infinite loss would be NaN.
  return where(ignored, 0, neg(mul(chosen, weights)));
}

/** The mean counts as many samples as their weights say. */
function weighted(name: string, losses: Tensor, { weights }: Labels, reduction: Reduction): Tensor {
  if (reduction !== 'mean') return reduce(name, losses, reduction);
  checkReduction(name, reduction, losses.size);
  return div(sum(losses), sum(weights));
}

/** A number for each class, as it broadcasts to the input. */
function alongClasses(weight: TensorBase, input: TensorBase, dim: number): Tensor {
  return reshape(weight, [weight.size, ...new Array<number>(input.rank - 1 - dim).fill(1)]);
}
