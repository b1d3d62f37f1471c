import { ShapeError, ValueError } from '../../errors';
import { labelled } from '../../graph/modes';
import { add, div, exp, gt, log, mul, square, sub, where } from '../../ops/elementwise';
import { checkRange } from '../../ops/identity';
import { sum } from '../../ops/reduce';
import { expand, reshape } from '../../ops/shape';
import { formatShape, shapesEqual } from '../../tensor/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { checkNumber } from '../check';
import { atLeast } from '../straight-through';
import { asFloatOf, checkFloat, checkReduction, checkSameShape, checkTensor, elementwise, reduce } from './reduction';
import type { LossOptions, Reduction } from './reduction';

export interface KLDivOptions {
  /** 'batchmean' is the sum over the size of the first dim: what the mathematics calls the divergence. */
  reduction?: Reduction | 'batchmean';
  /** Whether the target holds log-probabilities too. */
  logTarget?: boolean;
}

export interface PoissonNLLOptions extends LossOptions {
  /** Whether the input is the logarithm of the rate. */
  logInput?: boolean;
  /** Whether to add Stirling's approximation of log y! for counts above 1. */
  full?: boolean;
  /** Added to the rate before its logarithm, where the input is the rate; above 0. */
  eps?: number;
}

export interface GaussianNLLOptions extends LossOptions {
  /** Whether to add the constant log(2π) / 2. */
  full?: boolean;
  /** Variances below it count as this; above 0. */
  eps?: number;
}

/**
 * The Kullback-Leibler divergence y (log y - x) of the target distribution from the model's log-probabilities x, for
 * distillation and for variational models. `input` holds log-probabilities of any shape, `target` probabilities of the same
 * shape (0 gives 0), or their logarithms with `logTarget`. 'mean' divides by all elements, 'batchmean' by the first dim.
 *
 * Throws ShapeError unless both shapes are equal, DTypeError unless both are float, ValueError for the mean of nothing and
 * for 'batchmean' of a scalar.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.KLDivLoss.html
 *
 *     klDiv(logSoftmax(student, 1), softmax(teacher, 1), { reduction: 'batchmean' });
 *     klDiv(logSoftmax(student, 1), logSoftmax(teacher, 1), { logTarget: true });
 */
export function klDiv(input: TensorBase, target: TensorBase, options: KLDivOptions = {}): Tensor {
  const name = 'klDiv';
  const { reduction = 'mean', logTarget = false } = options;
  checkKLDivReduction(name, reduction);
  checkFloat(name, { input, target });
  checkSameShape(name, { input, target });
  const batch = input.shape[0];
  if (reduction === 'batchmean' && batch === undefined)
    throw new ValueError(`${name}: reduction batchmean is for batches, got a scalar`);
  if (reduction !== 'none') checkReduction(name, reduction === 'sum' ? 'sum' : 'mean', input.size);
  return labelled(name, () => {
    const x = input.capture();
    const y = target.capture();
    const losses = logTarget ? mul(exp(y), sub(y, x)) : divergence(x, y);
    return reduction === 'batchmean' ? div(sum(losses), batch!) : reduce(name, losses, reduction);
  });
}

/** y log y - y x; 0 log 0 is 0. */
function divergence(x: Tensor, y: Tensor): Tensor {
  const positive = gt(y, 0);
  return sub(where(positive, mul(y, log(where(positive, y, 1))), mul(y, 0)), mul(y, x));
}

export function checkKLDivReduction(name: string, reduction: unknown): void {
  if (!['mean', 'batchmean', 'sum', 'none'].includes(String(reduction)))
    throw new ValueError(`${name}: reduction is mean, batchmean, sum or none, got ${String(reduction)}`);
}

/**
 * The negative log-likelihood of counts y under a Poisson distribution: with `logInput` e^x - y x for the log rate x,
 * otherwise x - y log(x + eps) for the rate x. `input` and `target` have one shape, any.
 *
 * Throws ShapeError unless both shapes are equal, DTypeError unless the input is float, ValueError for an eps that is not
 * above 0 or the mean of nothing.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.PoissonNLLLoss.html
 *
 *     poissonNllLoss(model.forward(x), counts);
 *     poissonNllLoss(rates, counts, { logInput: false, full: true });
 */
export function poissonNllLoss(input: TensorBase, target: TensorBase, options: PoissonNLLOptions = {}): Tensor {
  const name = 'poissonNllLoss';
  const { logInput = true, full = false, eps = 1e-8 } = options;
  checkEps(name, eps);
  return elementwise(name, input, target, options, (x, y) => {
    const losses = logInput ? sub(exp(x), mul(y, x)) : sub(x, mul(y, log(add(x, eps))));
    return full ? add(losses, stirling(y)) : losses;
  });
}

/** y log y - y + log(2πy) / 2, about log y!, for y above 1; 0 for others. */
function stirling(y: Tensor): Tensor {
  const large = gt(y, 1);
  const safe = where(large, y, 1);
  const value = add(sub(mul(safe, log(safe)), safe), mul(log(mul(safe, 2 * Math.PI)), 0.5));
  return where(large, value, 0);
}

/**
 * The negative log-likelihood (log v + (x - y)² / v) / 2 of targets y under a normal distribution whose mean x and variance
 * v the model gives both, for regression that knows its own uncertainty. `input` and `target` have one shape; `variance`
 * that shape too, or with a last dim of size 1, or without the last dim (one variance for each sample). Variances are
 * at least `eps`, which the gradient does not see, as in PyTorch.
 *
 * Throws ShapeError for shapes that do not fit, DTypeError unless all but the target are float, ValueError for an eps that
 * is not above 0 or the mean of nothing. A negative variance fails when it is computed; NaN gives NaN.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.GaussianNLLLoss.html (Nix and Weigend 1994)
 *
 *     gaussianNllLoss(mean, y, exp(logVariance));
 *     gaussianNllLoss(mean, y, variance, { full: true, reduction: 'sum' });
 */
export function gaussianNllLoss(
  input: TensorBase,
  target: TensorBase,
  variance: TensorBase,
  options: GaussianNLLOptions = {},
): Tensor {
  const name = 'gaussianNllLoss';
  const { reduction = 'mean', full = false, eps = 1e-6 } = options;
  checkEps(name, eps);
  checkFloat(name, { input, variance });
  checkTensor(name, 'target', target);
  checkSameShape(name, { input, target });
  const spread = varianceShape(name, input, variance);
  checkReduction(name, reduction, input.size);
  return labelled(name, () => {
    const given = checkRange(reshape(variance, spread), 0, Infinity, { allowNaN: true });
    const v = expand(atLeast(given, eps), input.shape);
    const losses = mul(add(log(v), div(square(sub(input, asFloatOf(target, input))), v)), 0.5);
    return reduce(name, full ? add(losses, 0.5 * Math.log(2 * Math.PI)) : losses, reduction);
  });
}

/** The variance's shape as it broadcasts to the input. */
function varianceShape(name: string, input: TensorBase, variance: TensorBase): readonly number[] {
  const each = [...input.shape.slice(0, -1), 1];
  if (shapesEqual(variance.shape, input.shape)) return input.shape;
  if (input.rank > 0 && (shapesEqual(variance.shape, each) || shapesEqual(variance.shape, each.slice(0, -1))))
    return each;
  throw new ShapeError(
    `${name}: variance is ${formatShape(input.shape)} as the input, ${formatShape(each)} or ${formatShape(each.slice(0, -1))}, got ${formatShape(variance.shape)}`,
  );
}

export function checkEps(name: string, eps: number): void {
  checkNumber(name, 'eps', eps);
  if (eps <= 0) throw new ValueError(`${name}: eps is a number above 0, got ${eps}`);
}
