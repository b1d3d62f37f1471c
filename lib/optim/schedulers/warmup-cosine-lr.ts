import { ValueError } from '../../errors';
import { checkInteger } from '../../tensor/shape';
import { checkNumber } from '../options';
import { LRScheduler, type Scheduled } from './scheduler';

export interface WarmupCosineOptions {
  /** Steps until the full rate is reached. */
  warmupSteps?: number;
  /** The rate at the end, and after it. */
  etaMin?: number;
}

/**
 * Rises linearly to the full rate over `warmupSteps` (Goyal et al. 2017), then falls along half a cosine to etaMin at
 * `totalSteps` (Loshchilov and Hutter 2017):
 *
 *     t < warmupSteps:  lr = baseLr (t + 1) / (warmupSteps + 1)
 *     after:            lr = etaMin + (baseLr - etaMin) (1 + cos(π (t - warmupSteps) / (totalSteps - warmupSteps))) / 2
 *
 * Throws ValueError unless 0 ≤ warmupSteps < totalSteps.
 *
 *     const scheduler = new WarmupCosineLR(optimizer, epochs * loader.length, { warmupSteps: 100 });
 */
export class WarmupCosineLR extends LRScheduler {
  readonly warmupSteps: number;
  readonly etaMin: number;

  constructor(
    optimizer: Scheduled,
    readonly totalSteps: number,
    options: WarmupCosineOptions = {},
  ) {
    super(optimizer);
    this.warmupSteps = options.warmupSteps ?? 0;
    this.etaMin = options.etaMin ?? 0;
    checkInteger('WarmupCosineLR', 'totalSteps', totalSteps, 1);
    checkInteger('WarmupCosineLR', 'warmupSteps', this.warmupSteps, 0);
    checkNumber('WarmupCosineLR', 'etaMin', this.etaMin, 0);
    if (this.warmupSteps >= totalSteps)
      throw new ValueError(
        `WarmupCosineLR: warmupSteps is below totalSteps, got ${this.warmupSteps} of ${totalSteps} steps`,
      );
    this.apply();
  }

  lrAt(step: number, baseLr: number): number {
    const { warmupSteps, totalSteps, etaMin } = this;
    if (step < warmupSteps) return (baseLr * (step + 1)) / (warmupSteps + 1);
    const progress = Math.min(1, (step - warmupSteps) / (totalSteps - warmupSteps));
    return etaMin + ((baseLr - etaMin) * (1 + Math.cos(Math.PI * progress))) / 2;
  }
}
