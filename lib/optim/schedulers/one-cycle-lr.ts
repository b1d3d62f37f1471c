import { ValueError } from '../../errors';
import { checkInteger } from '../../tensor/shape';
import { checkBoolean, checkChoice, checkNames, checkNumber, withDefaults } from '../options';
import { cosineBetween } from './cosine-annealing-lr';
import { checkHasMomentum, LRScheduler, numbersPerGroup, type PerGroup, type Scheduled } from './scheduler';

export interface OneCycleOptions {
  /** Steps of the cycle; or give epochs and stepsPerEpoch. */
  totalSteps: number | null;
  epochs: number | null;
  stepsPerEpoch: number | null;
  /** Share of the steps in which the rate rises, in [0, 1]. */
  pctStart: number;
  annealStrategy: 'cos' | 'linear';
  /** Moves the momentum (β₁) against the rate, between the two below. */
  cycleMomentum: boolean;
  baseMomentum: PerGroup<number>;
  maxMomentum: PerGroup<number>;
  /** The first rate is maxLr / divFactor, */
  divFactor: number;
  /** the last one the first / finalDivFactor. */
  finalDivFactor: number;
  /** Falls to the first rate as long as it rose, then to the last, as in the paper. */
  threePhase: boolean;
}

const defaults: OneCycleOptions = {
  totalSteps: null,
  epochs: null,
  stepsPerEpoch: null,
  pctStart: 0.3,
  annealStrategy: 'cos',
  cycleMomentum: true,
  baseMomentum: 0.85,
  maxMomentum: 0.95,
  divFactor: 25,
  finalDivFactor: 1e4,
  threePhase: false,
};

/** Until `end` from one rate and momentum to the others. */
interface Phase {
  end: number;
  lr: readonly [number, number];
  momentum: readonly [number, number];
}

/**
 * The 1cycle policy (Smith and Topin 2018): one rise to maxLr, one fall to almost nothing, with the momentum against it. To be
 * stepped after every batch. Throws ValueError for an option outside its range, where momentum is to be cycled and the optimizer
 * has none, and for a step beyond totalSteps.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.OneCycleLR.html.
 *
 *     const scheduler = new OneCycleLR(optimizer, 0.1, { epochs: 10, stepsPerEpoch: loader.length });
 *     scheduler.step();
 */
export class OneCycleLR extends LRScheduler {
  readonly totalSteps: number;
  readonly #options: OneCycleOptions;
  /** One list a group. */
  readonly #phases: Phase[][];

  constructor(optimizer: Scheduled, maxLr: PerGroup<number>, options: Partial<OneCycleOptions>) {
    super(optimizer);
    checkNames('OneCycleLR', options, defaults);
    this.#options = withDefaults(options, defaults);
    this.totalSteps = check(this.#options);
    if (this.#options.cycleMomentum) checkHasMomentum('OneCycleLR', optimizer);
    const maxLrs = numbersPerGroup('OneCycleLR', 'maxLr', maxLr, optimizer);
    const low = numbersPerGroup('OneCycleLR', 'baseMomentum', this.#options.baseMomentum, optimizer);
    const high = numbersPerGroup('OneCycleLR', 'maxMomentum', this.#options.maxMomentum, optimizer);
    this.#phases = maxLrs.map((lr, group) => this.#phasesOf(lr, low[group]!, high[group]!));
    this.baseLrs = maxLrs.map((lr) => lr / this.#options.divFactor);
    optimizer.paramGroups.forEach((group, index) => (group.initialLr = this.baseLrs[index]!));
    this.apply();
  }

  /** The rates are those given to the constructor, whatever `baseLr` is. */
  lrAt(step: number, _baseLr: number, group: number): number {
    return this.#at(step, group, 'lr');
  }

  override momentumAt(step: number, group: number): number | null {
    return this.#options.cycleMomentum ? this.#at(step, group, 'momentum') : null;
  }

  override moveTo(step: number): void {
    if (step > this.totalSteps)
      throw new ValueError(`OneCycleLR: totalSteps is ${this.totalSteps}, and step() was called ${step} times`);
    super.moveTo(step);
  }

  #phasesOf(maxLr: number, low: number, high: number): Phase[] {
    const { pctStart, divFactor, finalDivFactor, threePhase } = this.#options;
    const first = maxLr / divFactor;
    const last = first / finalDivFactor;
    const peak = pctStart * this.totalSteps - 1;
    const end = this.totalSteps - 1;
    const rise: Phase = { end: peak, lr: [first, maxLr], momentum: [high, low] };
    if (!threePhase) return [rise, { end, lr: [maxLr, last], momentum: [low, high] }];
    const fall: Phase = { end: 2 * peak, lr: [maxLr, first], momentum: [low, high] };
    return [rise, fall, { end, lr: [first, last], momentum: [high, high] }];
  }

  #at(step: number, group: number, what: 'lr' | 'momentum'): number {
    const phases = this.#phases[group]!;
    const found = phases.findIndex(({ end }) => step <= end);
    const index = found < 0 ? phases.length - 1 : found;
    const begin = index === 0 ? 0 : phases[index - 1]!.end;
    const { end, [what]: range } = phases[index]!;
    const progress = end === begin ? 1 : Math.min(1, (step - begin) / (end - begin));
    const isCosine = this.#options.annealStrategy === 'cos';
    return isCosine ? cosineBetween(...range, progress) : range[0] + (range[1] - range[0]) * progress;
  }
}

/** The number of steps. */
function check(options: OneCycleOptions): number {
  const { totalSteps, epochs, stepsPerEpoch, pctStart, annealStrategy, divFactor, finalDivFactor } = options;
  if (totalSteps === null && (epochs === null || stepsPerEpoch === null))
    throw new ValueError('OneCycleLR: needs totalSteps, or epochs and stepsPerEpoch');
  if (totalSteps !== null) checkInteger('OneCycleLR', 'totalSteps', totalSteps, 1);
  else {
    checkInteger('OneCycleLR', 'epochs', epochs, 1);
    checkInteger('OneCycleLR', 'stepsPerEpoch', stepsPerEpoch, 1);
  }
  if (!(pctStart >= 0 && pctStart <= 1))
    throw new ValueError(`OneCycleLR: pctStart is a number in [0, 1], got ${pctStart}`);
  checkChoice('OneCycleLR', 'annealStrategy', annealStrategy, ['cos', 'linear']);
  checkBoolean('OneCycleLR', 'cycleMomentum', options.cycleMomentum);
  checkBoolean('OneCycleLR', 'threePhase', options.threePhase);
  checkNumber('OneCycleLR', 'divFactor', divFactor, Number.MIN_VALUE);
  checkNumber('OneCycleLR', 'finalDivFactor', finalDivFactor, Number.MIN_VALUE);
  return totalSteps ?? epochs! * stepsPerEpoch!;
}
