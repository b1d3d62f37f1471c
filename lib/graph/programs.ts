import type { Backend, LoadedProgram } from './backend';
import { fuseEpilogues } from './program/epilogue';
import { fuse } from './program/fuse';
import { graphOf } from './program/ir';
import { lower } from './program/lower';
import { plan, type Plan } from './program/plan';
import { simplify } from './program/simplify';
import type { Trace } from './program/trace';

/** A plan that a backend has taken. */
export interface Compiled extends Plan {
  readonly loaded: LoadedProgram;
}

/** The passes, in order. */
export function compileTrace(trace: Trace): Plan {
  const graph = simplify(graphOf(trace));
  return plan(lower(graph, fuseEpilogues(graph, fuse(graph), trace.donors)), trace.donors, trace.scalars.length);
}

interface Entry {
  readonly signature: Int32Array;
  readonly compiled: Compiled;
}

/** Programs by structure; the least recently used go first. */
export class ProgramCache {
  readonly #entries = new Map<number, Entry[]>();
  #size = 0;

  constructor(readonly limit = 1024) {}

  get size(): number {
    return this.#size;
  }

  find({ signature }: Trace): Compiled | null {
    const { hash } = signature;
    const bucket = this.#entries.get(hash);
    if (bucket === undefined) return null;
    for (let i = 0; i < bucket.length; i++) {
      if (!signature.equals(bucket[i]!.signature)) continue;
      this.#entries.delete(hash);
      this.#entries.set(hash, bucket);
      return bucket[i]!.compiled;
    }
    return null;
  }

  compile(trace: Trace, backend: Backend): Compiled {
    const { hash } = trace.signature;
    const signature = trace.signature.copy();
    const made = compileTrace(trace);
    const compiled = { ...made, loaded: backend.load(made.program) };
    const bucket = this.#entries.get(hash);
    if (bucket === undefined) this.#entries.set(hash, [{ signature, compiled }]);
    else bucket.push({ signature, compiled });
    this.#size++;
    while (this.#size > this.limit) {
      const [oldest, entries] = this.#entries.entries().next().value!;
      this.#entries.delete(oldest);
      this.#size -= entries.length;
    }
    return compiled;
  }

  clear(): void {
    this.#entries.clear();
    this.#size = 0;
  }
}
