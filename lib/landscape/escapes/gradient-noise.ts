import { add, div, mul, pow, sqrt, sub } from '../../ops/elementwise';
import { noGrad } from '../../graph/modes';
import { cast } from '../../ops/cast';
import { Generator, randn } from '../../ops/random';
import { checkNames, checkNumber } from '../../optim/options';
import { withoutCapturing, type Tensor, type Variable } from '../../tensor/tensor';
import { Wrapper, type WrappedOptimizer } from './wrapper';

export interface GradientNoiseOptions {
  /** Variance of the first step's noise. Default: 0.3. */
  readonly eta?: number;
  /** How fast the variance falls: by (1 + t)^-gamma. Default: 0.55. */
  readonly gamma?: number;
  /** Default: one with seed 0. */
  readonly generator?: Generator;
}

/**
 * Adds Gaussian noise of variance eta / (1 + t)^gamma to every element of the gradients at step t, from 0: Neelakantan et al.,
 * "Adding Gradient Noise Improves Learning for Very Deep Networks", 2015, who tried eta of 0.01, 0.3 and 1. Throws ValueError
 * for eta or gamma below 0.
 *
 *     const optimizer = new GradientNoise(new SGD(model.parameters(), { lr: 0.1 }), { eta: 0.01 });
 *     await optimizer.step(closure);
 */
export class GradientNoise extends Wrapper {
  readonly #eta: number;
  readonly #gamma: number;
  readonly #steps: Variable;

  constructor(optimizer: WrappedOptimizer, options: GradientNoiseOptions = {}) {
    super(optimizer, options.generator ?? new Generator(0));
    checkNames('GradientNoise', options, { eta: 0, gamma: 0, generator: 0 });
    const { eta = 0.3, gamma = 0.55 } = options;
    checkNumber('GradientNoise', 'eta', eta, 0);
    checkNumber('GradientNoise', 'gamma', gamma, 0);
    [this.#eta, this.#gamma] = [eta, gamma];
    this.#steps = this.counter('steps', 0);
  }

  protected interfere(): readonly Variable[] {
    this.#addNoise(this.#steps.current);
    this.#steps.replace(add(this.#steps.current, 1));
    return [];
  }

  protected override repeat(closure: () => Tensor): () => Tensor {
    // Of the step that was counted already.
    const steps = noGrad(() => sub(this.#steps.current, 1));
    return () => {
      const loss = closure();
      noGrad(() => withoutCapturing(() => this.#addNoise(steps)));
      return loss;
    };
  }

  #addNoise(steps: Tensor): void {
    const deviation = sqrt(div(this.#eta, pow(add(steps, 1), this.#gamma)));
    for (const parameter of this.params) {
      const gradient = parameter.currentGrad;
      if (gradient === null) continue;
      const { dtype, shape } = gradient;
      const noise = randn(shape, { dtype, generator: this.generator });
      parameter.grad = add(gradient, mul(noise, cast(deviation, dtype)));
    }
  }
}
