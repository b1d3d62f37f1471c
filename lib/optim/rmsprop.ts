import { add, mul, sqrt, square, sub } from '../ops/elementwise';
import type { Tensor } from '../tensor/tensor';
import { average, descentGradient, scaled } from './formulas';
import { Optimizer, type CommonOptions, type Parameters, type Update } from './optimizer';
import { checkBoolean, checkChoice, checkCommon, checkNumber } from './options';

export interface RMSpropOptions extends CommonOptions {
  /** How much of the running mean of g² is kept at each step, up to 1. */
  alpha: number;
  /** Added to the denominator; with 0, an element that never had a gradient stays where it is. */
  eps: number;
  /** Adds this much of the parameter to its gradient. */
  weightDecay: number;
  /** Share of the last direction that is kept. */
  momentum: number;
  /** Divides by the standard deviation of the gradient, not by its root mean square. */
  centered: boolean;
  /** What the running means start from: zeros, or the first gradient, so that σ is |g| at the first step. */
  init: 'zeros' | 'gradient';
}

const defaults: RMSpropOptions = {
  lr: 1e-2,
  alpha: 0.99,
  eps: 1e-8,
  weightDecay: 0,
  momentum: 0,
  centered: false,
  init: 'zeros',
  maximize: false,
};

/**
 * RMSprop (Hinton 2012, lecture 6e): Adagrad that forgets.
 *
 *     v ← alpha v + (1 - alpha) g²       (v ← 0 at first; init 'gradient': v ← g² at the first step)
 *     σ = √v                             (centered: σ = √(v - ḡ²), ḡ ← alpha ḡ + (1 - alpha) g)
 *     θ ← θ - lr g / (σ + eps)           (momentum: m ← momentum m + g / (σ + eps), θ ← θ - lr m)
 *
 * From zeros the first steps are 1 / √(1 - alpha) times too long, ten times by default; from the first gradient they are not.
 * Throws ValueError for an option outside its range, and for centered from the first gradient, where σ would be 0.
 * Options and defaults: https://pytorch.org/docs/stable/generated/torch.optim.RMSprop.html.
 *
 *     const optimizer = new RMSprop(model.parameters(), { lr: 1e-3, alpha: 0.9 });
 *     const asWritten = new RMSprop(model.parameters(), { lr: 1e-3, init: 'gradient', eps: 0 });
 */
export class RMSprop extends Optimizer<RMSpropOptions> {
  protected override readonly perElement = true;

  constructor(parameters: Parameters<RMSpropOptions>, options: Partial<RMSpropOptions> = {}) {
    super(parameters, defaults, options);
  }

  protected update({ parameter, gradient, state, options }: Update<RMSpropOptions>): Tensor {
    const { lr, alpha, eps, momentum, centered, init } = options;
    const g = descentGradient(parameter, gradient, options);
    const keep = init === 'gradient' && !state.has('squareAvg') ? 0 : alpha;
    let variance = state.write('squareAvg', average(state.read('squareAvg'), square(g), keep));
    if (centered) {
      const mean = state.write('gradAvg', average(state.read('gradAvg'), g, alpha));
      variance = sub(variance, square(mean));
    }
    let direction = scaled(g, sqrt(variance), eps);
    if (momentum !== 0)
      direction = state.write('momentumBuffer', add(mul(state.read('momentumBuffer'), momentum), direction));
    return sub(parameter, mul(direction, lr));
  }

  protected check(options: RMSpropOptions): void {
    checkCommon('RMSprop', options);
    checkNumber('RMSprop', 'alpha', options.alpha, 0);
    checkNumber('RMSprop', 'eps', options.eps, 0);
    checkNumber('RMSprop', 'momentum', options.momentum, 0);
    checkBoolean('RMSprop', 'centered', options.centered);
    checkChoice('RMSprop', 'init', options.init, options.centered ? ['zeros'] : ['zeros', 'gradient']);
  }
}
