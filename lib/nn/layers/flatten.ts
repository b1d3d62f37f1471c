import { flatten } from '../../ops/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { Module } from '../module';

/**
 * Joins the dims from startDim to endDim; by default all but the batch's.
 *
 *     new Flatten().forward(x); // [N, C, H, W] to [N, C·H·W]
 */
export class Flatten extends Module {
  readonly startDim: number;
  readonly endDim: number;

  constructor(options: { startDim?: number; endDim?: number } = {}) {
    super();
    this.startDim = options.startDim ?? 1;
    this.endDim = options.endDim ?? -1;
  }

  forward(x: TensorBase): Tensor {
    return flatten(x, { startDim: this.startDim, endDim: this.endDim });
  }

  protected override describe(): string {
    return `startDim=${this.startDim}, endDim=${this.endDim}`;
  }
}
