import type { Backend, LoadedProgram } from './backend';
import { fuseEpilogues } from './program/epilogue';
import { fuse } from './program/fuse';
import { graphOf } from './program/ir';
import { lower } from './program/lower';
import { plan, type Plan } from './program/plan';
import { simplify } from './program/simplify';
import { runSlices, type Slices } from './program/slices';
import type { Trace } from './program/trace';

/** A plan that a backend has taken. */
export interface Compiled extends Plan {
  readonly loaded: LoadedProgram;
}

/** The passes, in order. Marks on the trace's tensors are read before the first slice ends. */
function* passes(trace: Trace): Slices<Plan> {
  const recorded = graphOf(trace);
  yield;
  const graph = yield* simplify(recorded);
  yield;
  const regions = yield* fuse(graph);
  yield;
  const groups = fuseEpilogues(graph, regions, trace.donors);
  yield;
  const lowered = yield* lower(graph, groups);
  yield;
  return yield* plan(lowered, trace.donors, trace.scalars.length);
}

export function compileTrace(trace: Trace): Plan {
  return runSlices(passes(trace));
}

interface Entry {
  readonly signature: Int32Array;
  readonly compiled: Compiled;
}

/** Programs by structure; the least recently used go first. */
export class ProgramCache {
  readonly #entries = new Map<number, Entry[]>();
  /** The latest that was found or made: loops ask for the same one again. */
  #latest: Entry | null = null;
  #size = 0;

  constructor(readonly limit = 1024) {}

  get size(): number {
    return this.#size;
  }

  find({ signature }: Trace): Compiled | null {
    if (this.#latest !== null && signature.equals(this.#latest.signature)) return this.#latest.compiled;
    const { hash } = signature;
    const bucket = this.#entries.get(hash);
    if (bucket === undefined) return null;
    for (let i = 0; i < bucket.length; i++) {
      if (!signature.equals(bucket[i]!.signature)) continue;
      this.#entries.delete(hash);
      this.#entries.set(hash, bucket);
      this.#latest = bucket[i]!;
      return this.#latest.compiled;
    }
    return null;
  }

  *compile(trace: Trace, backend: Backend): Slices<Compiled> {
    const { hash } = trace.signature;
    const signature = trace.signature.copy();
    const made = yield* passes(trace);
    yield;
    const compiled = { ...made, loaded: backend.load(made.program) };
    const bucket = this.#entries.get(hash);
    const entry = { signature, compiled };
    if (bucket === undefined) this.#entries.set(hash, [entry]);
    else bucket.push(entry);
    this.#latest = entry;
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
    this.#latest = null;
    this.#size = 0;
  }
}
