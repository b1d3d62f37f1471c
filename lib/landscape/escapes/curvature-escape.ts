import { ValueError } from '../../errors';
import { noGrad } from '../../graph/modes';
import { readItem } from '../../graph/reading';
import { zerosLike } from '../../ops/create';
import { add, mul } from '../../ops/elementwise';
import { Generator } from '../../ops/random';
import { normOf } from '../../optim/clip';
import { LBFGS } from '../../optim/lbfgs';
import { checkNames, checkNumber } from '../../optim/options';
import { checkInteger } from '../../tensor/shape';
import { TensorBase, type Tensor, type Variable } from '../../tensor/tensor';
import { refuseInTrace } from '../../tensor/tracing';
import type { Loss } from '../curvature';
import { escapeDirection, type EscapeDirection } from './escape-direction';
import { Wrapper, type WrappedOptimizer } from './wrapper';

export interface CurvatureEscapeOptions {
  /** Of a fixed batch, the model in evaluation mode: what the curvature is taken of. */
  readonly loss: Loss;
  /** Gradients up to this length count as a stall. Default: 1e-3. */
  readonly gradientThreshold?: number;
  /** Steps between two looks at the curvature at least. Default: 50. */
  readonly every?: number;
  /** Default: one with seed 0. */
  readonly generator?: Generator;
  readonly onEscape?: (escape: EscapeDirection) => void;
}

/**
 * Leaves saddle points along the most negative curvature (`escapeDirection`) in place of a step, where the gradient is short.
 * It needs numbers on its way: await every step before the next. Throws ValueError for options outside what is possible, and for
 * a step before the last one has ended.
 *
 *     const optimizer = new CurvatureEscape(new SGD(params, { lr: 0.1 }), { loss });
 *     await optimizer.step(closure);
 */
export class CurvatureEscape extends Wrapper {
  readonly #options: Required<Omit<CurvatureEscapeOptions, 'onEscape'>> & Pick<CurvatureEscapeOptions, 'onEscape'>;
  readonly #since: Variable;
  #busy = false;

  constructor(optimizer: WrappedOptimizer, options: CurvatureEscapeOptions) {
    super(optimizer, options?.generator ?? new Generator(0));
    checkNames('CurvatureEscape', options ?? {}, {
      loss: 0,
      gradientThreshold: 0,
      every: 0,
      generator: 0,
      onEscape: 0,
    });
    if (typeof options?.loss !== 'function')
      throw new ValueError(`CurvatureEscape: needs { loss }, a function, got ${typeof options?.loss}`);
    const { gradientThreshold = 1e-3, every = 50 } = options;
    checkNumber('CurvatureEscape', 'gradientThreshold', gradientThreshold, Number.MIN_VALUE);
    checkInteger('CurvatureEscape', 'every', every, 1);
    this.#options = { ...options, gradientThreshold, every, generator: this.generator };
    this.#since = this.counter('since', every);
  }

  override async step(closure: () => Tensor): Promise<void> {
    refuseInTrace('CurvatureEscape reads numbers', 'step it outside of the compiled function');
    if (this.#busy) throw new ValueError('CurvatureEscape: await a step before the next one');
    this.#busy = true;
    try {
      const { loss, gradientThreshold, every, generator, onEscape } = this.#options;
      const value = closure();
      if (!(value instanceof TensorBase))
        throw new ValueError('CurvatureEscape: the closure returns the loss, a tensor');
      const isDue = (await readItem(this.#since.current)) >= every;
      const isStall = isDue && (await this.#gradientNorm()) <= gradientThreshold;
      this.#since.assign(noGrad(() => (isStall ? zerosLike(this.#since) : add(this.#since, 1))));
      if (isStall) {
        const escape = await escapeDirection(loss, this.params, { generator });
        if (escape.step > 0) {
          noGrad(() =>
            this.params.forEach((parameter, i) =>
              parameter.assign(add(parameter, mul(escape.direction[i]!, escape.step))),
            ),
          );
          onEscape?.(escape);
          return;
        }
      }
      // Gradients are there already, but LBFGS computes them at points of its own.
      await super.step(this.optimizer instanceof LBFGS ? closure : () => value);
    } finally {
      this.#busy = false;
    }
  }

  protected interfere(): readonly Variable[] {
    return [];
  }

  #gradientNorm(): PromiseLike<number> {
    const gradients = this.params.flatMap(({ grad }) => (grad === null ? [] : [grad]));
    if (gradients.length === 0)
      throw new ValueError('CurvatureEscape: no parameter has a gradient; does the closure call backward()?');
    return readItem(noGrad(() => normOf(gradients)));
  }
}
