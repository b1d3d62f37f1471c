import { refuseInTrace } from '../../tensor/tracing';
import { ValueError } from '../../errors';
import { checkInteger } from '../../tensor/shape';
import { checkChoice, checkNames, checkNumber, withDefaults } from '../options';
import { numbersPerGroup, type PerGroup, type Scheduled } from './scheduler';

export interface PlateauOptions {
  /** Whether the metric is to fall or to rise. */
  mode: 'min' | 'max';
  /** What the rate is multiplied by, below 1. */
  factor: number;
  /** How many calls without improvement are borne. */
  patience: number;
  /** What counts as an improvement: this share of the best, or this much, better than it. */
  threshold: number;
  thresholdMode: 'rel' | 'abs';
  /** Calls after a reduction in which nothing is counted. */
  cooldown: number;
  minLr: PerGroup<number>;
  /** A smaller reduction is not made. */
  eps: number;
}

const defaults: PlateauOptions = {
  mode: 'min',
  factor: 0.1,
  patience: 10,
  threshold: 1e-4,
  thresholdMode: 'rel',
  cooldown: 0,
  minLr: 0,
  eps: 1e-8,
};

export interface PlateauStateDict {
  readonly last_epoch: number;
  readonly best: number;
  readonly num_bad_epochs: number;
  readonly cooldown_counter: number;
}

/**
 * Lowers the rate, lr ← max(factor lr, minLr), when a metric has not improved for more than `patience` calls. Not a function of
 * the step: it depends on what was measured. Throws ValueError for an option outside its range.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ReduceLROnPlateau.html.
 *
 *     const scheduler = new ReduceLROnPlateau(optimizer, { patience: 5 });
 *     scheduler.step(validationLoss);
 */
export class ReduceLROnPlateau {
  /** How often `step()` was called. */
  lastEpoch = 0;
  best: number;
  numBadEpochs = 0;
  cooldownCounter = 0;
  readonly #options: PlateauOptions;
  readonly #minLrs: number[];

  constructor(
    readonly optimizer: Scheduled,
    options: Partial<PlateauOptions> = {},
  ) {
    if (!Array.isArray((optimizer as Partial<Scheduled> | null | undefined)?.paramGroups))
      throw new ValueError('ReduceLROnPlateau: the first argument is an optimizer');
    checkNames('ReduceLROnPlateau', options, defaults);
    this.#options = withDefaults(options, defaults);
    check(this.#options);
    this.#minLrs = numbersPerGroup('ReduceLROnPlateau', 'minLr', this.#options.minLr, optimizer);
    this.best = this.#options.mode === 'min' ? Infinity : -Infinity;
  }

  /** Takes in what was measured; a NaN is no improvement. */
  step(metric: number): void {
    refuseInTrace('ReduceLROnPlateau steps', 'step the schedule after the compiled function');
    if (typeof metric !== 'number')
      throw new ValueError(`ReduceLROnPlateau: the metric is a number, got ${typeof metric}`);
    this.lastEpoch++;
    const isBetter = this.#isBetter(metric);
    if (isBetter) this.best = metric;
    this.numBadEpochs = isBetter || this.cooldownCounter > 0 ? 0 : this.numBadEpochs + 1;
    if (this.cooldownCounter > 0) this.cooldownCounter--;
    if (this.numBadEpochs <= this.#options.patience) return;
    this.#reduce();
    this.cooldownCounter = this.#options.cooldown;
    this.numBadEpochs = 0;
  }

  /** The rate in force, for each group. */
  getLastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  stateDict(): PlateauStateDict {
    return {
      last_epoch: this.lastEpoch,
      best: this.best,
      num_bad_epochs: this.numBadEpochs,
      cooldown_counter: this.cooldownCounter,
    };
  }

  /** Continues from a state dict; the rates are the optimizer's. Throws ValueError, changing nothing, if it does not fit. */
  loadStateDict(dict: PlateauStateDict): void {
    for (const key of ['last_epoch', 'num_bad_epochs', 'cooldown_counter'] as const)
      checkInteger('loadStateDict', `${key} of a ReduceLROnPlateau`, dict?.[key], 0);
    if (typeof dict.best !== 'number')
      throw new ValueError(`loadStateDict: best of a ReduceLROnPlateau is a number, got ${String(dict.best)}`);
    this.lastEpoch = dict.last_epoch;
    this.best = dict.best;
    this.numBadEpochs = dict.num_bad_epochs;
    this.cooldownCounter = dict.cooldown_counter;
  }

  #isBetter(metric: number): boolean {
    const { mode, threshold, thresholdMode } = this.#options;
    const sign = mode === 'min' ? -1 : 1;
    const bar = thresholdMode === 'rel' ? this.best * (1 + sign * threshold) : this.best + sign * threshold;
    return mode === 'min' ? metric < bar : metric > bar;
  }

  #reduce(): void {
    this.optimizer.paramGroups.forEach((group, index) => {
      const lr = Math.max(group.lr * this.#options.factor, this.#minLrs[index]!);
      if (group.lr - lr > this.#options.eps) group.lr = lr;
    });
  }
}

function check(options: PlateauOptions): void {
  checkChoice('ReduceLROnPlateau', 'mode', options.mode, ['min', 'max']);
  checkNumber('ReduceLROnPlateau', 'factor', options.factor, 0, 1);
  checkInteger('ReduceLROnPlateau', 'patience', options.patience, 0);
  checkNumber('ReduceLROnPlateau', 'threshold', options.threshold, 0);
  checkChoice('ReduceLROnPlateau', 'thresholdMode', options.thresholdMode, ['rel', 'abs']);
  checkInteger('ReduceLROnPlateau', 'cooldown', options.cooldown, 0);
  checkNumber('ReduceLROnPlateau', 'eps', options.eps, 0);
}
