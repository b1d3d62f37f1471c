import type { DType } from '../tensor/dtype';
import { Storage } from '../tensor/storage';
import type { Tensor } from '../tensor/tensor';
import { checkMemory } from './memory';
import { runFor, type Slices } from './program/slices';
import type { Compiled } from './programs';
import type { Flight, Queue } from './queue';
import { recorder } from './recorder';

/** A program of so many operations may take longer to compile than the event loop should wait. */
const LONG_COMPILATION = 200;
const SLICE_MILLISECONDS = 3;
/** Elements from which on a result's memory is made in a slice of its own. */
const LARGE_LENGTH = 64 * 1024;

/** The program for a trace: known already, or compiled bit by bit. */
export class Compilation {
  constructor(
    private compiled: Compiled | null,
    /** What compiles it, if it is not known. */
    private readonly slices: Slices<Compiled> | null,
    private readonly operations: number,
  ) {}

  get isShort(): boolean {
    return this.compiled !== null || this.operations < LONG_COMPILATION;
  }

  /** What it reads of the trace's tensors it reads now: they may change from here on. */
  begin(): this {
    this.goOn(0);
    return this;
  }

  /** Goes on for some time, and to the next place where it can be left; the program, if all is done. */
  goOn(milliseconds: number): Compiled | null {
    if (this.compiled !== null) return this.compiled;
    const began = recorder?.now() ?? 0;
    this.compiled = runFor(this.slices!, milliseconds);
    recorder?.span('compiling', began);
    return this.compiled;
  }

  finish(): Compiled {
    return this.goOn(Infinity)!;
  }
}

/** What a program is run on, in the order of its trace. */
export interface Operands {
  readonly leaves: readonly Tensor[];
  readonly scalars: readonly number[];
  /** What it computes. */
  readonly roots: readonly Tensor[];
  /** Where operations were recorded that the data can make fail. */
  readonly sites: readonly Error[];
}

/** What comes between a trace and its run: the program, and memory for what it computes. It can be left for a while. */
export class Preparation {
  #binding: Slices<Storage[]> | null = null;
  #bound: Storage[] | null = null;

  constructor(
    private readonly target: Queue,
    private readonly flight: Flight,
    private readonly compilation: Compilation,
    private readonly operands: Operands,
  ) {}

  /** Goes on for some time, and to the next place where it can be left; whether all is done. */
  goOn(milliseconds: number): boolean {
    const compiled = this.compilation.goOn(milliseconds);
    if (compiled === null) return false;
    const began = recorder?.now() ?? 0;
    this.#bind(compiled, milliseconds);
    recorder?.span('submitting', began);
    return this.#bound !== null;
  }

  /** All that is left, at once; the run can begin. */
  finish(): Compiled {
    const compiled = this.compilation.finish();
    const began = recorder?.now() ?? 0;
    const bound = this.#bind(compiled, Infinity)!;
    const { leaves, scalars, sites } = this.operands;
    checkLeaves(leaves);
    this.flight.prepare(compiled, bound, scalars, leaves, sites);
    recorder?.span('submitting', began);
    return compiled;
  }

  #bind(compiled: Compiled, milliseconds: number): Storage[] | null {
    if (this.#binding === null) {
      const { leaves } = this.operands;
      checkLeaves(leaves);
      checkMemory(compiled, leaves, this.target.backend);
      this.#binding = bind(this.target, this.operands, compiled);
    }
    return (this.#bound ??= runFor(this.#binding, milliseconds));
  }
}

/** What a run depends on may have failed since it was traced. */
function checkLeaves(leaves: readonly Tensor[]): void {
  const failure = failureOf(leaves);
  if (failure !== null) throw failure;
}

export function failureOf(tensors: readonly Tensor[]): Error | null {
  for (let i = 0; i < tensors.length; i++) if (tensors[i]!.failure !== null) return tensors[i]!.failure;
  return null;
}

/**
 * Prepares a run between turns of the event loop, for nobody waits on the spot. Whoever does then, or starts something else,
 * finishes it at once, so that it is never seen half done.
 */
export function prepareInSlices(target: Queue, flight: Flight, preparation: Preparation, enqueueNow: () => void): void {
  target.prepare(flight, enqueueNow);
  const goOn = (): void => {
    if (!target.isPreparing(flight)) return;
    try {
      if (flight.signal?.aborted === true || preparation.goOn(SLICE_MILLISECONDS)) target.finishPreparing();
      else setImmediate(goOn);
    } catch (error) {
      target.finishPreparing(() => {
        throw error;
      });
    }
  };
  setImmediate(goOn);
}

/**
 * Gives the roots their storages: those of the versions they replace, room that an earlier gradient has left, or new ones;
 * and lists what the program binds. Yields behind large memory, for which V8 may collect garbage.
 */
function* bind(
  target: Queue,
  { roots, leaves }: Operands,
  { outputs, rootOutputs, bindings }: Compiled,
): Slices<Storage[]> {
  const owners = new Array<Tensor | undefined>(outputs.length);
  for (let i = 0; i < roots.length; i++) {
    const root = roots[i]!;
    const output = rootOutputs[i]!;
    const owner = owners[output];
    if (owner !== undefined) {
      // Two tensors that share their numbers: neither may be overwritten.
      root.storage = owner.storage;
      owner.captured = root.captured = true;
      continue;
    }
    const { slot, donor } = outputs[output]!;
    root.storage =
      donor >= 0 ? storageOver(leaves[donor]!, target) : (roomOf(root, slot) ?? new Storage(slot.dtype, slot.length));
    owners[output] = root;
    if (slot.length >= LARGE_LENGTH) yield;
  }
  const storages = new Array<Storage>(bindings.length);
  for (let i = 0; i < bindings.length; i++) {
    const { leaf, output } = bindings[i]!;
    const storage = output >= 0 ? owners[output]!.storage! : leaves[leaf]!.storage!;
    storages[i] = storage;
    if (storage.allocate()) yield;
  }
  return storages;
}

/** Where the version that replaces this one is written: over it, or over a copy if somebody has seen it. */
function storageOver(version: Tensor, target: Queue): Storage {
  if (!version.captured) return version.storage!;
  target.wait(version.run);
  if (version.failure !== null) throw version.failure;
  return version.storage!.copy();
}

function roomOf(root: Tensor, { dtype, length }: { dtype: DType; length: number }): Storage | null {
  const { room } = root;
  root.room = null;
  return room !== null && room.dtype === dtype && room.length === length ? room : null;
}
