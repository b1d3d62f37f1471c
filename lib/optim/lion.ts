import { mul, sign, sub } from '../ops/elementwise';
import type { Tensor } from '../tensor/tensor';
import { average, downhill, shrink } from './formulas';
import { Optimizer, type CommonOptions, type Parameters, type Update } from './optimizer';
import { checkBetas, checkCommon } from './options';

export interface LionOptions extends CommonOptions {
  /** Shares of the momentum that are kept: in the step, and in the momentum itself. */
  betas: readonly [number, number];
  /** Decoupled: lr weightDecay θ is taken off at each step. */
  weightDecay: number;
}

const defaults: LionOptions = { lr: 1e-4, betas: [0.9, 0.99], weightDecay: 0, maximize: false };

/**
 * Lion (Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2): every element moves by ±lr.
 *
 *     c = β₁ m + (1 - β₁) g
 *     θ ← θ - lr (sign(c) + weightDecay θ)
 *     m ← β₂ m + (1 - β₂) g
 *
 * Its rate is 3 to 10 times lower, its weight decay as much higher than Adam's. Throws ValueError for betas outside [0, 1),
 * or another option that is negative or not a number.
 *
 *     const optimizer = new Lion(model.parameters(), { lr: 1e-4, weightDecay: 0.1 });
 *     await optimizer.step();
 */
export class Lion extends Optimizer<LionOptions> {
  protected override readonly perElement = true;

  constructor(parameters: Parameters<LionOptions>, options: Partial<LionOptions> = {}) {
    super(parameters, defaults, options);
  }

  protected update({ parameter, gradient, state, options }: Update<LionOptions>): Tensor {
    const { lr, betas, weightDecay, maximize } = options;
    const g = downhill(gradient, maximize);
    const momentum = state.read('expAvg');
    const direction = sign(average(momentum, g, betas[0]));
    state.write('expAvg', average(momentum, g, betas[1]));
    return sub(shrink(parameter, lr * weightDecay), mul(direction, lr));
  }

  protected check(options: LionOptions): void {
    checkCommon('Lion', options);
    checkBetas('Lion', options.betas, 2);
  }
}
