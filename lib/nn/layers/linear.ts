import { zeros } from '../../ops/create';
import { checkInteger } from '../../tensor/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { linear } from '../functional';
import * as init from '../init';
import { Module } from '../module';
import { Parameter } from '../parameter';

export interface LinearOptions {
  bias?: boolean;
}

/**
 * y = x Wᵀ + b over the last dim: [..., inFeatures] to [..., outFeatures]. Weights start uniform in ±1/√inFeatures.
 * Throws ValueError unless both sizes are integers of at least 1.
 *
 *     const layer = new Linear(64, 10);
 *     layer.forward(x); // [N, 64] to [N, 10]
 */
export class Linear extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(
    readonly inFeatures: number,
    readonly outFeatures: number,
    options: LinearOptions = {},
  ) {
    super();
    checkInteger('Linear', 'inFeatures', inFeatures, 1);
    checkInteger('Linear', 'outFeatures', outFeatures, 1);
    this.weight = new Parameter(zeros([outFeatures, inFeatures]));
    this.bias = (options.bias ?? true) ? new Parameter(zeros([outFeatures])) : null;
    this.resetParameters();
  }

  /** Draws weight and bias anew. */
  resetParameters(): void {
    init.kaimingUniform(this.weight, { a: Math.sqrt(5) });
    const bound = 1 / Math.sqrt(this.inFeatures);
    if (this.bias !== null) init.uniform(this.bias, { low: -bound, high: bound });
  }

  forward(x: TensorBase): Tensor {
    return linear(x, this.weight, this.bias);
  }

  protected override describe(): string {
    return `inFeatures=${this.inFeatures}, outFeatures=${this.outFeatures}, bias=${this.bias !== null}`;
  }
}
