import { ShapeError } from '../../errors';
import { labelled } from '../../graph/modes';
import { cast } from '../../ops/cast';
import { arange, full } from '../../ops/create';
import {
  add,
  div,
  eq,
  gt,
  logicalAnd,
  logicalNot,
  lt,
  mul,
  neg,
  relu,
  softplus,
  sub,
  where,
} from '../../ops/elementwise';
import { gather, scatterAdd } from '../../ops/indexing';
import { any, argmax, mean, sum } from '../../ops/reduce';
import { reshape, unsqueeze } from '../../ops/shape';
import { formatShape } from '../../tensor/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { checkIndices } from './labels';
import {
  asFloatOf,
  checkBroadcast,
  checkFloat,
  checkReduction,
  checkSameShape,
  checkTensor,
  reduce,
} from './reduction';
import type { LossOptions } from './reduction';

export interface MultiLabelSoftMarginOptions extends LossOptions {
  /** How much each class counts; [C], or what broadcasts to the input. */
  weight?: TensorBase | null;
}

/**
 * `binaryCrossEntropyWithLogits`, averaged over each sample's classes first: with σ the sigmoid,
 * -Σ_c w_c (y_c log σ(x_c) + (1 - y_c) log σ(-x_c)) / C. `input` holds logits [N, C] or [C] (more leading dims are
 * possible), `target` numbers in [0, 1] of the same shape; reduction 'none' gives the shape without C, otherwise [].
 *
 * Throws ShapeError unless both shapes are equal and `weight` broadcasts to them, DTypeError unless the input is float,
 * ValueError for the mean of nothing.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.MultiLabelSoftMarginLoss.html
 *
 *     multilabelSoftMarginLoss(logits, labels);
 *     multilabelSoftMarginLoss(logits, labels, { weight: tensor([1, 2, 1]) });
 */
export function multilabelSoftMarginLoss(
  input: TensorBase,
  target: TensorBase,
  options: MultiLabelSoftMarginOptions = {},
): Tensor {
  const name = 'multilabelSoftMarginLoss';
  const { weight, reduction = 'mean' } = options;
  checkFloat(name, { input });
  checkTensor(name, 'target', target);
  checkSameShape(name, { input, target });
  if (input.rank === 0 || input.shape.at(-1) === 0)
    throw new ShapeError(`${name}: the input is [N, classes] or [classes], got ${formatShape(input.shape)}`);
  checkBroadcast(name, 'weight', weight, input.shape);
  checkReduction(name, reduction, input.size);
  return labelled(name, () => {
    const y = asFloatOf(target, input);
    const losses = add(mul(y, softplus(neg(input))), mul(sub(1, y), softplus(input)));
    return reduce(name, mean(weight ? mul(losses, weight) : losses, { dim: -1 }), reduction);
  });
}

/**
 * The hinge loss of several labels: every class of the target should score above every other by 1:
 * Σ_{j in target} Σ_{i not in target} max(0, 1 - (x_j - x_i)) / C. `input` holds scores [N, C] or [C], `target` class
 * indices of the same shape, the sample's own first, then -1, after which nothing counts. Reduction 'none' gives [N] or [],
 * otherwise [].
 *
 * Throws ShapeError unless both shapes are equal, DTypeError unless scores are float and indices are int32 or int64,
 * ValueError for the mean of nothing; an index that is no class is a ValueError when the loss is computed.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.MultiLabelMarginLoss.html
 *
 *     multilabelMarginLoss(scores, tensor(Int32Array.of(3, 0, -1, -1)));
 *     multilabelMarginLoss(scores, labels, { reduction: 'none' });
 */
export function multilabelMarginLoss(input: TensorBase, target: TensorBase, options: LossOptions = {}): Tensor {
  const name = 'multilabelMarginLoss';
  const { reduction = 'mean' } = options;
  checkFloat(name, { input });
  checkIndices(name, 'target', target);
  checkSameShape(name, { input, target });
  const classes = input.shape.at(-1) ?? 0;
  if ((input.rank !== 1 && input.rank !== 2) || classes === 0)
    throw new ShapeError(`${name}: the input is [N, classes] or [classes], got ${formatShape(input.shape)}`);
  checkReduction(name, reduction, input.size);
  return labelled(name, () => {
    const x = reshape(input, [-1, classes]);
    const { index, counts } = ownClasses(reshape(cast(target, 'int32'), x.shape));
    const isOwn = gt(scatterAdd(full(x.shape, 0, { dtype: 'int32' }), 1, index, cast(counts, 'int32')), 0);
    const own = unsqueeze(gather(x, 1, index), 2);
    const pairs = logicalAnd(unsqueeze(counts, 2), logicalNot(unsqueeze(isOwn, 1)));
    const losses = where(pairs, relu(add(sub(1, own), unsqueeze(x, 1))), 0);
    return reduce(name, reshape(div(sum(losses, { dim: [1, 2] }), classes), input.shape.slice(0, -1)), reduction);
  });
}

/** Which indices stand before the first -1, and all of them with 0 in place of -1; those behind are checked too. */
function ownClasses(target: Tensor): { index: Tensor; counts: Tensor } {
  const ends = eq(target, -1);
  const first = where(any(ends, { dim: 1, keepdim: true }), argmax(ends, { dim: 1, keepdim: true }), target.shape[1]!);
  const counts = lt(arange(target.shape[1]!), first);
  return { index: where(ends, 0, target), counts };
}
