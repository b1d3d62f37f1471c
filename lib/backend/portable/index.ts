import type { Backend, Completion, LoadedProgram, Run, RunFailure } from '../../graph/backend';
import type { Program } from '../../graph/program/program';
import { PreparedProgram } from './program';
import { Execution, nanoseconds, Runner } from './runner';
import { Workspace } from './workspace';

/** The backend in plain JavaScript: runs wherever Node does, on the thread of the caller, in slices. */
export class PortableBackend implements Backend {
  readonly name = 'portable';
  readonly isa = 'javascript';
  readonly costFactor = 20;
  arenaBytes = 0;
  threads = 1;
  private readonly workspace = new Workspace();
  private readonly runner = new Runner();

  load(program: Program): LoadedProgram {
    return new PreparedProgram(program, this.workspace);
  }

  runInline(run: Run): RunFailure | null {
    this.foresee(run);
    const execution = new Execution(run);
    while (!execution.step());
    return execution.failure;
  }

  submit(run: Run): void {
    this.runner.submit(run);
    this.foresee(run);
  }

  private foresee({ loaded }: Run): void {
    this.arenaBytes = Math.max(this.arenaBytes, loaded.program.arenaBytes);
  }

  abort(id: number): boolean {
    return this.runner.abort(id);
  }

  collect(): Completion[] {
    return this.runner.collect();
  }

  wait(id: number): void {
    this.runner.wait(id);
  }

  onCompletion(callback: () => void): void {
    this.runner.onCompletion(callback);
  }

  addressOf(): number {
    return 0;
  }

  now(): number {
    return nanoseconds();
  }
}
