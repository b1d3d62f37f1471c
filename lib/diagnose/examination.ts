import { abortErrorOf, type AbortSignalLike } from '../graph/abort';
import type { Layer, Module } from '../nn/module';
import type { Task } from './baselines';
import type { MeasuredData } from './measure';

export interface StageProgress {
  readonly stage: string;
  /** Since the beginning. */
  readonly milliseconds: number;
  readonly budget: number;
}

/** What a diagnosis is about, read once, and the time that it has. */
export class Examination {
  readonly #began = performance.now();

  constructor(
    readonly model: Module & Layer,
    readonly train: MeasuredData,
    readonly validation: MeasuredData,
    readonly task: Task,
    readonly seed: number,
    readonly signal: AbortSignalLike | undefined,
    private readonly budget: number,
    private readonly onProgress: ((progress: StageProgress) => void) | undefined,
  ) {}

  /** Begins a stage. Throws AbortError once the signal aborts. */
  tell(stage: string): void {
    this.throwIfAborted();
    this.onProgress?.({ stage, milliseconds: this.milliseconds, budget: this.budget });
  }

  throwIfAborted(): void {
    if (this.signal?.aborted === true) throw abortErrorOf(this.signal);
  }

  get milliseconds(): number {
    return performance.now() - this.#began;
  }

  /** The share of the budget that is spent; above 1 once it is exceeded. */
  get spent(): number {
    return this.milliseconds / this.budget;
  }

  /** Milliseconds until this share of the budget is spent; negative once it is. */
  left(share: number): number {
    return share * this.budget - this.milliseconds;
  }
}
