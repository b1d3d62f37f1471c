import { add, div, mul, sqrt, square, sub } from '../ops/elementwise';
import type { Tensor } from '../tensor/tensor';
import { average, descentGradient } from './formulas';
import { Optimizer, type CommonOptions, type Parameters, type Update } from './optimizer';
import { checkBetas, checkCommon, checkNumber } from './options';

export interface RAdamOptions extends CommonOptions {
  /** How much of the running means of the gradient and of its square is kept at each step. */
  betas: readonly [number, number];
  /** Added to the denominator. */
  eps: number;
  /** Adds this much of the parameter to its gradient. */
  weightDecay: number;
}

const defaults: RAdamOptions = { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 0, maximize: false };

/**
 * RAdam (Liu et al. 2020): Adam that trusts its mean square only once it is one of enough gradients, which is a warm-up by
 * itself. With m, v of Adam and m̂ = m / (1 - β₁ᵗ),
 *
 *     ρ∞ = 2 / (1 - β₂) - 1,   ρ = ρ∞ - 2 t β₂ᵗ / (1 - β₂ᵗ)
 *     ρ > 5:   θ ← θ - lr r m̂ √(1 - β₂ᵗ) / (√v + eps),   r = √((ρ - 4)(ρ - 2) ρ∞ / ((ρ∞ - 4)(ρ∞ - 2) ρ))
 *     before:  θ ← θ - lr m̂
 *
 * Throws ValueError for betas outside [0, 1), or another option that is negative or not a number.
 * Options and defaults: https://pytorch.org/docs/stable/generated/torch.optim.RAdam.html.
 *
 *     const optimizer = new RAdam(model.parameters(), { lr: 1e-3 });
 *     await optimizer.step();
 */
export class RAdam extends Optimizer<RAdamOptions> {
  protected override readonly perElement = true;

  constructor(parameters: Parameters<RAdamOptions>, options: Partial<RAdamOptions> = {}) {
    super(parameters, defaults, options);
  }

  protected update({ parameter, gradient, state, options }: Update<RAdamOptions>): Tensor {
    const { lr, eps } = options;
    const [beta1, beta2] = options.betas;
    const g = descentGradient(parameter, gradient, options);
    const mean = state.write('expAvg', average(state.read('expAvg'), g, beta1));
    const meanSquare = state.write('expAvgSq', average(state.read('expAvgSq'), square(g), beta2));

    const rate = lr / (1 - beta1 ** state.step);
    const correction = 1 - beta2 ** state.step;
    const longest = 2 / (1 - beta2) - 1;
    const length = longest - (2 * state.step * beta2 ** state.step) / correction;
    if (length <= 5) return sub(parameter, mul(mean, rate));
    const rectified = Math.sqrt(((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length));
    const scale = add(sqrt(meanSquare), eps);
    return sub(parameter, mul(div(mean, scale), rate * rectified * Math.sqrt(correction)));
  }

  protected check(options: RAdamOptions): void {
    checkCommon('RAdam', options);
    checkBetas('RAdam', options.betas, 2);
    checkNumber('RAdam', 'eps', options.eps, 0);
  }
}
