import type { Backend, Run } from './backend';
import type { Program } from './program/program';

/** What the thread of JavaScript does for programs, besides recording. */
export type Phase = 'tracing' | 'compiling' | 'submitting' | 'running' | 'waiting';

/** Times are in nanoseconds of `now()`. */
export interface Span {
  readonly phase: Phase;
  readonly start: number;
  readonly end: number;
}

/** One run of a program: `times` as in Run, NaN where it did not get. */
export interface ProgramRun {
  readonly program: Program;
  readonly times: Float64Array;
  readonly submitted: number;
  /** On the thread of JavaScript, within its 'running' span. */
  readonly isInline: boolean;
}

const TRIALS = 7;

export function now(): number {
  return performance.now() * 1e6;
}

/** Writes down what programs take while a profile is made; there is at most one. */
export class Recorder {
  readonly spans: Span[] = [];
  readonly runs: ProgramRun[] = [];
  readonly #offsets = new Map<Backend, number>();

  /** The clock, where a span begins. */
  now(): number {
    return now();
  }

  span(phase: Phase, start: number): void {
    this.spans.push({ phase, start, end: now() });
  }

  /** What a backend fills while it runs the program. */
  timesFor(program: Program, backend: Backend): Float64Array {
    if (!this.#offsets.has(backend)) this.#offsets.set(backend, offsetOf(backend));
    return new Float64Array(program.instructions.length + 1).fill(NaN);
  }

  ran({ loaded, times }: Run, backend: Backend, submitted: number, isInline: boolean): void {
    if (times === null) return;
    const offset = this.#offsets.get(backend) ?? offsetOf(backend);
    // The clocks are known to agree only so far: what ran inline was within its call.
    const [first, last] = isInline ? [submitted, now()] : [-Infinity, Infinity];
    for (let i = 0; i < times.length; i++) times[i] = Math.min(last, Math.max(first, times[i]! + offset));
    this.runs.push({ program: loaded.program, times, submitted, isInline });
  }
}

/** The one in use: null unless something is profiled. */
export let recorder: Recorder | null = null;

export function setRecorder(next: Recorder | null): void {
  recorder = next;
}

/** From the backend's clock to that of `now()`: the best of some readings. */
function offsetOf(backend: Backend): number {
  let [best, offset] = [Infinity, 0];
  for (let i = 0; i < TRIALS; i++) {
    const before = now();
    const there = backend.now();
    const after = now();
    if (after - before < best) [best, offset] = [after - before, (before + after) / 2 - there];
  }
  return offset;
}
