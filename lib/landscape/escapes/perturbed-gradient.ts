import { ValueError } from '../../errors';
import { cast } from '../../ops/cast';
import { tensor, zerosLike } from '../../ops/create';
import { add, div, ge, le, logicalAnd, logicalNot, lt, mul, pow, where } from '../../ops/elementwise';
import { Generator, rand, randn } from '../../ops/random';
import { reshape } from '../../ops/shape';
import { normOf } from '../../optim/clip';
import { checkBoolean, checkNames, checkNumber } from '../../optim/options';
import { checkInteger } from '../../tensor/shape';
import type { Tensor, Variable } from '../../tensor/tensor';
import { Wrapper, type WrappedOptimizer } from './wrapper';

export interface PerturbedGradientOptions {
  /** Of the ball from which perturbations are drawn, over all parameters together. Default: 0.1. */
  readonly radius?: number;
  /** Gradients up to this length count as a stall. Default: 1e-3. */
  readonly gradientThreshold?: number;
  /** Steps between two perturbations at least, and steps after which one must have helped. Default: 50. */
  readonly every?: number;
  /**
   * Whether to go back to where a perturbation started if the loss is not lower `every` steps later: that was a minimum, which
   * is not perturbed again before the gradient has been long. Takes one copy of the parameters. Default: true.
   */
  readonly restore?: boolean;
  /** Default: one with seed 0. */
  readonly generator?: Generator;
}

/**
 * Leaves saddle points: where the gradient is short, the parameters are moved to a point drawn uniformly from a ball around
 * them before the step, which takes the gradient of where they were. Losses before a perturbation and `every` steps after it
 * are compared: let the closure's be of all data, or of batches that are alike. A training that ends sooner ends perturbed, and
 * a rule with momentum goes on a little from where it is put back to. Jin, Ge, Netrapalli, Kakade and Jordan, "How to Escape
 * Saddle Points Efficiently", 2017. Throws ValueError for a radius or threshold that is not positive.
 *
 *     const optimizer = new PerturbedGradient(new SGD(model.parameters(), { lr: 0.1 }), { radius: 0.1 });
 *     await optimizer.step(closure);
 */
export class PerturbedGradient extends Wrapper {
  readonly #radius: number;
  readonly #threshold: number;
  readonly #every: number;
  readonly #since: Variable;
  /** 1 after a perturbation that is not judged yet. */
  readonly #pending: Variable;
  /** 1 at a minimum that a perturbation has found. */
  readonly #settled: Variable;
  /** Where the last perturbation started. */
  readonly #anchors: readonly Variable[] | null;
  readonly #anchorLoss: Variable;

  constructor(optimizer: WrappedOptimizer, options: PerturbedGradientOptions = {}) {
    super(optimizer, options.generator ?? new Generator(0));
    const known = { radius: 0, gradientThreshold: 0, every: 0, restore: 0, generator: 0 };
    checkNames('PerturbedGradient', options, known);
    const { radius = 0.1, gradientThreshold = 1e-3, every = 50, restore = true } = options;
    checkNumber('PerturbedGradient', 'radius', radius, Number.MIN_VALUE);
    checkNumber('PerturbedGradient', 'gradientThreshold', gradientThreshold, Number.MIN_VALUE);
    checkInteger('PerturbedGradient', 'every', every, 1);
    checkBoolean('PerturbedGradient', 'restore', restore);
    [this.#radius, this.#threshold, this.#every] = [radius, gradientThreshold, every];
    this.#since = this.counter('since', every);
    this.#pending = this.counter('pending', 0);
    this.#settled = this.counter('settled', 0);
    this.#anchorLoss = this.keep('anchorLoss', tensor(0, { dtype: 'float64' }));
    this.#anchors = restore ? this.params.map((parameter, i) => this.keep(`anchor${i}`, zerosLike(parameter))) : null;
  }

  protected interfere(loss: Tensor): readonly Variable[] {
    const gradients = this.params.map(({ currentGrad }) => currentGrad);
    const present = gradients.filter((g) => g !== null);
    if (present.length === 0)
      throw new ValueError('PerturbedGradient: no parameter has a gradient; does the closure call backward()?');
    const [since, pending, settled] = [this.#since.current, this.#pending.current, this.#settled.current];
    const value = cast(reshape(loss, []), 'float64');

    const isShort = le(normOf(present), this.#threshold);
    const isDue = ge(since, this.#every);
    const isJudged = logicalAnd(isDue, ge(pending, 1));
    // A loss that is not a number has not fallen.
    const goesBack = logicalAnd(isJudged, logicalNot(lt(value, this.#anchorLoss.current)));
    const perturbs = logicalAnd(logicalAnd(isShort, isDue), logicalNot(goesBack));
    const moves = logicalAnd(perturbs, le(settled, 0));

    const noise = this.#uniformInBall();
    this.params.forEach((parameter, i) => {
      const start = parameter.current;
      const perturbed = where(moves, add(start, noise[i]!), start);
      const anchor = this.#anchors?.[i];
      if (anchor === undefined) {
        parameter.replace(perturbed);
        return;
      }
      const before = anchor.current;
      parameter.replace(where(goesBack, before, perturbed));
      // That of the point that is left says nothing here.
      const gradient = gradients[i]!;
      if (gradient !== null) parameter.grad = where(goesBack, 0, gradient);
      anchor.replace(where(moves, start, before));
    });
    if (this.#anchors !== null) {
      this.#anchorLoss.replace(where(moves, value, this.#anchorLoss.current));
      this.#pending.replace(where(moves, 1, where(isJudged, 0, pending)));
      // A long gradient ends the rest at a minimum.
      this.#settled.replace(where(goesBack, 1, where(isShort, settled, 0)));
    }
    this.#since.replace(add(where(moves, 0, since), 1));
    return this.params;
  }

  /** A direction of Gaussians has no preference; the radius has the density of the ball's shells. */
  #uniformInBall(): Tensor[] {
    const size = this.params.reduce((total, parameter) => total + parameter.size, 0);
    const { generator } = this;
    const parts = this.params.map(({ shape, dtype }) => randn(shape, { dtype, generator }));
    const distance = mul(pow(rand([], { generator }), 1 / size), this.#radius);
    const scale = div(distance, normOf(parts));
    return parts.map((part) => mul(part, cast(scale, part.dtype)));
  }
}
