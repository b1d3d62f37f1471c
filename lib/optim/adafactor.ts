import { ValueError } from '../errors';
import { add, div, maximum, mul, sqrt, square, sub } from '../ops/elementwise';
import { mean } from '../ops/reduce';
import type { Tensor } from '../tensor/tensor';
import { average, downhill, shrink } from './formulas';
import { Optimizer, type CommonOptions, type Parameters, type Update } from './optimizer';
import { checkCommon, checkNumber } from './options';

export interface AdafactorOptions extends CommonOptions {
  /** The mean of squares keeps 1 - t^beta2Decay at step t; below 0. */
  beta2Decay: number;
  /** Added to g²; the least size of a parameter, for its step. */
  eps: readonly [number, number];
  /** The largest root mean square of a step, before the rate; above 0. */
  d: number;
  /** Decoupled: lr weightDecay θ is taken off at each step. */
  weightDecay: number;
}

const defaults: AdafactorOptions = {
  lr: 1e-2,
  beta2Decay: -0.8,
  eps: [1e-30, 1e-3],
  d: 1,
  weightDecay: 0,
  maximize: false,
};

/**
 * Adafactor (Shazeer and Stern 2018, algorithms 4 and 5): Adam's mean square of an [n, m] matrix from n + m numbers, without
 * momentum, with steps relative to the size of the parameter. RMS(x) = √(mean of x²); at step t, with k = 1 - t^beta2Decay,
 *
 *     R ← k R + (1 - k) mean over columns of (g² + eps[0]);   C the same over rows;   V = R C / mean(R)
 *     U = g / √V,   U ← U / max(1, RMS(U) / d)
 *     θ ← θ - max(eps[1], RMS(θ)) min(lr, 1 / √t) U
 *
 * Parameters of one dim keep V itself; those of more than two, matrices of their last two. Throws ValueError for an option
 * outside its range. Names and defaults: https://pytorch.org/docs/stable/generated/torch.optim.Adafactor.html.
 *
 *     const optimizer = new Adafactor(model.parameters());
 *     await optimizer.step();
 */
export class Adafactor extends Optimizer<AdafactorOptions> {
  constructor(parameters: Parameters<AdafactorOptions>, options: Partial<AdafactorOptions> = {}) {
    super(parameters, defaults, options);
  }

  protected update({ parameter, gradient, state, options }: Update<AdafactorOptions>): Tensor {
    const { lr, beta2Decay, eps, d, weightDecay, maximize } = options;
    const keep = 1 - state.step ** beta2Decay;
    const g = downhill(gradient, maximize);
    const squares = add(square(g), eps[0]);
    const step = parameter.rank < 2 ? plain() : factored();
    const clipped = div(step, maximum(div(rootMeanSquare(step), d), 1));
    const rate = mul(maximum(rootMeanSquare(parameter), eps[1]), Math.min(lr, 1 / Math.sqrt(state.step)));
    return sub(shrink(parameter, lr * weightDecay), mul(clipped, rate));

    function plain(): Tensor {
      return div(g, sqrt(state.write('variance', average(state.read('variance'), squares, keep))));
    }

    function factored(): Tensor {
      const ofRows = mean(squares, { dim: -1, keepdim: true });
      const ofColumns = mean(squares, { dim: -2, keepdim: true });
      const rows = state.write('rowVar', average(state.read('rowVar', { shape: ofRows.shape }), ofRows, keep));
      const columns = state.write('colVar', average(state.read('colVar', { shape: ofColumns.shape }), ofColumns, keep));
      // One root after the other: where a row and a column have no gradient, V itself would be 0 in float32, and g / √V NaN.
      return div(div(g, div(sqrt(rows), sqrt(mean(rows, { dim: -2, keepdim: true })))), sqrt(columns));
    }
  }

  protected check(options: AdafactorOptions): void {
    checkCommon('Adafactor', options);
    checkNumber('Adafactor', 'beta2Decay', options.beta2Decay, -Infinity, 0);
    if (!Array.isArray(options.eps) || options.eps.length !== 2)
      throw new ValueError(`Adafactor: eps are two numbers, got ${String(options.eps)}`);
    options.eps.forEach((eps: unknown, index) => checkNumber('Adafactor', `eps[${index}]`, eps, 0));
    checkNumber('Adafactor', 'd', options.d, Number.MIN_VALUE);
  }
}

function rootMeanSquare(x: Tensor): Tensor {
  return sqrt(mean(square(x)));
}
