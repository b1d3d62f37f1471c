import { abs, add, div, maximum, mul, sub } from '../ops/elementwise';
import type { Tensor } from '../tensor/tensor';
import { average, descentGradient } from './formulas';
import { Optimizer, type CommonOptions, type Parameters, type Update } from './optimizer';
import { checkBetas, checkCommon, checkNumber } from './options';

export interface AdamaxOptions extends CommonOptions {
  /** How much of the running mean, and of the largest gradient, is kept at each step. */
  betas: readonly [number, number];
  /** Added to |g|. */
  eps: number;
  /** Adds this much of the parameter to its gradient. */
  weightDecay: number;
}

const defaults: AdamaxOptions = { lr: 2e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, maximize: false };

/**
 * Adamax (Kingma and Ba 2015, section 7.1): Adam with the largest gradient of late in place of the root mean square.
 *
 *     m ← β₁ m + (1 - β₁) g
 *     u ← max(β₂ u, |g| + eps)
 *     θ ← θ - lr / (1 - β₁ᵗ) m / u
 *
 * Throws ValueError for betas outside [0, 1), or another option that is negative or not a number.
 * Options and defaults: https://pytorch.org/docs/stable/generated/torch.optim.Adamax.html.
 *
 *     const optimizer = new Adamax(model.parameters(), { lr: 2e-3 });
 *     await optimizer.step();
 */
export class Adamax extends Optimizer<AdamaxOptions> {
  protected override readonly perElement = true;

  constructor(parameters: Parameters<AdamaxOptions>, options: Partial<AdamaxOptions> = {}) {
    super(parameters, defaults, options);
  }

  protected update({ parameter, gradient, state, options }: Update<AdamaxOptions>): Tensor {
    const [beta1, beta2] = options.betas;
    const g = descentGradient(parameter, gradient, options);
    const mean = state.write('expAvg', average(state.read('expAvg'), g, beta1));
    const largest = state.write('expInf', maximum(mul(state.read('expInf'), beta2), add(abs(g), options.eps)));
    return sub(parameter, mul(div(mean, largest), options.lr / (1 - beta1 ** state.step)));
  }

  protected check(options: AdamaxOptions): void {
    checkCommon('Adamax', options);
    checkBetas('Adamax', options.betas, 2);
    checkNumber('Adamax', 'eps', options.eps, 0);
  }
}
