import type { Tensor, Variable } from './tensor';

/** Random nodes take a number each from a generator; a replay takes as many from it as the trace did. */
export interface OffsetSource {
  readonly seed: number;
  readonly offset: number;
  /** Takes `count` offsets at once; returns the first. */
  advance(count: number): number;
}

/** An optimizer's step as a replay repeats it. */
export interface TracedStep {
  /** Who steps, for messages. */
  readonly name: string;
  /** The numbers of the formulas as the trace recorded them, in order. */
  readonly scalars: readonly Tensor[];
  /**
   * Begins the next step: counts it, and gives the formulas' numbers for it, in the same order. Null, with nothing counted,
   * if it would be another program: other parameters, or another formula.
   */
  advance(): readonly Tensor[] | null;
  /** Takes the latest step back. */
  undo(): void;
}

/** What a trace (graph/compile) is told while the function that it compiles runs. */
export interface TraceObserver {
  /** A tensor was recorded. */
  recorded(tensor: Tensor): void;
  /** A Variable is about to get another version, or another gradient. */
  changes(variable: Variable): void;
  /** Somebody looks whether a Variable has a gradient, and at which. */
  readsGradient(variable: Variable): void;
  /** What was recorded depends on this value of JavaScript; it is read again before every replay. */
  guard(owner: object, name: string, read: () => unknown): void;
  /** A random node was recorded with these two scalars. */
  draws(generator: OffsetSource, seed: Tensor, offset: Tensor): void;
  /** An optimizer stepped. */
  steps(step: TracedStep): void;
  /** Throws TraceError: a replay could not repeat this. */
  refuse(what: string, instead: string): never;
}

let observer: TraceObserver | null = null;

/** The trace that is going on, or null. */
export function currentTrace(): TraceObserver | null {
  return observer;
}

/** Runs `fn` with a trace that is told of it, or with none. */
export function withTrace<T>(trace: TraceObserver | null, fn: () => T): T {
  const before = observer;
  observer = trace;
  try {
    return fn();
  } finally {
    observer = before;
  }
}

/** For what changes JavaScript's own state in a way that no replay repeats: throws TraceError inside a compiled function. */
export function refuseInTrace(what: string, instead: string): void {
  observer?.refuse(what, instead);
}
