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
  readonly signature: readonly number[];
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

  find(trace: Trace): Compiled | null {
    const hash = hashOf(trace.signature);
    const bucket = this.#entries.get(hash);
    const entry = bucket?.find(({ signature }) => equal(signature, trace.signature));
    if (entry === undefined) return null;
    this.#entries.delete(hash);
    this.#entries.set(hash, bucket!);
    return entry.compiled;
  }

  compile(trace: Trace, backend: Backend): Compiled {
    const made = compileTrace(trace);
    const compiled = { ...made, loaded: backend.load(made.program) };
    const hash = hashOf(trace.signature);
    const bucket = this.#entries.get(hash);
    if (bucket === undefined) this.#entries.set(hash, [{ signature: trace.signature, compiled }]);
    else bucket.push({ signature: trace.signature, compiled });
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

const float64 = new Float64Array(1);
const halves = new Int32Array(float64.buffer);

/** FNV-1a over the words of the numbers. */
function hashOf(signature: readonly number[]): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < signature.length; i++) {
    const value = signature[i]!;
    if ((value | 0) === value) hash = Math.imul(hash ^ value, 0x01000193);
    else {
      float64[0] = value;
      hash = Math.imul(Math.imul(hash ^ halves[0]!, 0x01000193) ^ halves[1]!, 0x01000193);
    }
  }
  return hash;
}

function equal(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    const x = a[i]!;
    // NaN is equal to itself here, and 0 is not -0: both can be attributes.
    if (x === b[i] ? x === 0 && !Object.is(x, b[i]) : !Object.is(x, b[i])) return false;
  }
  return true;
}
