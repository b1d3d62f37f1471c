import type { RunFailure } from '../../graph/backend';

/** What `load` gives; only the addon can look inside. */
export interface ProgramHandle {
  readonly __programHandle: never;
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
  /**
   * A new array of the addon's, in which `run` and `submit` find what they take: (address, byte length) for every bound
   * buffer of the program, then its scalars.
   */
  exchange(length: number): Float64Array;
  load(words: Int32Array): ProgramHandle;
  run(handle: ProgramHandle): RunFailure | null;
  submit(handle: ProgramHandle, id: number, after?: readonly number[]): void;
  /** [id, failure, id, failure, ...] or null. */
  collect(): (number | RunFailure | null)[] | null;
  wait(id: number): void;
  onCompletion(callback: () => void): void;
  addressOf(buffer: ArrayBuffer): number;
  /** Measured float32 GFLOP/s of one thread that does nothing but multiply and add. */
  fmaPeak(seconds: number): number;
}
