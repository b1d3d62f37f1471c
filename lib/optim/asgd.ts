import { add, mul, sub } from '../ops/elementwise';
import type { Tensor } from '../tensor/tensor';
import { descentGradient, shrink } from './formulas';
import { Optimizer, type CommonOptions, type Parameters, type Update } from './optimizer';
import { checkCommon, checkNumber } from './options';

export interface ASGDOptions extends CommonOptions {
  /** Decay of the parameter, and how fast the rate falls. */
  lambd: number;
  /** Power of the rate's fall. */
  alpha: number;
  /** The step at which averaging starts. */
  t0: number;
  /** Adds this much of the parameter to its gradient. */
  weightDecay: number;
}

const defaults: ASGDOptions = { lr: 1e-2, lambd: 1e-4, alpha: 0.75, t0: 1e6, weightDecay: 0, maximize: false };

/**
 * Averaged stochastic gradient descent (Polyak and Juditsky 1992): SGD with a falling rate, and beside it the mean of all θ
 * from step t0 on, `ax` in the state dict. With η = lr and μ = 1 at first,
 *
 *     θ ← (1 - lambd η) θ - η g
 *     a ← a + μ (θ - a)
 *     η ← lr / (1 + lambd lr t)^alpha,   μ ← 1 / max(1, t - t0)
 *
 * Throws ValueError for an option that is negative or not a number.
 * Options and defaults: https://pytorch.org/docs/stable/generated/torch.optim.ASGD.html.
 *
 *     const optimizer = new ASGD(model.parameters(), { lr: 0.01, t0: 1000 });
 *     await optimizer.step();
 */
export class ASGD extends Optimizer<ASGDOptions> {
  protected override readonly perElement = true;

  constructor(parameters: Parameters<ASGDOptions>, options: Partial<ASGDOptions> = {}) {
    super(parameters, defaults, options);
  }

  protected update({ parameter, gradient, state, options }: Update<ASGDOptions>): Tensor {
    const { lr, lambd, alpha, t0 } = options;
    const { eta = lr, mu = 1 } = state.numbers;
    const g = descentGradient(parameter, gradient, options);
    const moved = sub(shrink(parameter, lambd * eta), mul(g, eta));
    // With μ = 1 this is θ to the last bit.
    state.write('ax', add(mul(state.read('ax'), 1 - mu), mul(moved, mu)));
    state.writeNumber('eta', lr / (1 + lambd * lr * state.step) ** alpha);
    state.writeNumber('mu', 1 / Math.max(1, state.step - t0));
    return moved;
  }

  protected check(options: ASGDOptions): void {
    checkCommon('ASGD', options);
    for (const name of ['lambd', 'alpha', 't0'] as const) checkNumber('ASGD', name, options[name], 0);
  }
}
