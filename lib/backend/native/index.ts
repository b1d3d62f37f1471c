import { BackendError, ValueError } from '../../errors';
import type { Backend, Completion, LoadedProgram, Run, RunFailure } from '../../graph/backend';
import { encode } from '../../graph/program/encode';
import type { BufferSpec, Program } from '../../graph/program/program';
import type { NativeAddon, ProgramHandle } from './addon';

class NativeProgram implements LoadedProgram {
  readonly bound: readonly BufferSpec[];
  /** (address, byte length) of every bound buffer, written anew for each run; the addon copies what it queues. */
  readonly bindings: Float64Array;

  constructor(
    readonly program: Program,
    readonly handle: ProgramHandle,
  ) {
    this.bound = program.buffers.filter(({ kind }) => kind !== 'arena');
    this.bindings = new Float64Array(2 * this.bound.length);
  }
}

/** Runs programs in the addon: short ones on the caller's thread, queued ones on a thread of the addon. */
export class NativeBackend implements Backend {
  readonly name = 'native';
  readonly costFactor = 1;
  /** Keeps the storages of queued runs alive. */
  private readonly queued = new Map<number, Run>();
  private callback: () => void = () => undefined;

  constructor(private readonly addon: NativeAddon) {
    addon.onCompletion(() => this.callback());
  }

  load(program: Program): LoadedProgram {
    return guarded(() => new NativeProgram(program, this.addon.load(encode(program))));
  }

  runInline(run: Run): RunFailure | null {
    const loaded = this.bind(run);
    return guarded(() => this.addon.run(loaded.handle, loaded.bindings, run.scalars));
  }

  submit(run: Run): void {
    const loaded = this.bind(run);
    guarded(() => this.addon.submit(loaded.handle, loaded.bindings, run.scalars, run.id, run.after));
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

  private bind(run: Run): NativeProgram {
    const { loaded } = run;
    if (!(loaded instanceof NativeProgram)) throw new BackendError('native backend: a program of another backend');
    const { bound, bindings } = loaded;
    if (run.bindings.length !== bound.length)
      throw new BackendError(`native backend: ${run.bindings.length} bindings for ${bound.length} buffers`);
    for (let i = 0; i < bound.length; i++) {
      const storage = run.bindings[i]!;
      if (storage.dtype !== bound[i]!.dtype)
        throw new BackendError(`native backend: binding ${i} is ${storage.dtype}, its buffer ${bound[i]!.dtype}`);
      const { data, address } = storage;
      // A storage may be older than the choice of the backend that finds addresses.
      bindings[2 * i] =
        address === 0 ? this.addon.addressOf(data.buffer as ArrayBuffer) + data.byteOffset : address;
      bindings[2 * i + 1] = data.byteLength;
    }
    return loaded;
  }
}

/** The addon's exceptions as errors of this library. */
function guarded<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof RangeError) throw new ValueError(message, { cause: error });
    throw new BackendError(`native backend: ${message}`, { cause: error });
  }
}
