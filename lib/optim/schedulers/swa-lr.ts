import { checkInteger } from '../../tensor/shape';
import { checkChoice } from '../options';
import { cosineBetween } from './cosine-annealing-lr';
import { LRScheduler, numbersPerGroup, type PerGroup, type Scheduled } from './scheduler';

/**
 * From the rate in force to a constant one, swaLr, at which weights are averaged. It starts at its first `step()`: until then
 * another schedule may have the optimizer. Throws ValueError for a swaLr below 0 or annealEpochs below 0.
 * https://pytorch.org/docs/stable/optim.html#swa-learning-rate-schedules.
 *
 *     const swa = new SWALR(optimizer, 0.05, { annealEpochs: 5 });
 *     if (epoch >= swaStart) swa.step();
 */
export class SWALR extends LRScheduler {
  readonly annealEpochs: number;
  readonly annealStrategy: 'cos' | 'linear';
  readonly #swaLrs: number[];

  constructor(
    optimizer: Scheduled,
    swaLr: PerGroup<number>,
    options: { annealEpochs?: number; annealStrategy?: 'cos' | 'linear' } = {},
  ) {
    super(optimizer);
    this.annealEpochs = options.annealEpochs ?? 10;
    this.annealStrategy = options.annealStrategy ?? 'cos';
    checkInteger('SWALR', 'annealEpochs', this.annealEpochs, 0);
    checkChoice('SWALR', 'annealStrategy', this.annealStrategy, ['cos', 'linear']);
    this.#swaLrs = numbersPerGroup('SWALR', 'swaLr', swaLr, optimizer);
  }

  lrAt(step: number, baseLr: number, group: number): number {
    const swaLr = this.#swaLrs[group]!;
    const progress = this.annealEpochs === 0 ? 1 : Math.min(1, step / this.annealEpochs);
    return this.annealStrategy === 'cos'
      ? cosineBetween(baseLr, swaLr, progress)
      : baseLr + (swaLr - baseLr) * progress;
  }

  override step(): void {
    if (this.lastEpoch === 0) this.baseLrs = this.getLastLr();
    super.step();
  }
}
