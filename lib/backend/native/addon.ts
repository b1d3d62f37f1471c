import type { RunFailure } from '../../graph/backend';

/** What `load` gives: a program that lives for as long as its exchange array. */
export interface NativeHandle {
  /** Names the program; never another one, also when this one is gone. */
  readonly handle: number;
  /**
   * The addon's memory, in which `run` and `submit` find what they take: an address for every bound buffer of the program,
   * its scalars, and the address of the `times` of a Run, or 0. It stays as it is between runs.
   */
  readonly exchange: Float64Array;
}

/** The exports of the addon (native/addon.cc). */
export interface NativeAddon {
  readonly version: string;
  readonly programVersion: number;
  readonly kernels: readonly string[];
  readonly opcodes: readonly string[];
  /** The instruction sets that this machine can run, the lowest first. */
  readonly supported: readonly string[];
  readonly isa: string;
  readonly threads: number;
  /** The named tier or, where the machine cannot run it, the next lower one. Throws a RangeError for unknown names. */
  setIsa(name: string): void;
  setThreads(count: number): void;
  load(words: Int32Array): NativeHandle;
  run(handle: number): RunFailure | undefined;
  submit(handle: number, id: number, after?: readonly number[]): void;
  /**
   * The queued run fails as `aborted`, at once or before its next instruction; once it overwrites state it goes on.
   * False if it has ended.
   */
  abort(id: number): boolean;
  /** [id, failure, id, failure, ...] or null. */
  collect(): (number | RunFailure | null)[] | null;
  wait(id: number): void;
  onCompletion(callback: () => void): void;
  addressOf(buffer: ArrayBuffer): number;
  /** The clock of `times`, in nanoseconds. */
  now(): number;
  /** Measured float32 GFLOP/s of one thread that does nothing but multiply and add. */
  fmaPeak(seconds: number): number;
}
