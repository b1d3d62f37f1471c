import { types } from 'node:util';
import { BackendError, ValueError } from '../../errors';
import type { Backend, Completion, LoadedProgram, Run, RunFailure } from '../../graph/backend';
import { encode } from '../../graph/program/encode';
import type { BufferSpec, Program } from '../../graph/program/program';
import type { Storage } from '../../tensor/storage';
import type { NativeAddon } from './addon';

class NativeProgram implements LoadedProgram {
  readonly bound: readonly BufferSpec[];

  constructor(
    readonly program: Program,
    readonly handle: number,
    readonly exchange: Float64Array,
  ) {
    this.bound = program.buffers.filter(({ kind }) => kind !== 'arena');
  }
}

/** Runs programs in the addon: short ones on the caller's thread, queued ones on a thread of the addon. */
export class NativeBackend implements Backend {
  readonly name = 'native';
  readonly costFactor = 1;
  arenaBytes = 0;
  /** Keeps the storages of queued runs alive. */
  private readonly queued = new Map<number, Run>();
  private callback: () => void = () => undefined;

  constructor(private readonly addon: NativeAddon) {
    addon.onCompletion(() => this.callback());
  }

  load(program: Program): LoadedProgram {
    const { handle, exchange } = guarded(() => this.addon.load(encode(program)));
    return new NativeProgram(program, handle, exchange);
  }

  runInline(run: Run): RunFailure | null {
    const handle = this.bind(run);
    try {
      return this.addon.run(handle) ?? null;
    } catch (error) {
      throw translated(error);
    }
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

  abort(id: number): boolean {
    return this.addon.abort(id);
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

  now(): number {
    return this.addon.now();
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
  private bind({ loaded, bindings, scalars, times }: Run): number {
    if (!(loaded instanceof NativeProgram)) throw new BackendError('native backend: a program of another backend');
    const { bound, program, exchange, handle } = loaded;
    if (bindings.length !== bound.length || scalars.length !== program.scalars)
      throw new BackendError(
        `native backend: the program takes ${bound.length} bindings and ${program.scalars} scalars, ` +
          `and was given ${bindings.length} and ${scalars.length}`,
      );
    this.arenaBytes = Math.max(this.arenaBytes, program.arenaBytes);
    let at = 0;
    for (let i = 0; i < bound.length; i++) {
      const storage = bindings[i]!;
      const { dtype, length } = bound[i]!;
      if (storage.dtype !== dtype || storage.length !== length) throw misfit(i, storage, bound[i]!);
      exchange[at++] = storage.address;
    }
    for (let i = 0; i < scalars.length; i++) exchange[at++] = scalars[i]!;
    exchange[at] = times === null ? 0 : this.addressOfTimes(times, program);
    return handle;
  }

  private addressOfTimes(times: Float64Array, program: Program): number {
    if (times.length <= program.instructions.length)
      throw new BackendError(`native backend: ${times.length} times for ${program.instructions.length} instructions`);
    // Asking for the buffer moves a small array off V8's heap, where it would not stay in place.
    return this.addon.addressOf(times.buffer as ArrayBuffer) + times.byteOffset;
  }
}

function misfit(binding: number, storage: Storage, buffer: BufferSpec): BackendError {
  return new BackendError(
    `native backend: binding ${binding} is ${storage.dtype} [${storage.length}], its buffer ` +
      `${buffer.dtype} [${buffer.length}]`,
  );
}

function guarded<T>(call: () => T): T {
  try {
    return call();
  } catch (error) {
    throw translated(error);
  }
}

/** The addon's exceptions as errors of this library. */
function translated(error: unknown): unknown {
  // Not `instanceof`: in a vm context, as tests have, the addon's errors are of another realm.
  if (!types.isNativeError(error)) return error;
  const { message } = error;
  if (error.name === 'RangeError') return new ValueError(message, { cause: error });
  return new BackendError(`native backend: ${message}`, { cause: error });
}
