import { types } from 'node:util';
import { BackendError, ValueError } from '../../errors';
import type { Backend, Completion, LoadedProgram, Run, RunFailure } from '../../graph/backend';
import { encode } from '../../graph/program/encode';
import type { BufferSpec, Program } from '../../graph/program/program';
import type { NativeAddon, ProgramHandle } from './addon';

class NativeProgram implements LoadedProgram {
  readonly bound: readonly BufferSpec[];

  constructor(
    readonly program: Program,
    readonly handle: ProgramHandle,
  ) {
    this.bound = program.buffers.filter(({ kind }) => kind !== 'arena');
  }
}

/** Runs programs in the addon: short ones on the caller's thread, queued ones on a thread of the addon. */
export class NativeBackend implements Backend {
  readonly name = 'native';
  readonly costFactor = 1;
  /** Keeps the storages of queued runs alive. */
  private readonly queued = new Map<number, Run>();
  private exchange: Float64Array;
  private callback: () => void = () => undefined;

  constructor(private readonly addon: NativeAddon) {
    this.exchange = addon.exchange(1024);
    addon.onCompletion(() => this.callback());
  }

  load(program: Program): LoadedProgram {
    return guarded(() => new NativeProgram(program, this.addon.load(encode(program))));
  }

  runInline(run: Run): RunFailure | null {
    const handle = this.bind(run);
    return guarded(() => this.addon.run(handle));
  }

  submit(run: Run): void {
    const handle = this.bind(run);
    guarded(() => this.addon.submit(handle, run.id, run.after.length === 0 ? undefined : run.after));
    this.queued.set(run.id, run);
  }

  collect(): Completion[] {
    const ended = this.queued.size === 0 ? null : this.addon.collect();
    if (ended === null) return [];
    const completions: Completion[] = [];
    for (let i = 0; i < ended.length; i += 2) {
      const id = ended[i] as number;
      this.queued.delete(id);
      completions.push({ id, failure: ended[i + 1] as RunFailure | null });
    }
    return completions;
  }

  wait(id: number): void {
    this.addon.wait(id);
  }

  onCompletion(callback: () => void): void {
    this.callback = callback;
  }

  addressOf(buffer: ArrayBuffer): number {
    return this.addon.addressOf(buffer);
  }

  get isa(): string {
    return this.addon.isa;
  }

  /** Lowers the instruction set to the one named. Throws a ValueError for a name that this processor family lacks. */
  setIsa(name: string): void {
    guarded(() => this.addon.setIsa(name));
  }

  get threads(): number {
    return this.addon.threads;
  }

  /** Of the whole process. Throws a ValueError unless it is an integer from 1 to 64. */
  set threads(count: number) {
    guarded(() => this.addon.setThreads(count));
  }

  /** Writes what the addon reads, which copies what it queues. */
  private bind(run: Run): ProgramHandle {
    const { loaded, bindings, scalars } = run;
    if (!(loaded instanceof NativeProgram)) throw new BackendError('native backend: a program of another backend');
    const { bound, program } = loaded;
    if (bindings.length !== bound.length || scalars.length !== program.scalars)
      throw new BackendError(
        `native backend: the program takes ${bound.length} bindings and ${program.scalars} scalars, ` +
          `and was given ${bindings.length} and ${scalars.length}`,
      );
    const length = 2 * bound.length + scalars.length;
    if (length > this.exchange.length) this.exchange = guarded(() => this.addon.exchange(2 * length));
    const { exchange } = this;
    let at = 0;
    for (let i = 0; i < bound.length; i++) {
      const storage = bindings[i]!;
      if (storage.dtype !== bound[i]!.dtype)
        throw new BackendError(`native backend: binding ${i} is ${storage.dtype}, its buffer ${bound[i]!.dtype}`);
      exchange[at++] = storage.address;
      exchange[at++] = storage.data.byteLength;
    }
    for (let i = 0; i < scalars.length; i++) exchange[at++] = scalars[i]!;
    return loaded.handle;
  }
}

/** The addon's exceptions as errors of this library. */
function guarded<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    // Not `instanceof`: in a vm context, as tests have, the addon's errors are of another realm.
    if (!types.isNativeError(error)) throw error;
    const { message } = error;
    if (error.name === 'RangeError') throw new ValueError(message, { cause: error });
    throw new BackendError(`native backend: ${message}`, { cause: error });
  }
}
