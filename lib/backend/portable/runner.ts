import { BackendError } from '../../errors';
import type { Completion, Run, RunFailure } from '../../graph/backend';
import { KernelFailure } from './kernel';
import { PreparedProgram } from './program';

/** After this long a slice ends and the event loop gets a turn; parts of instructions take about a millisecond. */
const SLICE_MILLISECONDS = 4;

/** Executes queued runs one after the other, in slices on the event loop or, when somebody waits, at once. */
export class Runner {
  private readonly queue: Run[] = [];
  private current: Execution | null = null;
  private completions: Completion[] = [];
  /** Runs that failed, for those that come after them. */
  private readonly failures = new Map<number, RunFailure>();
  private readonly aborted = new Set<number>();
  private isScheduled = false;
  private notify: () => void = () => {};

  onCompletion(callback: () => void): void {
    this.notify = callback;
  }

  submit(run: Run): void {
    preparedProgramOf(run);
    this.queue.push(run);
    this.schedule();
  }

  abort(id: number): boolean {
    const isQueued = this.queue.some((run) => run.id === id);
    if (isQueued) this.aborted.add(id);
    return isQueued;
  }

  collect(): Completion[] {
    const completions = this.completions;
    this.completions = [];
    // Whoever collected knows of the failures; nobody who does not is left.
    if (this.queue.length === 0) this.failures.clear();
    return completions;
  }

  wait(id: number): void {
    while (this.queue.some((run) => run.id === id)) while (!this.step());
  }

  private schedule(): void {
    if (this.isScheduled) return;
    this.isScheduled = true;
    setImmediate(() => {
      this.isScheduled = false;
      this.slice();
    });
  }

  private slice(): void {
    const end = performance.now() + SLICE_MILLISECONDS;
    while (this.queue.length > 0 && performance.now() < end) this.step();
    if (this.queue.length > 0) this.schedule();
    if (this.completions.length > 0) this.notify();
  }

  /** Works on the first run of the queue; true if that ended it. */
  private step(): boolean {
    const run = this.queue[0];
    if (run === undefined) return true;
    this.current ??= new Execution(run, this.inheritedFailure(run));
    if (this.aborted.has(run.id)) this.current.abort();
    if (!this.current.step()) return false;
    const { failure } = this.current;
    this.aborted.delete(run.id);
    this.current = null;
    this.queue.shift();
    if (failure !== null) this.failures.set(run.id, failure);
    this.completions.push({ id: run.id, failure });
    return true;
  }

  private inheritedFailure(run: Run): RunFailure | null {
    for (const id of run.after) {
      const failure = this.failures.get(id);
      if (failure === undefined) continue;
      const cause = failure.cause < 0 ? id : failure.cause;
      return { kind: failure.kind, instruction: -1, message: failure.message, cause };
    }
    return null;
  }
}

/** One run on its way: which part of which instruction comes next. */
export class Execution {
  private readonly program: PreparedProgram;
  private isBound = false;
  private instruction = 0;
  private part = -1;
  /** What the run itself has taken, in nanoseconds: turns of the event loop in between do not count. */
  private worked = 0;

  constructor(
    private readonly run: Run,
    public failure: RunFailure | null = null,
  ) {
    this.program = preparedProgramOf(run);
  }

  /** Fails the run, unless it overwrites state by now. */
  abort(): void {
    const { instruction, part } = this;
    const writes = instruction > this.program.firstWriter || (instruction === this.program.firstWriter && part >= 0);
    if (writes || this.failure !== null) return;
    if (part >= 0) this.program.tasks[instruction]!.end?.();
    this.failure = { kind: 'aborted', instruction: this.isBound ? instruction : -1, message: 'aborted', cause: -1 };
  }

  /** Does the next part of an instruction; true when the run has ended. */
  step(): boolean {
    if (this.failure === null) {
      try {
        if (!this.isBound) this.bind();
        else if (this.run.times === null) this.advance();
        else this.advanceTimed(this.run.times);
      } catch (error) {
        this.fail(error);
      }
    }
    const hasEnded = this.failure !== null || (this.isBound && this.instruction === this.program.tasks.length);
    if (hasEnded && this.isBound) this.program.unbind();
    return hasEnded;
  }

  private bind(): void {
    const misfit = this.program.bind(this.run);
    if (misfit !== null) this.failure = { kind: 'internal', instruction: -1, message: misfit, cause: -1 };
    else this.isBound = true;
  }

  private advanceTimed(times: Float64Array): void {
    const start = nanoseconds();
    if (this.worked === 0) times[0] = start;
    const { instruction } = this;
    this.advance();
    this.worked += nanoseconds() - start;
    if (this.instruction > instruction) times[instruction + 1] = times[0]! + this.worked;
  }

  private advance(): void {
    const task = this.program.tasks[this.instruction]!;
    if (this.part < 0) {
      task.begin?.();
      this.part = 0;
    }
    if (this.part < task.parts) task.run(this.part++);
    if (this.part < task.parts) return;
    task.end?.();
    this.instruction++;
    this.part = -1;
  }

  private fail(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    const kind = error instanceof KernelFailure ? error.kind : 'internal';
    this.failure = { kind, instruction: this.isBound ? this.instruction : -1, message, cause: -1 };
    if (this.isBound) this.program.tasks[this.instruction]!.end?.();
  }
}

/** Of the clock of `Run.times`. */
export function nanoseconds(): number {
  return performance.now() * 1e6;
}

function preparedProgramOf({ loaded }: Run): PreparedProgram {
  if (loaded instanceof PreparedProgram) return loaded;
  throw new BackendError('portable backend: the program was loaded by another backend');
}
