import { clamp } from '../../ops/activations';
import { add, div, log, log1p, lt, mul, neg, pow, sigmoid, softplus, sub, where } from '../../ops/elementwise';
import { checkRange, detach } from '../../ops/identity';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { checkNumber } from '../check';
import { checkBroadcast, checkTensor, elementwise, type LossOptions } from './reduction';

export interface BCEOptions extends LossOptions {
  /** How much each element counts; broadcasts to the input. */
  weight?: TensorBase | null;
}

export interface BCEWithLogitsOptions extends BCEOptions {
  /** How much positive targets count; broadcasts to the input. */
  posWeight?: TensorBase | null;
}

export interface FocalLossOptions extends LossOptions {
  /** Share of the positive class, 0 to 1; the negative one gets 1 - alpha. null: both count 1. */
  alpha?: number | null;
  /** How much what is already right is turned down: at least 0; 0 turns nothing down. */
  gamma?: number;
}

/**
 * The binary cross-entropy -y log σ(x) - (1 - y) log(1 - σ(x)), for multi-label: a sample may have any number of labels,
 * and every logit answers one yes-or-no question by itself. Where exactly one class is true (multi-class), `crossEntropy`
 * lets the classes compete instead.
 *
 * Why not the mean square error of σ(x): its gradient 2 (σ - y) σ (1 - σ) vanishes where the unit is surely wrong (at
 * x = -10 with y = 1 it is some 1e-4), so it stays wrong. Here the gradient is σ - y, which is largest there.
 *
 * `input` holds logits (no sigmoid before it) of any shape, `target` numbers in [0, 1] of the same shape (bools and
 * integers count as floats). Computed as (1 - y) x + log(1 + e^-x), which no logit overflows. `posWeight`, often negatives
 * over positives, balances rare labels.
 *
 * Throws ShapeError unless input and target have one shape, to which the weights broadcast, DTypeError unless the input is
 * float, ValueError for the mean of nothing.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.BCEWithLogitsLoss.html
 *
 *     const loss = binaryCrossEntropyWithLogits(model.forward(x), labels);
 *     binaryCrossEntropyWithLogits(logits, labels, { posWeight: tensor([9, 1, 4]) });
 */
export function binaryCrossEntropyWithLogits(
  input: TensorBase,
  target: TensorBase,
  options: BCEWithLogitsOptions = {},
): Tensor {
  const name = 'binaryCrossEntropyWithLogits';
  const { weight, posWeight } = options;
  checkTensor(name, 'input', input);
  checkBroadcast(name, 'posWeight', posWeight, input.shape);
  checkBroadcast(name, 'weight', weight, input.shape);
  return elementwise(name, input, target, options, (x, y) => {
    const positive = softplus(neg(x));
    const weighted = posWeight ? mul(positive, add(mul(sub(posWeight, 1), y), 1)) : positive;
    const losses = add(mul(sub(1, y), x), weighted);
    return weight ? mul(losses, weight) : losses;
  });
}

/** PyTorch divides by no less than this, a float32 there, in the gradient of binaryCrossEntropy. */
const SATURATED = Math.fround(1e-12);

/**
 * The binary cross-entropy -y log x - (1 - y) log(1 - x) of probabilities, where a model gives nothing else; from logits
 * take `binaryCrossEntropyWithLogits`, which is exact where a probability rounds to 0 or 1. `input` and `target` have one
 * shape, any, both in [0, 1]. Logarithms are at least -100, so that the loss is finite, and the gradient
 * (x - y) / max(x (1 - x), 1e-12) is too.
 *
 * Throws ShapeError unless input and target have one shape, to which `weight` broadcasts, DTypeError unless the input is
 * float, ValueError for the mean of nothing. An input outside of [0, 1], or NaN, fails when it is computed.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.BCELoss.html
 *
 *     binaryCrossEntropy(sigmoid(logits), labels);
 *     binaryCrossEntropy(tensor([0.5]), tensor([1])); // 0.6931
 */
export function binaryCrossEntropy(input: TensorBase, target: TensorBase, options: BCEOptions = {}): Tensor {
  const name = 'binaryCrossEntropy';
  const { weight } = options;
  checkTensor(name, 'input', input);
  checkBroadcast(name, 'weight', weight, input.shape);
  return elementwise(name, input, target, options, (given, y) => {
    const x = checkRange(given, 0, 1);
    const saturated = lt(mul(x, sub(1, x)), SATURATED);
    const inside = where(saturated, 0.5, x);
    const losses = where(saturated, saturatedEntropy(x, y), entropy(y, log(inside), log1p(neg(inside))));
    return weight ? mul(losses, weight) : losses;
  });
}

const entropy = (y: Tensor, logP: Tensor, logQ: Tensor): Tensor => neg(add(mul(y, logP), mul(sub(1, y), logQ)));

/** Where x is 0 or 1 but for rounding: the clamped value, with a slope of (x - y) / 1e-12 in x. */
function saturatedEntropy(x: Tensor, y: Tensor): Tensor {
  const at = detach(x);
  const value = entropy(y, clamp(log(at), { min: -100 }), clamp(log1p(neg(at)), { min: -100 }));
  const slope = div(sub(at, detach(y)), SATURATED);
  return add(value, mul(sub(x, at), slope));
}

/** Below it a power's derivative may overflow; far above the smallest float32. */
const TINY = 1e-30;

/**
 * The focal loss -α_t (1 - p_t)^γ log p_t, with p_t the probability σ(x) or 1 - σ(x) that the model gives what is true: the
 * binary cross-entropy with easy samples turned down, for detection and other tasks where negatives are far more
 * (Lin et al. 2017, "Focal Loss for Dense Object Detection", equation 5). `input` holds logits of any shape, `target`
 * numbers in [0, 1] of the same shape. Stable for any logit.
 *
 * Throws ShapeError unless both have one shape, DTypeError unless the input is float, ValueError for an alpha outside of
 * [0, 1], a gamma below 0, or the mean of nothing.
 *
 *     focalLoss(logits, labels); // the paper's alpha 0.25, gamma 2
 *     focalLoss(logits, labels, { alpha: null, gamma: 5, reduction: 'sum' });
 */
export function focalLoss(input: TensorBase, target: TensorBase, options: FocalLossOptions = {}): Tensor {
  const name = 'focalLoss';
  const { alpha = 0.25, gamma = 2 } = options;
  checkFocal(name, alpha, gamma);
  return elementwise(name, input, target, options, (x, y) => {
    const crossEntropy = add(mul(sub(1, y), x), softplus(neg(x)));
    const wrong = add(mul(y, sigmoid(neg(x))), mul(sub(1, y), sigmoid(x)));
    const losses = gamma === 0 ? crossEntropy : mul(crossEntropy, pow(clamp(wrong, { min: TINY }), gamma));
    return alpha === null ? losses : mul(losses, add(mul(y, alpha), mul(sub(1, y), 1 - alpha)));
  });
}

export function checkFocal(name: string, alpha: number | null, gamma: number): void {
  if (alpha !== null) checkNumber(name, 'alpha', alpha, { least: 0, most: 1 });
  checkNumber(name, 'gamma', gamma, { least: 0 });
}
