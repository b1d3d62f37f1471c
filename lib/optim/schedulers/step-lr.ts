import { checkInteger } from '../../tensor/shape';
import { checkNumber } from '../options';
import { LRScheduler, type Scheduled } from './scheduler';

/**
 * Multiplies the rate by gamma every `stepSize` steps: lr = baseLr gamma^⌊t / stepSize⌋.
 * Throws ValueError for a stepSize below 1, or a gamma that is negative or not a number.
 *
 *     const scheduler = new StepLR(optimizer, 30, { gamma: 0.1 });
 */
export class StepLR extends LRScheduler {
  readonly gamma: number;

  constructor(
    optimizer: Scheduled,
    readonly stepSize: number,
    options: { gamma?: number } = {},
  ) {
    super(optimizer);
    this.gamma = options.gamma ?? 0.1;
    checkInteger('StepLR', 'stepSize', stepSize, 1);
    checkNumber('StepLR', 'gamma', this.gamma, 0);
    this.apply();
  }

  lrAt(step: number, baseLr: number): number {
    return baseLr * this.gamma ** Math.floor(step / this.stepSize);
  }
}
