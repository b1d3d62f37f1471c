import { ValueError } from '../../errors';
import { checkInteger } from '../../tensor/shape';
import { checkBoolean, checkChoice, checkNames, checkNumber, withDefaults } from '../options';
import { checkHasMomentum, LRScheduler, numbersPerGroup, type PerGroup, type Scheduled } from './scheduler';

export interface CyclicOptions {
  /** Steps from the lowest to the highest rate. */
  stepSizeUp: number;
  /** Steps back; null for as many. */
  stepSizeDown: number | null;
  /** Cycles of one height, of half the height each time, or of a height that falls by gamma at every step. */
  mode: 'triangular' | 'triangular2' | 'expRange';
  gamma: number;
  /** The height in place of the mode's: a function of the cycle's number, from 1, or of the step. */
  scaleFn: ((x: number) => number) | null;
  scaleMode: 'cycle' | 'iterations';
  /** Moves the momentum against the rate, between the two below. */
  cycleMomentum: boolean;
  baseMomentum: PerGroup<number>;
  maxMomentum: PerGroup<number>;
}

const defaults: CyclicOptions = {
  stepSizeUp: 2000,
  stepSizeDown: null,
  mode: 'triangular',
  gamma: 1,
  scaleFn: null,
  scaleMode: 'cycle',
  cycleMomentum: true,
  baseMomentum: 0.8,
  maxMomentum: 0.9,
};

/**
 * Up and down between two rates (Smith 2017): with x the place in the cycle, rising from 0 to 1 and falling to 0,
 *
 *     lr = baseLr + (maxLr - baseLr) x h,      momentum = maxMomentum - (maxMomentum - baseMomentum) x h
 *
 * and the height h = 1 (triangular), 2^(1 - cycle) (triangular2) or gammaᵗ (expRange). To be stepped after every batch.
 * Throws ValueError for an option outside its range, or where momentum is to be cycled and the optimizer has none.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.CyclicLR.html.
 *
 *     const scheduler = new CyclicLR(optimizer, 0.001, 0.1, { stepSizeUp: 500 });
 *     scheduler.step();
 */
export class CyclicLR extends LRScheduler {
  readonly #options: CyclicOptions;
  readonly #minLrs: number[];
  readonly #maxLrs: number[];
  readonly #baseMomentums: number[];
  readonly #maxMomentums: number[];

  constructor(
    optimizer: Scheduled,
    baseLr: PerGroup<number>,
    maxLr: PerGroup<number>,
    options: Partial<CyclicOptions> = {},
  ) {
    super(optimizer);
    checkNames('CyclicLR', options, defaults);
    this.#options = withDefaults(options, defaults);
    check(this.#options);
    if (this.#options.cycleMomentum) checkHasMomentum('CyclicLR', optimizer);
    this.#minLrs = numbersPerGroup('CyclicLR', 'baseLr', baseLr, optimizer);
    this.#maxLrs = numbersPerGroup('CyclicLR', 'maxLr', maxLr, optimizer);
    this.#baseMomentums = numbersPerGroup('CyclicLR', 'baseMomentum', this.#options.baseMomentum, optimizer);
    this.#maxMomentums = numbersPerGroup('CyclicLR', 'maxMomentum', this.#options.maxMomentum, optimizer);
    this.baseLrs = [...this.#minLrs];
    this.apply();
  }

  /** The lowest rate is the one given to the constructor, whatever `baseLr` is. */
  lrAt(step: number, _baseLr: number, group: number): number {
    const low = this.#minLrs[group]!;
    return low + (this.#maxLrs[group]! - low) * this.#heightAt(step);
  }

  override momentumAt(step: number, group: number): number | null {
    if (!this.#options.cycleMomentum) return null;
    const high = this.#maxMomentums[group]!;
    return high - (high - this.#baseMomentums[group]!) * this.#heightAt(step);
  }

  #heightAt(step: number): number {
    const { stepSizeUp, stepSizeDown, mode, gamma, scaleFn, scaleMode } = this.#options;
    const length = stepSizeUp + (stepSizeDown ?? stepSizeUp);
    const cycle = Math.floor(1 + step / length);
    const place = 1 + step / length - cycle;
    const rising = stepSizeUp / length;
    const x = place <= rising ? place / rising : (place - 1) / (rising - 1);
    if (scaleFn !== null) return x * scaleFn(scaleMode === 'cycle' ? cycle : step);
    if (mode === 'triangular') return x;
    return x * (mode === 'triangular2' ? 2 ** (1 - cycle) : gamma ** step);
  }
}

function check(options: CyclicOptions): void {
  const { stepSizeUp, stepSizeDown, mode, gamma, scaleFn, scaleMode, cycleMomentum } = options;
  checkInteger('CyclicLR', 'stepSizeUp', stepSizeUp, 1);
  if (stepSizeDown !== null) checkInteger('CyclicLR', 'stepSizeDown', stepSizeDown, 1);
  checkChoice('CyclicLR', 'mode', mode, ['triangular', 'triangular2', 'expRange']);
  checkNumber('CyclicLR', 'gamma', gamma, 0);
  checkChoice('CyclicLR', 'scaleMode', scaleMode, ['cycle', 'iterations']);
  checkBoolean('CyclicLR', 'cycleMomentum', cycleMomentum);
  if (scaleFn !== null && typeof scaleFn !== 'function')
    throw new ValueError(`CyclicLR: scaleFn is a function or null, got ${typeof scaleFn}`);
}
