import { add, div, maximum, mul, sqrt, square, sub } from '../ops/elementwise';
import type { Tensor } from '../tensor/tensor';
import { descentGradient, downhill, shrink } from './formulas';
import { Optimizer, type CommonOptions, type Parameters, type Update } from './optimizer';
import { checkBetas, checkBoolean, checkCommon, checkNumber } from './options';
import type { RuleState } from './state';

export interface AdamOptions extends CommonOptions {
  /** How much of the running means of the gradient and of its square is kept at each step. */
  betas: readonly [number, number];
  /** Added to the denominator. */
  eps: number;
  weightDecay: number;
  /** Divides by the largest mean square so far (Reddi, Kale and Kumar 2018). */
  amsgrad: boolean;
}

const defaults: AdamOptions = {
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  amsgrad: false,
  maximize: false,
};

/**
 * Adam (Kingma and Ba 2015): with g + weightDecay θ for the gradient, at step t
 *
 *     m ← β₁ m + (1 - β₁) g
 *     v ← β₂ v + (1 - β₂) g²
 *     θ ← θ - lr m̂ / (√v̂ + eps),   m̂ = m / (1 - β₁ᵗ),   v̂ = v / (1 - β₂ᵗ)
 *
 *     const optimizer = new Adam(model.parameters(), { lr: 1e-3 });
 */
export class Adam extends Optimizer<AdamOptions> {
  protected override readonly perElement = true;

  constructor(parameters: Parameters<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(parameters, defaults, options);
  }

  protected update({ parameter, gradient, state, options }: Update<AdamOptions>): Tensor {
    return adam(parameter, descentGradient(parameter, gradient, options), state, options);
  }

  protected check(options: AdamOptions): void {
    checkAdam(this.name, options);
  }
}

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter 2019): θ ← (1 - lr weightDecay) θ, then Adam's step on the
 * gradient alone.
 *
 *     const optimizer = new AdamW(model.parameters(), { lr: 1e-3, weightDecay: 0.05 });
 */
export class AdamW extends Optimizer<AdamOptions> {
  protected override readonly perElement = true;

  constructor(parameters: Parameters<AdamOptions>, options: Partial<AdamOptions> = {}) {
    super(parameters, { ...defaults, weightDecay: 0.01 }, options);
  }

  protected update({ parameter, gradient, state, options }: Update<AdamOptions>): Tensor {
    return adamW(parameter, downhill(gradient, options.maximize), state, options);
  }

  protected check(options: AdamOptions): void {
    checkAdam(this.name, options);
  }
}

type Given = [parameter: Tensor, gradient: Tensor, state: RuleState, options: Omit<AdamOptions, 'maximize'>];

/** AdamW's new parameter; the gradient points uphill. */
export function adamW(...[parameter, gradient, state, options]: Given): Tensor {
  return adam(shrink(parameter, options.lr * options.weightDecay), gradient, state, options);
}

function adam(...[parameter, gradient, state, options]: Given): Tensor {
  const [beta1, beta2] = options.betas;
  const mean = state.write('expAvg', add(mul(state.read('expAvg'), beta1), mul(gradient, 1 - beta1)));
  let meanSquare = state.write('expAvgSq', add(mul(state.read('expAvgSq'), beta2), mul(square(gradient), 1 - beta2)));
  if (options.amsgrad) meanSquare = state.write('maxExpAvgSq', maximum(state.read('maxExpAvgSq'), meanSquare));
  // The paper's order of computation (end of its section 2), with eps scaled so that it stands where PyTorch has it.
  const correction = Math.sqrt(1 - beta2 ** state.step);
  const rate = (options.lr * correction) / (1 - beta1 ** state.step);
  return sub(parameter, mul(div(mean, add(sqrt(meanSquare), options.eps * correction)), rate));
}

function checkAdam(name: string, options: AdamOptions): void {
  checkCommon(name, options);
  checkBetas(name, options.betas, 2);
  checkNumber(name, 'eps', options.eps, 0);
  checkBoolean(name, 'amsgrad', options.amsgrad);
}
