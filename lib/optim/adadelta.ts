import { ValueError } from '../errors';
import { add, div, mul, sqrt, square, sub } from '../ops/elementwise';
import type { Tensor } from '../tensor/tensor';
import { average, descentGradient } from './formulas';
import { Optimizer, type CommonOptions, type Parameters, type Update } from './optimizer';
import { checkCommon, checkNumber } from './options';

export interface AdadeltaOptions extends CommonOptions {
  /** How much of the running means of the squares is kept at each step, in [0, 1]. */
  rho: number;
  /** Added to both means. */
  eps: number;
  /** Adds this much of the parameter to its gradient. */
  weightDecay: number;
}

const defaults: AdadeltaOptions = { lr: 1, rho: 0.9, eps: 1e-6, weightDecay: 0, maximize: false };

/**
 * Adadelta (Zeiler 2012): RMSprop whose rate is the size of its own latest steps, so that steps have θ's unit.
 *
 *     v ← rho v + (1 - rho) g²
 *     Δ = √(u + eps) / √(v + eps) g,   u ← rho u + (1 - rho) Δ²
 *     θ ← θ - lr Δ
 *
 * Throws ValueError for a rho outside [0, 1], or another option that is negative or not a number.
 * Options and defaults: https://pytorch.org/docs/stable/generated/torch.optim.Adadelta.html.
 *
 *     const optimizer = new Adadelta(model.parameters());
 *     await optimizer.step();
 */
export class Adadelta extends Optimizer<AdadeltaOptions> {
  protected override readonly perElement = true;

  constructor(parameters: Parameters<AdadeltaOptions>, options: Partial<AdadeltaOptions> = {}) {
    super(parameters, defaults, options);
  }

  protected update({ parameter, gradient, state, options }: Update<AdadeltaOptions>): Tensor {
    const { lr, rho, eps } = options;
    const g = descentGradient(parameter, gradient, options);
    const ofGradients = state.write('squareAvg', average(state.read('squareAvg'), square(g), rho));
    const ofSteps = state.read('accDelta');
    const delta = mul(div(sqrt(add(ofSteps, eps)), sqrt(add(ofGradients, eps))), g);
    state.write('accDelta', average(ofSteps, square(delta), rho));
    return sub(parameter, mul(delta, lr));
  }

  protected check(options: AdadeltaOptions): void {
    checkCommon('Adadelta', options);
    checkNumber('Adadelta', 'rho', options.rho, 0);
    if (options.rho > 1) throw new ValueError(`Adadelta: rho is a number in [0, 1], got ${options.rho}`);
    checkNumber('Adadelta', 'eps', options.eps, 0);
  }
}
