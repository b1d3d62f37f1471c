import { add, div, mul, sqrt, square, sub } from '../ops/elementwise';
import type { Tensor } from '../tensor/tensor';
import { average, downhill } from './formulas';
import { Optimizer, type CommonOptions, type Parameters, type Update } from './optimizer';
import { checkBetas, checkCommon, checkNumber } from './options';

export interface AdanOptions extends CommonOptions {
  /** How much is kept at each step of the means of the gradient, of its changes, and of the square of both. */
  betas: readonly [number, number, number];
  /** Added to the denominator. */
  eps: number;
  /** Decoupled, in the proximal form: θ is divided by 1 + lr weightDecay. */
  weightDecay: number;
}

const defaults: AdanOptions = { lr: 1e-3, betas: [0.98, 0.92, 0.99], eps: 1e-8, weightDecay: 0, maximize: false };

/**
 * Adan (Xie et al. 2022, "Adan: Adaptive Nesterov Momentum Algorithm", algorithm 1): Nesterov's look ahead from the change of
 * the gradient, so that no second gradient is needed. With d = g - g' of the step before (0 at first), β the shares kept
 * (the paper writes 1 - β), and each mean divided by 1 - βᵗ as in the authors' code,
 *
 *     m ← β₁ m + (1 - β₁) g
 *     v ← β₂ v + (1 - β₂) d
 *     n ← β₃ n + (1 - β₃) (g + β₂ d)²
 *     θ ← (θ - lr (m̂ + β₂ v̂) / (√n̂ + eps)) / (1 + lr weightDecay)
 *
 * Throws ValueError unless betas are three numbers in [0, 1), or for another option that is negative or not a number.
 *
 *     const optimizer = new Adan(model.parameters(), { lr: 1e-3, weightDecay: 0.02 });
 *     await optimizer.step();
 */
export class Adan extends Optimizer<AdanOptions> {
  protected override readonly perElement = true;

  constructor(parameters: Parameters<AdanOptions>, options: Partial<AdanOptions> = {}) {
    super(parameters, defaults, options);
  }

  protected update({ parameter, gradient, state, options }: Update<AdanOptions>): Tensor {
    const { lr, eps, weightDecay, maximize } = options;
    const [beta1, beta2, beta3] = options.betas;
    const g = downhill(gradient, maximize);
    const change = mul(sub(g, state.read('prevGrad')), state.step === 1 ? 0 : 1);
    const m = state.write('expAvg', average(state.read('expAvg'), g, beta1));
    const v = state.write('expAvgDiff', average(state.read('expAvgDiff'), change, beta2));
    const ahead = add(g, mul(change, beta2));
    const n = state.write('expAvgSq', average(state.read('expAvgSq'), square(ahead), beta3));
    state.write('prevGrad', mul(g, 1));

    const of = (beta: number): number => 1 / (1 - beta ** state.step);
    const direction = add(mul(m, of(beta1)), mul(v, beta2 * of(beta2)));
    const scale = add(sqrt(mul(n, of(beta3))), eps);
    return mul(sub(parameter, mul(div(direction, scale), lr)), 1 / (1 + lr * weightDecay));
  }

  protected check(options: AdanOptions): void {
    checkCommon('Adan', options);
    checkBetas('Adan', options.betas, 3);
    checkNumber('Adan', 'eps', options.eps, 0);
  }
}
