import { zeros } from '../../ops/create';
import { checkInteger } from '../../tensor/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import * as init from '../init';
import { bilinear } from '../linear';
import { Module } from '../module';
import { Parameter } from '../parameter';

/**
 * y_k = x1ᵀ A_k x2 + b_k: [..., in1Features] and [..., in2Features] to [..., outFeatures]
 * (https://pytorch.org/docs/1.13/generated/torch.nn.Bilinear.html). Weights start uniform in ±1/√in1Features.
 * Throws ValueError unless the sizes are integers of at least 1.
 *
 *     const layer = new Bilinear(8, 4, 10);
 *     layer.forward(left, right); // [N, 8] and [N, 4] to [N, 10]
 */
export class Bilinear extends Module {
  readonly weight: Parameter;
  readonly bias: Parameter | null;

  constructor(
    readonly in1Features: number,
    readonly in2Features: number,
    readonly outFeatures: number,
    options: { bias?: boolean } = {},
  ) {
    super();
    checkInteger('Bilinear', 'in1Features', in1Features, 1);
    checkInteger('Bilinear', 'in2Features', in2Features, 1);
    checkInteger('Bilinear', 'outFeatures', outFeatures, 1);
    this.weight = new Parameter(zeros([outFeatures, in1Features, in2Features]));
    this.bias = (options.bias ?? true) ? new Parameter(zeros([outFeatures])) : null;
    this.resetParameters();
  }

  /** Draws weight and bias anew. */
  resetParameters(): void {
    const bound = 1 / Math.sqrt(this.in1Features);
    for (const parameter of [this.weight, this.bias])
      if (parameter !== null) init.uniform(parameter, { low: -bound, high: bound });
  }

  forward(x1: TensorBase, x2: TensorBase): Tensor {
    return bilinear(x1, x2, this.weight, this.bias);
  }

  protected override describe(): string {
    const { in1Features, in2Features, outFeatures, bias } = this;
    return `${in1Features}, ${in2Features}, ${outFeatures}, bias=${bias !== null}`;
  }
}
