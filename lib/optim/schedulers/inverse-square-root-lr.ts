import { checkInteger } from '../../tensor/shape';
import { LRScheduler, type Scheduled } from './scheduler';

/**
 * The Transformer's schedule (Vaswani et al. 2017, section 5.3): a linear rise, then a fall with the root of the step. With
 * s = t + 1, lr = baseLr min(s / warmupSteps, √(warmupSteps / s)); the paper's rate is this one with
 * baseLr = 1 / √(dModel warmupSteps). Throws ValueError unless warmupSteps is an integer of at least 1.
 *
 *     const scheduler = new InverseSquareRootLR(optimizer, 4000);
 *     scheduler.step();
 */
export class InverseSquareRootLR extends LRScheduler {
  constructor(
    optimizer: Scheduled,
    readonly warmupSteps: number,
  ) {
    super(optimizer);
    checkInteger('InverseSquareRootLR', 'warmupSteps', warmupSteps, 1);
    this.apply();
  }

  lrAt(step: number, baseLr: number): number {
    const s = step + 1;
    return baseLr * Math.min(s / this.warmupSteps, Math.sqrt(this.warmupSteps / s));
  }
}
