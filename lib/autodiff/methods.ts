import { Tensor } from '../tensor/tensor';
import { backward, type BackwardOptions } from './backward';
import type { TensorBase } from '../tensor/tensor';

declare module '../tensor/tensor' {
  interface Tensor {
    /** Adds this tensor's gradient to `grad` of every leaf that requires one; see `backward` in lib/autodiff. */
    backward(gradient?: TensorBase, options?: BackwardOptions): void;
  }
}

Tensor.prototype.backward = function (this: Tensor, gradient?: TensorBase, options?: BackwardOptions): void {
  backward(this, gradient, options);
};
