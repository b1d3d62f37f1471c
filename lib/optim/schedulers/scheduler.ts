import { ValueError } from '../../errors';

/** What a schedule changes: an optimizer, seen through its groups. */
export interface Scheduled {
  readonly paramGroups: readonly { lr: number; initialLr: number }[];
}

export interface SchedulerStateDict {
  readonly last_epoch: number;
  readonly base_lrs: readonly number[];
}

/**
 * Base of all schedules: the learning rate as a function of how often `step()` was called, be that batches or epochs.
 * The first rate is in force as soon as the schedule is made.
 */
export abstract class LRScheduler {
  /** How often `step()` was called. */
  lastEpoch = 0;
  #baseLrs: number[];

  constructor(protected readonly optimizer: Scheduled) {
    const groups = (optimizer as Partial<Scheduled> | null | undefined)?.paramGroups;
    if (!Array.isArray(groups)) throw new ValueError(`${this.name}: the first argument is an optimizer`);
    this.#baseLrs = optimizer.paramGroups.map((group) => (group.initialLr = group.lr));
  }

  get name(): string {
    return this.constructor.name;
  }

  /** The rate after `step` calls, of a group that starts with `baseLr`. */
  abstract lrAt(step: number, baseLr: number): number;

  /** Goes on to the next learning rate. */
  step(): void {
    this.lastEpoch++;
    this.apply();
  }

  /** The rate in force, for each group. */
  getLastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  stateDict(): SchedulerStateDict {
    return { last_epoch: this.lastEpoch, base_lrs: [...this.#baseLrs] };
  }

  /** Continues from a state dict. Throws ValueError if it is not one of as many groups. */
  loadStateDict(dict: SchedulerStateDict): void {
    const { last_epoch: lastEpoch } = dict;
    const baseLrs: unknown = dict.base_lrs;
    if (!Number.isSafeInteger(lastEpoch) || lastEpoch < 0)
      throw new ValueError(`loadStateDict: last_epoch of a ${this.name} is an integer of at least 0, got ${lastEpoch}`);
    if (!Array.isArray(baseLrs) || baseLrs.length !== this.#baseLrs.length || !baseLrs.every(Number.isFinite))
      throw new ValueError(
        `loadStateDict: base_lrs of this ${this.name} are ${this.#baseLrs.length} numbers, got ${String(baseLrs)}`,
      );
    this.lastEpoch = lastEpoch;
    this.#baseLrs = baseLrs.map(Number);
    this.apply();
  }

  /** Called once by the constructors, and after every step. */
  protected apply(): void {
    this.optimizer.paramGroups.forEach((group, index) => {
      group.lr = this.lrAt(this.lastEpoch, this.#baseLrs[index]!);
    });
  }
}
