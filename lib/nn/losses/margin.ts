import { ShapeError, ValueError } from '../../errors';
import { labelled } from '../../graph/modes';
import { clamp } from '../../ops/activations';
import { arange } from '../../ops/create';
import { add, div, mul, ne, neg, softplus, square, sub, where } from '../../ops/elementwise';
import { gather } from '../../ops/indexing';
import { sum } from '../../ops/reduce';
import { formatShape } from '../../tensor/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { checkNumber } from '../check';
import { asColumn, labelsOf } from './labels';
import { asFloatOf, checkFloat, checkReduction, checkSameShape, checkTensor, elementwise, reduce } from './reduction';
import type { LossOptions } from './reduction';

export interface MarginOptions extends LossOptions {
  /** By how much what is right has to be better. */
  margin?: number;
}

export interface MultiMarginOptions extends MarginOptions {
  /** Exponent, 1 or 2. */
  p?: number;
  /** [classes]: how much each class counts. */
  weight?: TensorBase | null;
}

/** max(z, 0), as PyTorch clamps: the gradient passes at 0. */
const hinge = (z: Tensor): Tensor => clamp(z, { min: 0 });

/**
 * For distances x: x itself where y = 1 (alike), max(0, margin - x) where y = -1 (different): alike pairs are pulled
 * together, different ones pushed apart up to the margin, 1 where not given. `input` and `target` have one shape, any;
 * reduction 'none' gives that shape, otherwise [].
 *
 * Throws ShapeError unless both shapes are equal, DTypeError unless the input is float, ValueError for a margin that is no
 * number or the mean of nothing.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.HingeEmbeddingLoss.html
 *
 *     hingeEmbeddingLoss(l1Loss(a, b, { reduction: 'none' }), tensor([1, -1]));
 *     hingeEmbeddingLoss(distances, alike, { margin: 2 });
 */
export function hingeEmbeddingLoss(input: TensorBase, target: TensorBase, options: MarginOptions = {}): Tensor {
  const name = 'hingeEmbeddingLoss';
  const { margin = 1 } = options;
  checkNumber(name, 'margin', margin);
  return elementwise(name, input, target, options, (x, y) => {
    const different = where(ne(y, 1), hinge(sub(margin, x)), 0);
    return add(different, where(ne(y, -1), x, 0));
  });
}

/**
 * max(0, -y (x1 - x2) + margin): x1 should rank above x2 where y = 1, below where y = -1, by the margin, 0 where not given.
 * All three have one shape. Throws ShapeError unless they do, DTypeError unless both inputs are float, ValueError for a
 * margin that is no number or the mean of nothing.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.MarginRankingLoss.html
 *
 *     marginRankingLoss(better, worse, ones([32]));
 *     marginRankingLoss(tensor([1]), tensor([3]), tensor([1]), { margin: 0.5 }); // 2.5
 */
export function marginRankingLoss(
  input1: TensorBase,
  input2: TensorBase,
  target: TensorBase,
  options: MarginOptions = {},
): Tensor {
  const name = 'marginRankingLoss';
  const { margin = 0, reduction = 'mean' } = options;
  checkNumber(name, 'margin', margin);
  checkFloat(name, { input1, input2 });
  checkTensor(name, 'target', target);
  checkSameShape(name, { input1, input2, target });
  checkReduction(name, reduction, input1.size);
  return labelled(name, () => {
    const y = asFloatOf(target, input1);
    return reduce(name, hinge(add(mul(neg(y), sub(input1, input2)), margin)), reduction);
  });
}

/**
 * The logistic loss log(1 + e^(-y x)) of labels y = 1 and -1, without overflow. `input` and `target` have one shape, any.
 * Throws ShapeError unless both shapes are equal, DTypeError unless the input is float, ValueError for the mean of nothing.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.SoftMarginLoss.html
 *
 *     softMarginLoss(logits, tensor([1, -1, 1]));
 *     softMarginLoss(tensor([0]), tensor([1])); // 0.6931
 */
export function softMarginLoss(input: TensorBase, target: TensorBase, options: LossOptions = {}): Tensor {
  return elementwise('softMarginLoss', input, target, options, (x, y) => softplus(neg(mul(y, x))));
}

/**
 * The hinge loss of several classes (Crammer and Singer's, summed): Σ_{i ≠ y} max(0, margin - x_y + x_i)^p / C, times the
 * weight of class y. `input` holds scores [N, C] or [C], `target` class indices [N] or []; reduction 'none' gives [N] or [],
 * otherwise []. The mean is over samples, whatever their weights.
 *
 * Throws ShapeError, DTypeError for a target or weight that does not fit, ValueError for a p other than 1 and 2, a margin
 * that is no number, or the mean of nothing; a label that is no class is a ValueError when the loss is computed.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.MultiMarginLoss.html
 *
 *     multiMarginLoss(scores, labels);
 *     multiMarginLoss(scores, labels, { p: 2, margin: 0.5, weight: tensor([1, 2, 1]) });
 */
export function multiMarginLoss(input: TensorBase, target: TensorBase, options: MultiMarginOptions = {}): Tensor {
  const name = 'multiMarginLoss';
  const { p = 1, margin = 1, weight, reduction = 'mean' } = options;
  checkMultiMargin(name, p, margin);
  checkScores(name, input);
  return labelled(name, () => {
    const labels = labelsOf(name, input, target, { weight, ignoreIndex: null });
    checkReduction(name, reduction, target.size);
    const { dim } = labels;
    const own = asColumn(labels);
    const z = hinge(add(sub(input, gather(input, dim, own)), margin));
    const others = ne(arange(input.shape[dim]!), own);
    const losses = div(sum(where(others, p === 2 ? square(z) : z, 0), { dim }), input.shape[dim]!);
    return reduce(name, weight ? mul(losses, labels.weights) : losses, reduction);
  });
}

export function checkMultiMargin(name: string, p: number, margin: number): void {
  if (p !== 1 && p !== 2) throw new ValueError(`${name}: p is 1 or 2, got ${String(p)}`);
  checkNumber(name, 'margin', margin);
}

function checkScores(name: string, input: unknown): void {
  checkFloat(name, { input });
  checkTensor(name, 'input', input);
  if (input.rank !== 1 && input.rank !== 2)
    throw new ShapeError(`${name}: the input is [N, classes] or [classes], got ${formatShape(input.shape)}`);
}
