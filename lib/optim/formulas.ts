import { add, div, gt, mul, neg, sqrt, square, where } from '../ops/elementwise';
import { sum } from '../ops/reduce';
import type { Tensor } from '../tensor/tensor';

/** The gradient of what is minimized: of -f where f is maximized. */
export function downhill(gradient: Tensor, maximize: boolean): Tensor {
  return maximize ? neg(gradient) : gradient;
}

/** `downhill` plus weightDecay θ: the gradient of f + weightDecay ‖θ‖² / 2. */
export function descentGradient(
  parameter: Tensor,
  gradient: Tensor,
  { maximize, weightDecay }: { maximize: boolean; weightDecay: number },
): Tensor {
  const direction = downhill(gradient, maximize);
  return weightDecay === 0 ? direction : add(direction, mul(parameter, weightDecay));
}

/** θ (1 - share): weight decay that does not pass through the gradient. */
export function shrink(parameter: Tensor, share: number): Tensor {
  return share === 0 ? parameter : mul(parameter, 1 - share);
}

/** keep · mean + (1 - keep) · value: one step of an exponential moving average. */
export function average(mean: Tensor, value: Tensor, keep: number): Tensor {
  return add(mul(mean, keep), mul(value, 1 - keep));
}

/** value / (scale + eps); with eps = 0 it is 0 where the scale is: no gradient has been seen there. */
export function scaled(value: Tensor, scale: Tensor, eps: number): Tensor {
  if (eps !== 0) return div(value, add(scale, eps));
  return where(gt(scale, 0), div(value, scale), 0);
}

/** √Σx², a scalar. */
export function norm(x: Tensor): Tensor {
  return sqrt(sum(square(x)));
}
