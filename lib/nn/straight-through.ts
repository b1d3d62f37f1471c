import { add, lt, sub, where } from '../ops/elementwise';
import { detach } from '../ops/identity';
import type { Tensor } from '../tensor/tensor';

/**
 * x, but `least` where it is below, with a derivative of 1 everywhere: what PyTorch gets by clamping in place without
 * gradients.
 *
 *     div(x, atLeast(vectorNorm(x), 1e-8));
 */
export function atLeast(x: Tensor, least: number): Tensor {
  return where(lt(x, least), add(sub(x, detach(x)), least), x);
}
