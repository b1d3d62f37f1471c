import { refuseInTrace } from '../../tensor/tracing';
import { ValueError } from '../../errors';
import { checkNumber } from '../options';

/** What a schedule changes: an optimizer, seen through its groups. */
export interface Scheduled {
  readonly paramGroups: readonly {
    lr: number;
    initialLr?: number;
    momentum?: number;
    betas?: readonly number[];
  }[];
}

export interface SchedulerStateDict {
  readonly last_epoch: number;
  readonly base_lrs: readonly number[];
  /** Of a schedule that is made of others. */
  readonly _schedulers?: readonly SchedulerStateDict[];
}

/** A number for all groups, or one for each. */
export type PerGroup<T> = T | readonly T[];

/**
 * Base of all schedules: the learning rate as a function of how often `step()` was called, be that batches or epochs.
 * The first rate is in force as soon as the schedule is made. A rate is computed from the step and from the rate that the group
 * had before its first schedule, never from the rate of the step before: of two schedules of one optimizer that are both
 * stepped the later one decides, and ChainedScheduler multiplies them.
 */
export abstract class LRScheduler {
  /** How often `step()` was called. */
  lastEpoch = 0;
  /** The rates that the schedule starts from, one a group. */
  protected baseLrs: number[];

  constructor(readonly optimizer: Scheduled) {
    const groups = (optimizer as Partial<Scheduled> | null | undefined)?.paramGroups;
    if (!Array.isArray(groups)) throw new ValueError(`${this.name}: the first argument is an optimizer`);
    this.baseLrs = optimizer.paramGroups.map((group) => (group.initialLr ??= group.lr));
  }

  get name(): string {
    return this.constructor.name;
  }

  /** The rate after `step` calls, of a group that starts with `baseLr`; `group` is its number. */
  abstract lrAt(step: number, baseLr: number, group: number): number;

  /** The momentum (β₁, where the optimizer has betas) after `step` calls; null to leave it as it is. */
  momentumAt(_step: number, _group: number): number | null {
    return null;
  }

  /** Goes on to the next learning rate. */
  step(): void {
    refuseInTrace(`${this.name} steps`, 'step the schedule after the compiled function');
    this.moveTo(this.lastEpoch + 1);
    this.apply();
  }

  /** As if `step()` had been called so often; the rate in force stays. */
  moveTo(step: number): void {
    this.lastEpoch = step;
  }

  /** The rate in force, for each group. */
  getLastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  stateDict(): SchedulerStateDict {
    return { last_epoch: this.lastEpoch, base_lrs: [...this.baseLrs] };
  }

  /** Continues from a state dict. Throws ValueError if it is not one of as many groups. */
  loadStateDict(dict: SchedulerStateDict): void {
    this.checkStateDict(dict);
    this.restore(dict);
    this.apply();
  }

  /** Throws ValueError if the state dict is not one of a schedule like this. */
  checkStateDict(dict: SchedulerStateDict): void {
    const { last_epoch: lastEpoch, base_lrs: baseLrs } = (dict ?? {}) as Partial<SchedulerStateDict>;
    if (!Number.isSafeInteger(lastEpoch) || lastEpoch! < 0)
      throw new ValueError(`loadStateDict: last_epoch of a ${this.name} is an integer of at least 0, got ${lastEpoch}`);
    if (!Array.isArray(baseLrs) || baseLrs.length !== this.baseLrs.length || !baseLrs.every(Number.isFinite))
      throw new ValueError(
        `loadStateDict: base_lrs of this ${this.name} are ${this.baseLrs.length} numbers, got ${String(baseLrs)}`,
      );
  }

  /** Takes over a state dict that has been checked; the rate in force stays. */
  restore(dict: SchedulerStateDict): void {
    this.lastEpoch = dict.last_epoch;
    this.baseLrs = [...dict.base_lrs];
  }

  /** Called once by the constructors, and after every step. */
  protected apply(): void {
    this.optimizer.paramGroups.forEach((group, index) => {
      group.lr = this.lrAt(this.lastEpoch, this.baseLrs[index]!, index);
      const momentum = this.momentumAt(this.lastEpoch, index);
      if (momentum === null) return;
      if (group.betas !== undefined) group.betas = [momentum, ...group.betas.slice(1)];
      else group.momentum = momentum;
    });
  }
}

/** One value for each group. Throws ValueError for a list of another length. */
export function perGroup<T>(owner: string, name: string, value: PerGroup<T>, { paramGroups }: Scheduled): T[] {
  if (!Array.isArray(value)) return paramGroups.map(() => value as T);
  if (value.length !== paramGroups.length)
    throw new ValueError(`${owner}: ${name} are ${paramGroups.length} values, one a group, got ${value.length}`);
  return [...(value as readonly T[])];
}

/** `perGroup` of numbers of at least `least`. */
export function numbersPerGroup(
  owner: string,
  name: string,
  value: PerGroup<number>,
  optimizer: Scheduled,
  least = 0,
): number[] {
  const numbers = perGroup(owner, name, value, optimizer);
  for (const number of numbers) checkNumber(owner, name, number, least);
  return numbers;
}

/** Throws ValueError unless every group has a momentum or betas. */
export function checkHasMomentum(owner: string, { paramGroups }: Scheduled): void {
  if (!paramGroups.every(({ momentum, betas }) => momentum !== undefined || betas !== undefined))
    throw new ValueError(`${owner}: the optimizer has neither momentum nor betas to cycle; set cycleMomentum: false`);
}
