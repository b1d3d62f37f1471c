import { ValueError } from '../../errors';
import { LRScheduler, perGroup, type PerGroup, type Scheduled } from './scheduler';

type Factor = (step: number) => number;

/**
 * Any function of the step: lr = baseLr f(t), with one f for all groups or one for each.
 * Throws ValueError for what is not a function, or for a list of another length than the groups.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LambdaLR.html.
 *
 *     const scheduler = new LambdaLR(optimizer, (epoch) => 0.95 ** epoch);
 *     scheduler.step();
 */
export class LambdaLR extends LRScheduler {
  readonly #factors: Factor[];

  constructor(optimizer: Scheduled, lrLambda: PerGroup<Factor>) {
    super(optimizer);
    this.#factors = functions('LambdaLR', lrLambda, optimizer);
    this.apply();
  }

  lrAt(step: number, baseLr: number, group: number): number {
    return baseLr * this.#factors[group]!(step);
  }
}

/**
 * A factor for each step: lr = baseLr f(1) f(2) … f(t), with one f for all groups or one for each.
 * Throws ValueError for what is not a function, or for a list of another length than the groups.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiplicativeLR.html.
 *
 *     const scheduler = new MultiplicativeLR(optimizer, () => 0.95);
 *     scheduler.step();
 */
export class MultiplicativeLR extends LRScheduler {
  readonly #factors: Factor[];
  /** For each group the product up to each step: what has been computed of it. */
  readonly #products: number[][];

  constructor(optimizer: Scheduled, lrLambda: PerGroup<Factor>) {
    super(optimizer);
    this.#factors = functions('MultiplicativeLR', lrLambda, optimizer);
    this.#products = this.#factors.map(() => [1]);
    this.apply();
  }

  lrAt(step: number, baseLr: number, group: number): number {
    const products = this.#products[group]!;
    for (let t = products.length; t <= step; t++) products.push(products[t - 1]! * this.#factors[group]!(t));
    return baseLr * products[step]!;
  }
}

function functions(owner: string, lrLambda: PerGroup<Factor>, optimizer: Scheduled): Factor[] {
  const factors = perGroup(owner, 'lrLambda', lrLambda, optimizer);
  for (const factor of factors)
    if (typeof factor !== 'function') throw new ValueError(`${owner}: lrLambda is a function, got ${typeof factor}`);
  return factors;
}
