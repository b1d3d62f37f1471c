import { ValueError } from '../../errors';
import { checkInteger } from '../../tensor/shape';
import { checkMilestones } from './decays';
import { ReduceLROnPlateau, type PlateauStateDict } from './reduce-lr-on-plateau';
import { LRScheduler, type Scheduled, type SchedulerStateDict } from './scheduler';

/** A schedule made of others: their positions follow its own. */
abstract class CombinedScheduler extends LRScheduler {
  constructor(
    optimizer: Scheduled,
    protected readonly schedulers: readonly LRScheduler[],
  ) {
    super(optimizer);
    if (!Array.isArray(schedulers) || schedulers.length === 0)
      throw new ValueError(`${this.name}: takes a list of at least one schedule`);
    schedulers.forEach((scheduler: unknown, index) => {
      if (!(scheduler instanceof LRScheduler))
        throw new ValueError(`${this.name}: schedulers[${index}] is not a schedule that is a function of the step`);
      if (scheduler.optimizer !== optimizer)
        throw new ValueError(`${this.name}: schedulers[${index}] is of another optimizer`);
    });
  }

  override stateDict(): SchedulerStateDict {
    return { ...super.stateDict(), _schedulers: this.schedulers.map((scheduler) => scheduler.stateDict()) };
  }

  override checkStateDict(dict: SchedulerStateDict): void {
    super.checkStateDict(dict);
    const saved = dict._schedulers;
    if (!Array.isArray(saved) || saved.length !== this.schedulers.length)
      throw new ValueError(`loadStateDict: _schedulers of this ${this.name} are ${this.schedulers.length} state dicts`);
    this.schedulers.forEach((scheduler, index) => scheduler.checkStateDict(dict._schedulers![index]!));
  }

  override restore(dict: SchedulerStateDict): void {
    super.restore(dict);
    this.schedulers.forEach((scheduler, index) => scheduler.restore(dict._schedulers![index]!));
  }
}

/**
 * One schedule after the other: the next one takes over at each milestone, and starts from its own beginning.
 * Throws ValueError unless all are of this optimizer, with one milestone less than there are schedules, in order.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.SequentialLR.html.
 *
 *     const parts = [new LinearLR(optimizer), new CosineAnnealingLR(optimizer, 95)];
 *     const scheduler = new SequentialLR(optimizer, parts, [5]);
 */
export class SequentialLR extends CombinedScheduler {
  constructor(
    optimizer: Scheduled,
    schedulers: readonly LRScheduler[],
    readonly milestones: readonly number[],
  ) {
    super(optimizer, schedulers);
    checkMilestones('SequentialLR', milestones);
    if (milestones.length !== schedulers.length - 1)
      throw new ValueError(
        `SequentialLR: ${schedulers.length} schedules have ${schedulers.length - 1} milestones, got ${milestones.length}`,
      );
    this.apply();
  }

  lrAt(step: number, baseLr: number, group: number): number {
    const { scheduler, start } = this.#partAt(step);
    return scheduler.lrAt(step - start, baseLr, group);
  }

  override momentumAt(step: number, group: number): number | null {
    const { scheduler, start } = this.#partAt(step);
    return scheduler.momentumAt(step - start, group);
  }

  override moveTo(step: number): void {
    const { scheduler, start } = this.#partAt(step);
    scheduler.moveTo(step - start);
    super.moveTo(step);
  }

  #partAt(step: number): { scheduler: LRScheduler; start: number } {
    const passed = this.milestones.filter((milestone) => milestone <= step).length;
    return { scheduler: this.schedulers[passed]!, start: passed === 0 ? 0 : this.milestones[passed - 1]! };
  }
}

/**
 * Several schedules at once: each starts from the rate that the one before it gives, so that factors multiply. The same as
 * PyTorch's for schedules that multiply the rate; with a least rate above 0 (etaMin) PyTorch's is another, which depends on
 * every step on the way. Throws ValueError unless all are of one optimizer.
 * https://pytorch.org/docs/stable/generated/torch.optim.lr_scheduler.ChainedScheduler.html.
 *
 *     const parts = [new ConstantLR(optimizer), new ExponentialLR(optimizer, 0.9)];
 *     const scheduler = new ChainedScheduler(parts);
 */
export class ChainedScheduler extends CombinedScheduler {
  constructor(schedulers: readonly LRScheduler[]) {
    const first = Array.isArray(schedulers) ? (schedulers[0] as Partial<LRScheduler> | undefined) : undefined;
    super(first?.optimizer ?? { paramGroups: [] }, schedulers);
    this.apply();
  }

  lrAt(step: number, baseLr: number, group: number): number {
    return this.schedulers.reduce((lr, scheduler) => scheduler.lrAt(step, lr, group), baseLr);
  }

  override momentumAt(step: number, group: number): number | null {
    return this.schedulers.reduce<number | null>((last, next) => next.momentumAt(step, group) ?? last, null);
  }

  override moveTo(step: number): void {
    for (const scheduler of this.schedulers) scheduler.moveTo(step);
    super.moveTo(step);
  }
}

/**
 * A warm-up before any schedule (Goyal et al. 2017): lr = first (t + 1) / (warmupSteps + 1) for t < warmupSteps, where `first` is
 * the schedule's first rate; then the schedule from its beginning. Around ReduceLROnPlateau it is `step(metric)` all along; what
 * is measured during the warm-up is not counted. Throws ValueError unless warmupSteps is an integer of at least 0.
 *
 *     const scheduler = new WarmUp(new CosineAnnealingLR(optimizer, 95), 5);
 *     scheduler.step();
 */
export class WarmUp extends LRScheduler {
  constructor(
    readonly scheduler: LRScheduler | ReduceLROnPlateau,
    readonly warmupSteps: number,
  ) {
    if (!(scheduler instanceof LRScheduler || scheduler instanceof ReduceLROnPlateau))
      throw new ValueError('WarmUp: the first argument is a schedule');
    super(scheduler.optimizer);
    checkInteger('WarmUp', 'warmupSteps', warmupSteps, 0);
    this.apply();
  }

  /** The rate, if nothing is measured. */
  lrAt(step: number, baseLr: number, group: number): number {
    const { scheduler, warmupSteps } = this;
    const after = Math.max(0, step - warmupSteps);
    const lr = scheduler instanceof LRScheduler ? scheduler.lrAt(after, baseLr, group) : baseLr;
    return step < warmupSteps ? (lr * (step + 1)) / (warmupSteps + 1) : lr;
  }

  override momentumAt(step: number, group: number): number | null {
    if (!(this.scheduler instanceof LRScheduler)) return null;
    return this.scheduler.momentumAt(Math.max(0, step - this.warmupSteps), group);
  }

  override step(metric?: number): void {
    const { scheduler, warmupSteps } = this;
    if (scheduler instanceof LRScheduler || this.lastEpoch < warmupSteps) return super.step();
    scheduler.step(metric!);
    this.lastEpoch++;
  }

  override moveTo(step: number): void {
    if (this.scheduler instanceof LRScheduler) this.scheduler.moveTo(Math.max(0, step - this.warmupSteps));
    super.moveTo(step);
  }

  override stateDict(): SchedulerStateDict {
    return { ...super.stateDict(), _schedulers: [this.scheduler.stateDict() as unknown as SchedulerStateDict] };
  }

  /** Continues from a state dict; around ReduceLROnPlateau, rates after the warm-up are the optimizer's. */
  override loadStateDict(dict: SchedulerStateDict): void {
    this.checkStateDict(dict);
    const rates = this.getLastLr();
    const { scheduler } = this;
    const [inner] = dict._schedulers as unknown as [PlateauStateDict];
    if (scheduler instanceof ReduceLROnPlateau) scheduler.loadStateDict(inner);
    this.restore(dict);
    this.apply();
    if (scheduler instanceof ReduceLROnPlateau && this.lastEpoch > this.warmupSteps)
      this.optimizer.paramGroups.forEach((group, index) => (group.lr = rates[index]!));
  }

  override checkStateDict(dict: SchedulerStateDict): void {
    super.checkStateDict(dict);
    const saved = dict._schedulers;
    if (saved?.length !== 1) throw new ValueError('loadStateDict: _schedulers of a WarmUp is one state dict');
    if (this.scheduler instanceof LRScheduler) this.scheduler.checkStateDict(saved[0]!);
  }

  override restore(dict: SchedulerStateDict): void {
    super.restore(dict);
    if (this.scheduler instanceof LRScheduler) this.scheduler.restore(dict._schedulers![0]!);
  }
}
