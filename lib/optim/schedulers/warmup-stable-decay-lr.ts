import { ValueError } from '../../errors';
import { checkInteger } from '../../tensor/shape';
import { checkChoice, checkNames, checkNumber } from '../options';
import { cosineBetween } from './cosine-annealing-lr';
import { LRScheduler, type Scheduled } from './scheduler';

export interface WarmupStableDecayOptions {
  /** Steps until the full rate is reached. */
  warmupSteps?: number;
  /** Steps of the fall at the end; a tenth of all unless told otherwise. */
  decaySteps?: number;
  /** The form of the fall: a line, half a cosine, or 1 - √progress. */
  decay?: 'linear' | 'cosine' | 'sqrt';
  /** The rate at the end, and after it. */
  etaMin?: number;
}

/**
 * Warm-up, stable, decay (Hu et al. 2024, "MiniCPM"; forms of the fall: Hägele et al. 2024): the full rate for most of the
 * training, so that its end can be put off, and a fall in the last steps, in which the loss drops.
 *
 *     t < warmupSteps:                lr = baseLr (t + 1) / (warmupSteps + 1)
 *     t < totalSteps - decaySteps:    lr = baseLr
 *     after, with p = share of decaySteps gone:  lr = etaMin + (baseLr - etaMin) (1 - p)  or  (1 + cos π p) / 2  or  1 - √p
 *
 * Throws ValueError unless the counts are integers with warmupSteps + decaySteps ≤ totalSteps and 1 ≤ decaySteps.
 *
 *     const scheduler = new WarmupStableDecayLR(optimizer, 1000, { warmupSteps: 50, decaySteps: 200 });
 *     scheduler.step();
 */
export class WarmupStableDecayLR extends LRScheduler {
  readonly warmupSteps: number;
  readonly decaySteps: number;
  readonly decay: 'linear' | 'cosine' | 'sqrt';
  readonly etaMin: number;

  constructor(
    optimizer: Scheduled,
    readonly totalSteps: number,
    options: WarmupStableDecayOptions = {},
  ) {
    super(optimizer);
    checkNames('WarmupStableDecayLR', options, { warmupSteps: 0, decaySteps: 0, decay: 0, etaMin: 0 });
    checkInteger('WarmupStableDecayLR', 'totalSteps', totalSteps, 1);
    this.warmupSteps = options.warmupSteps ?? 0;
    this.decaySteps = options.decaySteps ?? Math.ceil(totalSteps / 10);
    this.decay = options.decay ?? 'linear';
    this.etaMin = options.etaMin ?? 0;
    checkInteger('WarmupStableDecayLR', 'warmupSteps', this.warmupSteps, 0);
    checkInteger('WarmupStableDecayLR', 'decaySteps', this.decaySteps, 1);
    checkChoice('WarmupStableDecayLR', 'decay', this.decay, ['linear', 'cosine', 'sqrt']);
    checkNumber('WarmupStableDecayLR', 'etaMin', this.etaMin, 0);
    if (this.warmupSteps + this.decaySteps > totalSteps)
      throw new ValueError(
        `WarmupStableDecayLR: ${this.warmupSteps} warmupSteps and ${this.decaySteps} decaySteps exceed ${totalSteps}`,
      );
    this.apply();
  }

  lrAt(step: number, baseLr: number): number {
    const { warmupSteps, totalSteps, decaySteps, etaMin } = this;
    if (step < warmupSteps) return (baseLr * (step + 1)) / (warmupSteps + 1);
    const progress = Math.min(1, Math.max(0, (step - totalSteps + decaySteps) / decaySteps));
    if (this.decay === 'cosine') return cosineBetween(baseLr, etaMin, progress);
    return etaMin + (baseLr - etaMin) * (1 - (this.decay === 'sqrt' ? Math.sqrt(progress) : progress));
  }
}
