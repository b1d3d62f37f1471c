import type { Storage } from '../tensor/storage';
import type { Program } from './program/program';

/**
 * Why a program stopped: `value` is the user's data (a label without a class), `memory` an allocation, `aborted` what
 * `Backend.abort` asked for, `internal` a bug.
 */
export interface RunFailure {
  readonly kind: 'value' | 'memory' | 'aborted' | 'internal';
  /** Index into the program's instructions, or -1. */
  readonly instruction: number;
  readonly message: string;
  /** The id of the failed run that this one depended on, or -1. */
  readonly cause: number;
}

/** A program as the backend keeps it: decoded, validated, ready. */
export interface LoadedProgram {
  readonly program: Program;
}

/** One execution. The queue keeps it, and so its storages, alive until it has ended. */
export interface Run {
  /** Counts up from 1 within the process's environment. */
  readonly id: number;
  readonly loaded: LoadedProgram;
  /** In the order of the bound (not arena) buffers of the program. */
  readonly bindings: readonly Storage[];
  readonly scalars: ArrayLike<number>;
  /** Runs still queued whose outputs this one reads: if one fails, this one fails without running. */
  readonly after: readonly number[];
  /**
   * Null, or an array that the backend fills while it runs: when the first instruction began, then when each has ended,
   * in nanoseconds of its clock.
   */
  readonly times: Float64Array | null;
}

export interface Completion {
  readonly id: number;
  readonly failure: RunFailure | null;
}

/** The line below which native and portable differ. Runs execute one at a time, first in, first out. */
export interface Backend {
  readonly name: 'native' | 'portable';
  /** Validates and prepares. Throws BackendError if the program is malformed. */
  load(program: Program): LoadedProgram;
  /** Runs on the caller's thread, at once; only called when nothing is queued. */
  runInline(run: Run): RunFailure | null;
  /** Queues; returns at once. */
  submit(run: Run): void;
  /** The runs that ended since the last call, in order; never waits. */
  collect(): Completion[];
  /**
   * Asks a queued run to fail as `aborted`: before it begins, or between two instructions. Once it overwrites state it
   * goes on to its end. False if it has ended: then it stays as it is. A run that overwrites no state does fail if true.
   */
  abort(id: number): boolean;
  /** Returns when the run has ended (it is then among `collect()`); drives the portable runner. */
  wait(id: number): void;
  /** Called on the event loop whenever queued runs have ended. Keeps the process alive only while runs are queued. */
  onCompletion(callback: () => void): void;
  /** Address of a buffer's first byte, so that storages can be aligned; 0 where there is no such thing. */
  addressOf(buffer: ArrayBuffer): number;
  /** The clock of `Run.times`. */
  now(): number;
  /** What the arena has or will have when all that was handed over has run; it never shrinks. */
  readonly arenaBytes: number;
  readonly isa: string;
  /** How much longer than the native kernels it takes, roughly. */
  readonly costFactor: number;
  threads: number;
}
