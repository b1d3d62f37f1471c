import { add, mul, sqrt, square, sub } from '../ops/elementwise';
import type { Tensor } from '../tensor/tensor';
import { descentGradient, scaled } from './formulas';
import { Optimizer, type CommonOptions, type Parameters, type Update } from './optimizer';
import { checkBoolean, checkCommon, checkNumber } from './options';

export interface AdagradOptions extends CommonOptions {
  /** Lowers the rate at step t to lr / (1 + (t - 1) lrDecay). */
  lrDecay: number;
  /** Adds this much of the parameter to its gradient. */
  weightDecay: number;
  /** What the sum of squares starts from. */
  initialAccumulatorValue: number;
  /** Added to the denominator; with 0, an element that never had a gradient stays where it is. */
  eps: number;
  /** Divides by the root of the mean of g² so far, instead of the root of the sum. */
  average: boolean;
}

const defaults: AdagradOptions = {
  lr: 1e-2,
  lrDecay: 0,
  weightDecay: 0,
  initialAccumulatorValue: 0,
  eps: 1e-10,
  average: false,
  maximize: false,
};

/**
 * Adagrad (Duchi, Hazan and Singer 2011): each element has a rate of its own, lower where gradients were large. At step t,
 *
 *     s ← s + g²
 *     θ ← θ - lr g / (√s + eps)             average: θ ← θ - lr g / (σ + eps),   σ = √(s / t)
 *
 * The averaged form with the rate lr / √t is the plain one. Throws ValueError for an option that is negative or not a number.
 * Options and defaults: https://pytorch.org/docs/stable/generated/torch.optim.Adagrad.html.
 *
 *     const optimizer = new Adagrad(model.parameters(), { lr: 0.01 });
 *     const rootMeanSquare = new Adagrad(model.parameters(), { lr: 0.01, average: true });
 */
export class Adagrad extends Optimizer<AdagradOptions> {
  protected override readonly perElement = true;

  constructor(parameters: Parameters<AdagradOptions>, options: Partial<AdagradOptions> = {}) {
    super(parameters, defaults, options);
  }

  protected update({ parameter, gradient, state, options }: Update<AdagradOptions>): Tensor {
    const { lr, lrDecay, eps, average, initialAccumulatorValue } = options;
    const g = descentGradient(parameter, gradient, options);
    const total = state.write('sum', add(state.read('sum', { fill: initialAccumulatorValue }), square(g)));
    const sigma = sqrt(average ? mul(total, 1 / state.step) : total);
    return sub(parameter, mul(scaled(g, sigma, eps), lr / (1 + (state.step - 1) * lrDecay)));
  }

  protected check(options: AdagradOptions): void {
    checkCommon('Adagrad', options);
    checkNumber('Adagrad', 'lrDecay', options.lrDecay, 0);
    checkNumber('Adagrad', 'initialAccumulatorValue', options.initialAccumulatorValue, 0);
    checkNumber('Adagrad', 'eps', options.eps, 0);
    checkBoolean('Adagrad', 'average', options.average);
  }
}
