import { add, div, gt, logicalAnd, mul, sqrt, square, sub, where } from '../ops/elementwise';
import type { Tensor } from '../tensor/tensor';
import { average, downhill, norm } from './formulas';
import { Optimizer, type CommonOptions, type Parameters, type Update } from './optimizer';
import { checkBetas, checkCommon, checkNumber } from './options';

export interface LAMBOptions extends CommonOptions {
  /** How much of the running means of the gradient and of its square is kept at each step. */
  betas: readonly [number, number];
  /** Added to the denominator. */
  eps: number;
  /** Adds this much of the parameter to its step, before the step is scaled. */
  weightDecay: number;
}

const defaults: LAMBOptions = { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-6, weightDecay: 0.01, maximize: false };

/**
 * LAMB (You et al. 2020, "Large Batch Optimization for Deep Learning", algorithm 2): Adam whose step is as long as each
 * parameter tensor is large. With m̂, v̂ of Adam,
 *
 *     r = m̂ / (√v̂ + eps) + weightDecay θ
 *     θ ← θ - lr ‖θ‖ / ‖r‖ r                  (‖θ‖ / ‖r‖ is 1 where either is 0)
 *
 * Throws ValueError for betas outside [0, 1), or another option that is negative or not a number.
 *
 *     const optimizer = new LAMB(model.parameters(), { lr: 2e-3 });
 *     await optimizer.step();
 */
export class LAMB extends Optimizer<LAMBOptions> {
  constructor(parameters: Parameters<LAMBOptions>, options: Partial<LAMBOptions> = {}) {
    super(parameters, defaults, options);
  }

  protected update({ parameter, gradient, state, options }: Update<LAMBOptions>): Tensor {
    const { lr, eps, weightDecay, maximize } = options;
    const [beta1, beta2] = options.betas;
    const g = downhill(gradient, maximize);
    const mean = state.write('expAvg', average(state.read('expAvg'), g, beta1));
    const meanSquare = state.write('expAvgSq', average(state.read('expAvgSq'), square(g), beta2));
    const scale = add(sqrt(mul(meanSquare, 1 / (1 - beta2 ** state.step))), eps);
    const adam = div(mul(mean, 1 / (1 - beta1 ** state.step)), scale);
    const direction = weightDecay === 0 ? adam : add(adam, mul(parameter, weightDecay));

    const size = norm(parameter);
    const length = norm(direction);
    const trust = where(logicalAnd(gt(size, 0), gt(length, 0)), div(size, length), 1);
    return sub(parameter, mul(direction, mul(trust, lr)));
  }

  protected check(options: LAMBOptions): void {
    checkCommon('LAMB', options);
    checkBetas('LAMB', options.betas, 2);
    checkNumber('LAMB', 'eps', options.eps, 0);
  }
}
