import { ShapeError, ValueError } from '../../errors';
import { labelled } from '../../graph/modes';
import { add, div, mul, neg, where } from '../../ops/elementwise';
import { softmaxCrossEntropy } from '../../ops/cross-entropy';
import { sum } from '../../ops/reduce';
import { movedim, reshape } from '../../ops/shape';
import { logSoftmax } from '../../ops/softmax';
import { isFloat } from '../../tensor/dtype';
import { formatShape, shapesEqual } from '../../tensor/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { checkNumber } from '../check';
import { alongClasses, checkLabels, checkWeight, chosenOf, classDim, labelsOf, recordedWithLabels } from './labels';
import type { Labels } from './labels';
import { checkFloat, checkReduction, checkReductionName, checkTensor, reduce } from './reduction';
import type { LossOptions, Reduction } from './reduction';

export interface NLLLossOptions extends LossOptions {
  /** [classes]: how much each class counts. */
  weight?: TensorBase | null;
  /** Samples with this label do not count; -100 where not given. */
  ignoreIndex?: number;
}

export interface CrossEntropyOptions extends NLLLossOptions {
  /** This share of the target is spread evenly over all classes (Szegedy et al. 2016). */
  labelSmoothing?: number;
}

/**
 * The cross-entropy -Σ_c y_c log softmax(x)_c, for multi-class: every sample is of exactly one class out of several. Where
 * a sample may have any number of labels (multi-label), softmax would make them compete: take
 * `binaryCrossEntropyWithLogits`.
 *
 * Why not the mean square error of probabilities: its gradient carries the factor p (1 - p) of the softmax or sigmoid,
 * which vanishes where the unit is surely wrong, so what most needs to learn does not. Here the logarithm cancels it:
 * the gradient with respect to the logits is p - y, largest where the error is. As the target is a distribution and not
 * a measurement with normal noise, the likelihood that a square error stands for is not that of classes either.
 *
 * `input` holds logits (no softmax before it), [N, C], [N, C, d1, ...] or [C]; `target` class indices (int32, int64) of
 * the same shape without C, in 0 to C - 1 or ignoreIndex, or probabilities (float) of the input's shape. The mean is over
 * the samples that count, weighted by `weight`; of probabilities it is over all samples.
 *
 * Throws ShapeError, DTypeError for a target that does not fit, ValueError for an empty batch under 'mean' and for options
 * outside what is possible; a label that is no class is a ValueError when the loss is computed.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.CrossEntropyLoss.html
 *
 *     const loss = crossEntropy(model.forward(images), labels);
 *     const smooth = crossEntropy(logits, labels, { labelSmoothing: 0.1 });
 */
export function crossEntropy(input: TensorBase, target: TensorBase, options: CrossEntropyOptions = {}): Tensor {
  const name = 'crossEntropy';
  const { labelSmoothing = 0 } = options;
  checkNumber(name, 'labelSmoothing', labelSmoothing, { least: 0, most: 1 });
  checkReductionName(name, options.reduction ?? 'mean');
  checkFloat(name, { input });
  checkTensor(name, 'target', target);
  if (isFloat(target.dtype)) return labelled(name, () => ofProbabilities(name, input, target, options));
  const record = (): Tensor => ofIndices(name, input, target, options);
  return recordedWithLabels(name, input, target, options.ignoreIndex ?? -100, record);
}

function ofProbabilities(name: string, input: TensorBase, target: TensorBase, options: CrossEntropyOptions): Tensor {
  const { labelSmoothing = 0, reduction = 'mean', weight, ignoreIndex = -100 } = options;
  const { dim, classes } = classDim(name, input);
  if (!(ignoreIndex < 0))
    throw new ValueError(
      `${name}: ignoreIndex is for class indices, the target holds probabilities; got ${ignoreIndex}`,
    );
  if (!shapesEqual(input.shape, target.shape))
    throw new ShapeError(
      `${name}: probabilities have the input's shape ${formatShape(input.shape)}, got ${formatShape(target.shape)}`,
    );
  checkWeight(name, weight, classes);
  const smoothed = labelSmoothing === 0 ? target : add(mul(target, 1 - labelSmoothing), labelSmoothing / classes);
  const weights = weight ? mul(smoothed, alongClasses(weight, input, dim)) : smoothed;
  return reduce(name, neg(sum(mul(logSoftmax(input, dim), weights), { dim })), reduction);
}

function ofIndices(name: string, input: TensorBase, target: TensorBase, options: CrossEntropyOptions): Tensor {
  const { labelSmoothing = 0, reduction = 'mean', weight, ignoreIndex = -100 } = options;
  if (labelSmoothing === 0 && !weight && (ignoreIndex | 0) === ignoreIndex) return plain(name, input, target, options);
  const labels = labelsOf(name, input, target, options);
  const logProbabilities = logSoftmax(input, labels.dim);
  const exact = weighted(name, negativeLogLikelihood(logProbabilities, labels), labels, reduction);
  if (labelSmoothing === 0) return exact;
  const all = weight ? mul(logProbabilities, alongClasses(weight, input, labels.dim)) : logProbabilities;
  const total = neg(sum(all, { dim: labels.dim }));
  const even = weighted(name, where(labels.ignored, 0, total), labels, reduction);
  return add(mul(exact, 1 - labelSmoothing), mul(even, labelSmoothing / input.shape[labels.dim]!));
}

/** Neither weights nor smoothing: one operation, whose losses add up to the mean. */
function plain(name: string, input: TensorBase, target: TensorBase, options: CrossEntropyOptions): Tensor {
  const { reduction = 'mean', ignoreIndex } = options;
  const { dim, classes } = checkLabels(name, input, target, options);
  checkReduction(name, reduction, target.size);
  const rows = [target.size, classes];
  const logits = input.rank > 2 ? movedim(input, dim, -1) : input;
  const losses = softmaxCrossEntropy(reshape(logits, rows), reshape(target, [target.size]), {
    ignoreIndex,
    mean: reduction === 'mean',
  });
  return reduction === 'none' ? reshape(losses, target.shape) : sum(losses);
}

/**
 * The negative log-likelihood -log p of class indices, from log-probabilities: crossEntropy without its softmax. Shapes,
 * dtypes and errors as there.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.NLLLoss.html
 *
 *     nllLoss(logSoftmax(logits, 1), labels);
 *     nllLoss(logProbabilities, labels, { weight: tensor([1, 4]), ignoreIndex: 0 });
 */
export function nllLoss(input: TensorBase, target: TensorBase, options: NLLLossOptions = {}): Tensor {
  const name = 'nllLoss';
  checkReductionName(name, options.reduction ?? 'mean');
  checkFloat(name, { input });
  checkTensor(name, 'target', target);
  return recordedWithLabels(name, input, target, options.ignoreIndex ?? -100, () => {
    const labels = labelsOf(name, input, target, options);
    return weighted(name, negativeLogLikelihood(input, labels), labels, options.reduction ?? 'mean');
  });
}

/** For each sample -log p of its class, times the weight of that. */
function negativeLogLikelihood(logProbabilities: TensorBase, labels: Labels): Tensor {
  // A choice, not a product alone: 0 times an infinite loss would be NaN.
  return where(labels.ignored, 0, neg(mul(chosenOf(logProbabilities, labels), labels.weights)));
}

/** The mean counts as many samples as their weights say. */
function weighted(name: string, losses: Tensor, { weights }: Labels, reduction: Reduction): Tensor {
  if (reduction !== 'mean') return reduce(name, losses, reduction);
  checkReduction(name, reduction, losses.size);
  return div(sum(losses), sum(weights));
}
