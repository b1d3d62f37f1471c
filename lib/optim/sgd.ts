import { ValueError } from '../errors';
import { add, mul, sub } from '../ops/elementwise';
import type { Tensor } from '../tensor/tensor';
import { descentGradient } from './formulas';
import { Optimizer, type CommonOptions, type Parameters, type Update } from './optimizer';
import { checkBoolean, checkChoice, checkCommon, checkNumber } from './options';
import type { RuleState } from './state';

/** How momentum is written: by PyTorch, in the classical form, or as an average of gradients. */
export type MomentumForm = 'torch' | 'classical' | 'averaged';

export interface SGDOptions extends CommonOptions {
  /** Share of the last direction that is kept. */
  momentum: number;
  /** Share of the gradient that does not enter the momentum, from the second step on. */
  dampening: number;
  /** Adds this much of the parameter to its gradient. */
  weightDecay: number;
  /** Looks ahead along the momentum (Nesterov 1983; in this form Sutskever et al. 2013). */
  nesterov: boolean;
  /** Which of the written forms of momentum. */
  momentumForm: MomentumForm;
}

const BUFFER = 'momentumBuffer';

const defaults: SGDOptions = {
  lr: 1e-3,
  momentum: 0,
  dampening: 0,
  weightDecay: 0,
  nesterov: false,
  momentumForm: 'torch',
  maximize: false,
};

/** Each written form: the new θ from θ and the gradient. m is 0 at first. */
const forms: Record<MomentumForm, (...given: [Tensor, Tensor, RuleState, SGDOptions]) => Tensor> = {
  torch(parameter, gradient, state, { lr, momentum, dampening, nesterov }) {
    const share = state.has(BUFFER) ? 1 - dampening : 1;
    const m = state.write(BUFFER, add(mul(state.read(BUFFER), momentum), mul(gradient, share)));
    return sub(parameter, mul(nesterov ? add(gradient, mul(m, momentum)) : m, lr));
  },
  classical(parameter, gradient, state, { lr, momentum, nesterov }) {
    const move = mul(gradient, lr);
    const m = state.write(BUFFER, sub(mul(state.read(BUFFER), momentum), move));
    return add(parameter, nesterov ? sub(mul(m, momentum), move) : m);
  },
  averaged(parameter, gradient, state, { lr, momentum, nesterov }) {
    const share = mul(gradient, 1 - momentum);
    const m = state.write(BUFFER, sub(mul(state.read(BUFFER), momentum), share));
    return add(parameter, mul(nesterov ? sub(mul(m, momentum), share) : m, lr));
  },
};

/**
 * Stochastic gradient descent: with g + weightDecay θ for the gradient, in the forms that are written,
 *
 *     torch:      m ← momentum m + (1 - dampening) g      θ ← θ - lr m         (m ← g at first)
 *     classical:  m ← momentum m - lr g                   θ ← θ + m
 *     averaged:   m ← momentum m - (1 - momentum) g       θ ← θ + lr m
 *
 * With a constant rate the first two move alike; classical lets a change of the rate enter slowly, and averaged makes steps
 * (1 - momentum) times as long. `nesterov` puts momentum m and the newest gradient in m's place. Throws ValueError for an
 * option outside its range, and for nesterov without momentum or with dampening.
 * Forms: Sutskever et al. 2013 (classical, nesterov); https://pytorch.org/docs/stable/generated/torch.optim.SGD.html.
 *
 *     const optimizer = new SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
 *     const heavyBall = new SGD(model.parameters(), { lr: 0.1, momentum: 0.9, momentumForm: 'classical' });
 */
export class SGD extends Optimizer<SGDOptions> {
  protected override readonly perElement = true;

  constructor(parameters: Parameters<SGDOptions>, options: Partial<SGDOptions> = {}) {
    super(parameters, defaults, options);
  }

  protected update({ parameter, gradient, state, options }: Update<SGDOptions>): Tensor {
    const direction = descentGradient(parameter, gradient, options);
    return options.momentum === 0
      ? sub(parameter, mul(direction, options.lr))
      : forms[options.momentumForm](parameter, direction, state, options);
  }

  protected check(options: SGDOptions): void {
    const { momentum, dampening, nesterov, momentumForm } = options;
    checkCommon('SGD', options);
    checkNumber('SGD', 'momentum', momentum, 0);
    checkNumber('SGD', 'dampening', dampening, -Infinity);
    checkBoolean('SGD', 'nesterov', nesterov);
    checkChoice('SGD', 'momentumForm', momentumForm, Object.keys(forms));
    if (nesterov && (momentum === 0 || dampening !== 0))
      throw new ValueError(
        `SGD: nesterov needs a momentum above 0 and no dampening, got momentum ${momentum}, dampening ${dampening}`,
      );
    if (momentumForm !== 'torch' && dampening !== 0)
      throw new ValueError(`SGD: dampening belongs to momentumForm torch, got ${dampening} with ${momentumForm}`);
  }
}
