import { ValueError } from '../../errors';
import { checkInteger } from '../../tensor/shape';
import { checkNumber } from '../options';
import { LRScheduler, type Scheduled } from './scheduler';

/**
 * Multiplies the rate by gamma at each milestone: lr = baseLr gamma^(number of milestones ≤ t).
 * Throws ValueError for milestones that are not integers in order, or a gamma that is negative or not a number.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.MultiStepLR.html.
 *
 *     const scheduler = new MultiStepLR(optimizer, [30, 80], { gamma: 0.1 });
 *     scheduler.step();
 */
export class MultiStepLR extends LRScheduler {
  readonly gamma: number;

  constructor(
    optimizer: Scheduled,
    readonly milestones: readonly number[],
    options: { gamma?: number } = {},
  ) {
    super(optimizer);
    this.gamma = options.gamma ?? 0.1;
    checkMilestones('MultiStepLR', milestones);
    checkNumber('MultiStepLR', 'gamma', this.gamma, 0);
    this.apply();
  }

  lrAt(step: number, baseLr: number): number {
    return baseLr * this.gamma ** this.milestones.filter((milestone) => milestone <= step).length;
  }
}

/**
 * A share of the rate until totalIters, all of it from there on: lr = factor baseLr for t < totalIters.
 * Throws ValueError for a factor outside [0, 1] or totalIters below 0.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ConstantLR.html.
 *
 *     const scheduler = new ConstantLR(optimizer, { factor: 0.1, totalIters: 5 });
 *     scheduler.step();
 */
export class ConstantLR extends LRScheduler {
  readonly factor: number;
  readonly totalIters: number;

  constructor(optimizer: Scheduled, options: { factor?: number; totalIters?: number } = {}) {
    super(optimizer);
    this.factor = options.factor ?? 1 / 3;
    this.totalIters = options.totalIters ?? 5;
    checkShare('ConstantLR', 'factor', this.factor);
    checkInteger('ConstantLR', 'totalIters', this.totalIters, 0);
    this.apply();
  }

  lrAt(step: number, baseLr: number): number {
    return step < this.totalIters ? baseLr * this.factor : baseLr;
  }
}

/**
 * From one share of the rate to another in a straight line:
 * lr = baseLr (startFactor + (endFactor - startFactor) min(t, totalIters) / totalIters).
 * Throws ValueError for factors outside [0, 1] or totalIters below 1.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.LinearLR.html.
 *
 *     const scheduler = new LinearLR(optimizer, { startFactor: 0.1, totalIters: 10 });
 *     scheduler.step();
 */
export class LinearLR extends LRScheduler {
  readonly startFactor: number;
  readonly endFactor: number;
  readonly totalIters: number;

  constructor(optimizer: Scheduled, options: { startFactor?: number; endFactor?: number; totalIters?: number } = {}) {
    super(optimizer);
    this.startFactor = options.startFactor ?? 1 / 3;
    this.endFactor = options.endFactor ?? 1;
    this.totalIters = options.totalIters ?? 5;
    checkShare('LinearLR', 'startFactor', this.startFactor);
    checkShare('LinearLR', 'endFactor', this.endFactor);
    checkInteger('LinearLR', 'totalIters', this.totalIters, 1);
    this.apply();
  }

  lrAt(step: number, baseLr: number): number {
    const { startFactor, endFactor, totalIters } = this;
    return baseLr * (startFactor + ((endFactor - startFactor) * Math.min(step, totalIters)) / totalIters);
  }
}

/**
 * The same factor at every step: lr = baseLr gammaᵗ. Throws ValueError for a gamma that is negative or not a number.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ExponentialLR.html.
 *
 *     const scheduler = new ExponentialLR(optimizer, 0.99);
 *     scheduler.step();
 */
export class ExponentialLR extends LRScheduler {
  constructor(
    optimizer: Scheduled,
    readonly gamma: number,
  ) {
    super(optimizer);
    checkNumber('ExponentialLR', 'gamma', gamma, 0);
    this.apply();
  }

  lrAt(step: number, baseLr: number): number {
    return baseLr * this.gamma ** step;
  }
}

/**
 * To 0 at totalIters along a power: lr = baseLr (1 - min(t, totalIters) / totalIters)^power.
 * Throws ValueError for totalIters below 1, or a power that is negative or not a number.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.PolynomialLR.html.
 *
 *     const scheduler = new PolynomialLR(optimizer, { totalIters: 100, power: 2 });
 *     scheduler.step();
 */
export class PolynomialLR extends LRScheduler {
  readonly totalIters: number;
  readonly power: number;

  constructor(optimizer: Scheduled, options: { totalIters?: number; power?: number } = {}) {
    super(optimizer);
    this.totalIters = options.totalIters ?? 5;
    this.power = options.power ?? 1;
    checkInteger('PolynomialLR', 'totalIters', this.totalIters, 1);
    checkNumber('PolynomialLR', 'power', this.power, 0);
    this.apply();
  }

  lrAt(step: number, baseLr: number): number {
    return baseLr * (1 - Math.min(step, this.totalIters) / this.totalIters) ** this.power;
  }
}

/** Throws ValueError unless milestones are integers of at least 0 that never fall. */
export function checkMilestones(owner: string, milestones: readonly number[]): void {
  if (!Array.isArray(milestones))
    throw new ValueError(`${owner}: milestones are a list of steps, got ${String(milestones)}`);
  milestones.forEach((milestone: unknown, index) =>
    checkInteger(owner, `milestones[${index}]`, milestone, (milestones[index - 1] as number | undefined) ?? 0),
  );
}

function checkShare(owner: string, name: string, value: number): void {
  if (!(value >= 0 && value <= 1)) throw new ValueError(`${owner}: ${name} is a number in [0, 1], got ${value}`);
}
