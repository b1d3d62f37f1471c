import { abs, div, lt, mul, square, sub, where } from '../../ops/elementwise';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { ValueError } from '../../errors';
import { checkNumber } from '../check';
import { elementwise, type LossOptions } from './reduction';

export interface SmoothL1Options extends LossOptions {
  /** Up to where the loss is quadratic; at least 0. */
  beta?: number;
}

export interface HuberOptions extends LossOptions {
  /** Up to where the loss is quadratic; above 0. */
  delta?: number;
}

/**
 * The absolute error |x - y|, for regression where outliers should not rule. `input` and `target` have one shape, any;
 * reduction 'none' gives that shape, otherwise [].
 * Throws ShapeError unless both shapes are equal, DTypeError unless the input is float, ValueError for the mean of nothing.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.L1Loss.html
 *
 *     l1Loss(tensor([1, 2]), tensor([0, 4])); // 1.5
 *     l1Loss(x, y, { reduction: 'sum' });
 */
export function l1Loss(input: TensorBase, target: TensorBase, options: LossOptions = {}): Tensor {
  return elementwise('l1Loss', input, target, options, (x, y) => abs(sub(x, y)));
}

/**
 * The mean square error (x - y)², for regression. For classes it fails: see `crossEntropy`. Shapes and errors as `l1Loss`:
 * broadcasting here is nearly always a mistake.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.MSELoss.html
 *
 *     mseLoss(tensor([1, 2]), tensor([0, 4])); // 2.5
 *     const loss = mseLoss(model.forward(x), y);
 */
export function mseLoss(input: TensorBase, target: TensorBase, options: LossOptions = {}): Tensor {
  return elementwise('mseLoss', input, target, options, (x, y) => square(sub(x, y)));
}

/**
 * Quadratic near the target, linear far from it (Girshick 2015, Fast R-CNN): with z = |x - y|, z² / (2 beta) where
 * z < beta and z - beta / 2 elsewhere. beta 0 is `l1Loss`. Shapes and errors as `l1Loss`; ValueError for a beta below 0.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.SmoothL1Loss.html
 *
 *     smoothL1Loss(tensor([0, 3]), tensor([0.5, 0]), { reduction: 'none' }); // [0.125, 2.5]
 *     smoothL1Loss(boxes, targets, { beta: 1 / 9 });
 */
export function smoothL1Loss(input: TensorBase, target: TensorBase, options: SmoothL1Options = {}): Tensor {
  const { beta = 1 } = options;
  checkBeta('smoothL1Loss', beta);
  return elementwise('smoothL1Loss', input, target, options, (x, y) => {
    const z = abs(sub(x, y));
    if (beta === 0) return z;
    return where(lt(z, beta), div(square(sub(x, y)), 2 * beta), sub(z, beta / 2));
  });
}

/**
 * Quadratic near the target, linear far from it (Huber 1964): with z = |x - y|, z² / 2 where z < delta and
 * delta (z - delta / 2) elsewhere: delta times `smoothL1Loss`. Shapes and errors as `l1Loss`; ValueError for a delta
 * that is not above 0.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.HuberLoss.html
 *
 *     huberLoss(tensor([0, 3]), tensor([0.5, 0]), { reduction: 'none' }); // [0.125, 2.5]
 *     huberLoss(x, y, { delta: 2 });
 */
export function huberLoss(input: TensorBase, target: TensorBase, options: HuberOptions = {}): Tensor {
  const { delta = 1 } = options;
  checkDelta('huberLoss', delta);
  return elementwise('huberLoss', input, target, options, (x, y) => {
    const z = abs(sub(x, y));
    return where(lt(z, delta), mul(square(sub(x, y)), 0.5), mul(sub(z, delta / 2), delta));
  });
}

export function checkBeta(name: string, beta: number): void {
  checkNumber(name, 'beta', beta, { least: 0 });
}

export function checkDelta(name: string, delta: number): void {
  checkNumber(name, 'delta', delta);
  if (delta <= 0) throw new ValueError(`${name}: delta is a number above 0, got ${delta}`);
}
