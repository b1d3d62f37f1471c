import type { Generator } from '../../ops/random';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { checkNumber } from '../check';
import { dropout } from '../functional';
import { Module } from '../module';

/**
 * In training sets each element to 0 with probability p and scales the others by 1 / (1 - p), so that their expectation
 * stays (Srivastava et al. 2014); in evaluation does nothing. Throws ValueError for a p outside [0, 1].
 *
 *     const layer = new Dropout({ p: 0.25 });
 */
export class Dropout extends Module {
  readonly p: number;
  readonly generator: Generator | undefined;

  constructor(options: { p?: number; generator?: Generator } = {}) {
    super();
    this.generator = options.generator;
    this.p = options.p ?? 0.5;
    checkNumber('Dropout', 'p', this.p, { least: 0, most: 1 });
  }

  forward(x: TensorBase): Tensor {
    return dropout(x, this.p, { training: this.training, generator: this.generator });
  }

  protected override describe(): string {
    return `p=${this.p}`;
  }
}
