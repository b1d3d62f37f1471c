import type { Backend, Completion, LoadedProgram, Run } from '../../lib/graph/backend';
import type { Program } from '../../lib/graph/program/program';

/** Takes every program and runs none: what an evaluation then takes is everything but execution. Values are garbage. */
export class IdleBackend implements Backend {
  readonly name: Backend['name'];
  readonly isa: string;
  readonly costFactor: number;
  threads: number;
  #ended: Completion[] = [];

  constructor(private readonly backend: Backend) {
    const { name, isa, costFactor, threads } = backend;
    this.name = name;
    this.isa = isa;
    this.costFactor = costFactor;
    this.threads = threads;
  }

  load(program: Program): LoadedProgram {
    return this.backend.load(program);
  }

  runInline(): null {
    return null;
  }

  submit({ id }: Run): void {
    this.#ended.push({ id, failure: null });
  }

  collect(): Completion[] {
    const ended = this.#ended;
    this.#ended = [];
    return ended;
  }

  wait(): void {
    // All that was submitted has ended.
  }

  onCompletion(): void {
    // Whoever waits collects.
  }

  abort(): boolean {
    return false;
  }

  now(): number {
    return this.backend.now();
  }

  get arenaBytes(): number {
    return this.backend.arenaBytes;
  }

  addressOf(buffer: ArrayBuffer): number {
    return this.backend.addressOf(buffer);
  }
}
