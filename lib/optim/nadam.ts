import { add, div, mul, sqrt, square, sub } from '../ops/elementwise';
import type { Tensor } from '../tensor/tensor';
import { average, descentGradient } from './formulas';
import { Optimizer, type CommonOptions, type Parameters, type Update } from './optimizer';
import { checkBetas, checkCommon, checkNumber } from './options';

export interface NAdamOptions extends CommonOptions {
  /** How much of the running means of the gradient and of its square is kept at each step. */
  betas: readonly [number, number];
  /** Added to the denominator. */
  eps: number;
  /** Adds this much of the parameter to its gradient. */
  weightDecay: number;
  /** How fast the momentum rises from β₁ / 2 towards β₁. */
  momentumDecay: number;
}

const defaults: NAdamOptions = {
  lr: 2e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  momentumDecay: 4e-3,
  maximize: false,
};

/**
 * NAdam (Dozat 2016): Adam that looks ahead, as Nesterov's momentum does. With m, v of Adam,
 *
 *     μₜ = β₁ (1 - 0.96^(t momentumDecay) / 2),   Πₜ = μ₁ μ₂ … μₜ
 *     m̂ = μₜ₊₁ m / (1 - Πₜ₊₁) + (1 - μₜ) g / (1 - Πₜ)
 *     θ ← θ - lr m̂ / (√v̂ + eps)
 *
 * This is what the paper and PyTorch's `foreach` form compute; its plain form had a factor μₜ too much before version 2.
 * Throws ValueError for betas outside [0, 1), or another option that is negative or not a number.
 * Options and defaults: https://pytorch.org/docs/stable/generated/torch.optim.NAdam.html.
 *
 *     const optimizer = new NAdam(model.parameters(), { lr: 2e-3 });
 *     await optimizer.step();
 */
export class NAdam extends Optimizer<NAdamOptions> {
  protected override readonly perElement = true;

  constructor(parameters: Parameters<NAdamOptions>, options: Partial<NAdamOptions> = {}) {
    super(parameters, defaults, options);
  }

  protected update({ parameter, gradient, state, options }: Update<NAdamOptions>): Tensor {
    const { lr, eps, momentumDecay } = options;
    const [beta1, beta2] = options.betas;
    const momentumAt = (step: number): number => beta1 * (1 - 0.5 * 0.96 ** (step * momentumDecay));
    const g = descentGradient(parameter, gradient, options);
    const mean = state.write('expAvg', average(state.read('expAvg'), g, beta1));
    const meanSquare = state.write('expAvgSq', average(state.read('expAvgSq'), square(g), beta2));

    const now = momentumAt(state.step);
    const next = momentumAt(state.step + 1);
    const product = state.writeNumber('muProduct', (state.numbers.muProduct ?? 1) * now);
    const ofGradient = (lr * (1 - now)) / (1 - product);
    const ofMean = (lr * next) / (1 - product * next);
    const scale = add(sqrt(mul(meanSquare, 1 / (1 - beta2 ** state.step))), eps);
    return sub(parameter, div(add(mul(g, ofGradient), mul(mean, ofMean)), scale));
  }

  protected check(options: NAdamOptions): void {
    checkCommon('NAdam', options);
    checkBetas('NAdam', options.betas, 2);
    checkNumber('NAdam', 'eps', options.eps, 0);
    checkNumber('NAdam', 'momentumDecay', options.momentumDecay, 0);
  }
}
