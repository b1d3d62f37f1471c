import { ValueError } from '../errors';
import { add, mul, neg, sub } from '../ops/elementwise';
import type { Tensor } from '../tensor/tensor';
import { Optimizer, type CommonOptions, type Parameters, type Update } from './optimizer';
import { checkBoolean, checkNumber } from './options';

export interface SGDOptions extends CommonOptions {
  /** Share of the last direction that is kept. */
  momentum: number;
  /** Share of the gradient that does not enter the momentum, from the second step on. */
  dampening: number;
  /** Adds this much of the parameter to its gradient. */
  weightDecay: number;
  /** Looks ahead along the momentum (Nesterov 1983; in this form Sutskever et al. 2013). */
  nesterov: boolean;
}

const defaults: SGDOptions = {
  lr: 1e-3,
  momentum: 0,
  dampening: 0,
  weightDecay: 0,
  nesterov: false,
  maximize: false,
};

/**
 * Stochastic gradient descent: with g + weightDecay θ for the gradient,
 *
 *     m ← momentum m + (1 - dampening) g      (m ← g at first)
 *     θ ← θ - lr m                            (nesterov: θ ← θ - lr (g + momentum m))
 *
 *     const optimizer = new SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
 */
export class SGD extends Optimizer<SGDOptions> {
  constructor(parameters: Parameters<SGDOptions>, options: Partial<SGDOptions> = {}) {
    super(parameters, defaults, options);
  }

  protected update({ parameter, gradient, state, options }: Update<SGDOptions>): Tensor {
    const { lr, momentum, dampening, weightDecay, nesterov, maximize } = options;
    let direction = maximize ? neg(gradient) : gradient;
    if (weightDecay !== 0) direction = add(direction, mul(parameter, weightDecay));
    if (momentum !== 0) {
      const share = state.has('momentumBuffer') ? 1 - dampening : 1;
      const buffer = add(mul(state.read('momentumBuffer'), momentum), mul(direction, share));
      state.write('momentumBuffer', buffer);
      direction = nesterov ? add(direction, mul(buffer, momentum)) : buffer;
    }
    return sub(parameter, mul(direction, lr));
  }

  protected check(options: SGDOptions): void {
    checkNumber('SGD', 'lr', options.lr, 0);
    checkNumber('SGD', 'momentum', options.momentum, 0);
    checkNumber('SGD', 'dampening', options.dampening, -Infinity);
    checkNumber('SGD', 'weightDecay', options.weightDecay, 0);
    checkBoolean('SGD', 'nesterov', options.nesterov);
    checkBoolean('SGD', 'maximize', options.maximize);
    if (options.nesterov && (options.momentum === 0 || options.dampening !== 0))
      throw new ValueError(
        `SGD: nesterov needs a momentum above 0 and no dampening, got momentum ${options.momentum}, dampening ${options.dampening}`,
      );
  }
}
