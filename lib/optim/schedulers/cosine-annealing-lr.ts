import { checkInteger } from '../../tensor/shape';
import { checkNumber } from '../options';
import { LRScheduler, type Scheduled } from './scheduler';

/** From `start` to `end` along half a cosine, as `progress` goes from 0 to 1. */
export function cosineBetween(start: number, end: number, progress: number): number {
  return end + ((start - end) * (1 + Math.cos(Math.PI * progress))) / 2;
}

/**
 * Half a cosine down to etaMin at tMax, and up again after it (Loshchilov and Hutter 2017, without restarts):
 * lr = etaMin + (baseLr - etaMin) (1 + cos(π t / tMax)) / 2. Throws ValueError for tMax below 1 or etaMin below 0.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingLR.html.
 *
 *     const scheduler = new CosineAnnealingLR(optimizer, epochs, { etaMin: 1e-5 });
 *     scheduler.step();
 */
export class CosineAnnealingLR extends LRScheduler {
  readonly etaMin: number;

  constructor(
    optimizer: Scheduled,
    readonly tMax: number,
    options: { etaMin?: number } = {},
  ) {
    super(optimizer);
    this.etaMin = options.etaMin ?? 0;
    checkInteger('CosineAnnealingLR', 'tMax', tMax, 1);
    checkNumber('CosineAnnealingLR', 'etaMin', this.etaMin, 0);
    this.apply();
  }

  lrAt(step: number, baseLr: number): number {
    return cosineBetween(baseLr, this.etaMin, step / this.tMax);
  }
}

/**
 * SGDR (Loshchilov and Hutter 2017): half a cosine from the full rate to etaMin, then from the start again; the first takes
 * t0 steps, each next one tMult times as many. Steps may be fractions in `lrAt`.
 * Throws ValueError for t0 or tMult that are not integers of at least 1, or etaMin below 0.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CosineAnnealingWarmRestarts.html.
 *
 *     const scheduler = new CosineAnnealingWarmRestarts(optimizer, 10, { tMult: 2 });
 *     scheduler.step();
 */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  readonly tMult: number;
  readonly etaMin: number;

  constructor(
    optimizer: Scheduled,
    readonly t0: number,
    options: { tMult?: number; etaMin?: number } = {},
  ) {
    super(optimizer);
    this.tMult = options.tMult ?? 1;
    this.etaMin = options.etaMin ?? 0;
    checkInteger('CosineAnnealingWarmRestarts', 't0', t0, 1);
    checkInteger('CosineAnnealingWarmRestarts', 'tMult', this.tMult, 1);
    checkNumber('CosineAnnealingWarmRestarts', 'etaMin', this.etaMin, 0);
    this.apply();
  }

  lrAt(step: number, baseLr: number): number {
    let length = this.t0;
    let since = this.tMult === 1 ? step % length : step;
    for (; since >= length; length *= this.tMult) since -= length;
    return cosineBetween(baseLr, this.etaMin, since / length);
  }
}
