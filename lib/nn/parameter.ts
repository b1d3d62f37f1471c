import { Variable, type TensorBase } from '../tensor/tensor';

/**
 * A Variable that training changes: Module lists it among its parameters, optimizers move it along its gradient.
 * Throws DTypeError unless the value is float32 or float64.
 *
 *     this.weight = new Parameter(uniform([10, 64]));
 *     this.scale = new Parameter(ones([10]), { requiresGrad: false });
 */
export class Parameter extends Variable {
  declare requiresGrad: boolean;

  constructor(value: TensorBase, options: { requiresGrad?: boolean } = {}) {
    super(value, { requiresGrad: options.requiresGrad ?? true });
  }

  /** From now on gradients flow to it, or not; what is recorded already stays as it is. */
  setRequiresGrad(requiresGrad: boolean): void {
    if (requiresGrad === this.requiresGrad) return;
    this.requiresGrad = requiresGrad;
    if (!requiresGrad) this.grad = null;
    // A new version of the same numbers, as a version tells whether it needs a gradient.
    this.assign(this.current);
  }
}
