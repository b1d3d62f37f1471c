import { TraceError, ValueError } from '../../errors';
import { Tensor } from '../../tensor/tensor';
import { currentTrace } from '../../tensor/tracing';
import { backendQueue, compilationOf, isEager } from '../evaluate';
import { isGradEnabled } from '../modes';
import type { Compilation } from '../preparation';
import type { Queue } from '../queue';
import { describe, leavesOf, mismatch, type Leaf } from './arguments';
import { explain, type Explanation } from './explain';
import { advance, entryOf, firstRun, recordingOf, replay, type Entry } from './replay';
import { traceFunction, type TracedFunction } from './tracing';

export interface CompileOptions {
  /** How many programs are kept, one for each kind of arguments: the least recently used goes first. Default: 16. */
  readonly cacheLimit?: number;
}

type AnyFunction = (...args: never[]) => unknown;

const isChecked = process.env.SADDLEPOINT_COMPILE_CHECK === '1';
const compiledFunctions = new WeakMap<AnyFunction, CompiledFunction>();

/**
 * A function that records `fn` once for each kind of arguments and from then on replays its program: no recording, no
 * search for a program, weights written in place. It does what `fn` does: Variables are moved, gradients left, optimizers
 * stepped, random numbers drawn, and the result has the same form.
 *
 * `fn` is synchronous. Read at every replay: tensors among the arguments (also in arrays and plain objects), Variables,
 * learning rates and step counts of optimizers that step inside, generators. Taken as they are: tensors from outside, by identity;
 * every other value of JavaScript. What `fn` read of train mode, grad mode, `requiresGrad` and whether gradients were
 * there is checked before each replay; where it differs, or an argument is of another kind, the function is recorded again.
 * `compile.explain(step)` lists all of that. Inside of another compiled function, and with SADDLEPOINT_EAGER=1, it is `fn`.
 *
 * Throws TraceError if `fn` reads a number, returns a promise, or changes what a replay could not: schedules, modes, seeds. A
 * tensor kept from inside throws it later. With SADDLEPOINT_COMPILE_CHECK=1 every replay records again and throws it
 * where the recording differs.
 *
 *     const step = compile((x: Tensor, y: Tensor) => {
 *       optimizer.zeroGrad();
 *       const loss = crossEntropy(model.forward(x), y);
 *       loss.backward();
 *       void optimizer.step();
 *       return loss;
 *     });
 *     for (const { images, labels } of loader) console.log(await step(images, labels).item());
 */
export function compile<A extends unknown[], R>(
  fn: (...args: A) => R,
  options: CompileOptions = {},
): (...args: A) => R {
  if (typeof fn !== 'function') throw new ValueError(`compile: takes a function, got ${describe(fn)}`);
  const { cacheLimit = 16 } = options;
  if (!Number.isInteger(cacheLimit) || cacheLimit < 1)
    throw new ValueError(`compile: cacheLimit is an integer of at least 1, got ${String(cacheLimit)}`);
  const compiled = new CompiledFunction(fn, cacheLimit);
  const call = (...args: A): R => (currentTrace() !== null || isEager ? fn(...args) : (compiled.call(args) as R));
  compiledFunctions.set(call, compiled);
  return call;
}

/**
 * What a compiled function has recorded so far: for each program its arguments, constants, guards and size, and why each
 * was recorded. Throws ValueError for what `compile` has not made.
 *
 *     console.log(String(compile.explain(step)));
 */
compile.explain = (compiled: AnyFunction): Explanation => {
  const known = compiledFunctions.get(compiled);
  if (known === undefined) throw new ValueError('compile.explain: takes a function that compile has returned');
  backendQueue().finishPreparing();
  return explain(known.entries, known.recordings);
};

class CompiledFunction {
  /** The one that was replayed last comes first. */
  readonly entries: Entry[] = [];
  /** Why the function was recorded, each time, the first included. */
  readonly recordings: string[] = [];
  /** The backend that the programs are for. */
  #target: Queue | null = null;

  constructor(
    private readonly fn: AnyFunction,
    private readonly cacheLimit: number,
  ) {}

  call(args: readonly unknown[]): unknown {
    const target = backendQueue();
    target.finishPreparing();
    target.collect();
    target.throwHeld();
    if (target !== this.#target) {
      this.entries.length = 0;
      this.#target = target;
    }
    const leaves = leavesOf(args);
    const tensors = leaves.filter(isTensor);
    for (let i = 0; i < this.entries.length; i++) {
      const entry = this.entries[i]!;
      if (whyNot(entry, leaves) !== null) continue;
      if (isChecked) this.#check(entry, args, target);
      const advanced = advance(entry.traced);
      if (advanced === null) continue;
      if (i > 0) this.entries.unshift(...this.entries.splice(i, 1));
      return replay(entry, target, tensors, advanced);
    }
    return this.#firstCall(args, leaves, target);
  }

  #firstCall(args: readonly unknown[], leaves: readonly Leaf[], target: Queue): unknown {
    const last = this.entries[0];
    const reason =
      last === undefined
        ? 'first call'
        : (whyNot(last, leaves) ?? 'an optimizer steps by another formula, or was loaded');
    const { traced, compilation } = this.#trace(args, target);
    const advanced = advance(traced);
    if (advanced === null) throw new TraceError('compile: an optimizer steps differently in every call');
    this.recordings.push(reason);
    if (this.recordings.length > MAX_REASONS) this.recordings.splice(1, 1);
    const recording = recordingOf(traced);
    return firstRun(recording, compilation, target, leaves.filter(isTensor), advanced, (compiled) => {
      this.entries.unshift(entryOf(recording, compiled));
      if (this.entries.length > this.cacheLimit) this.entries.pop();
    });
  }

  #trace(args: readonly unknown[], target: Queue): { traced: TracedFunction; compilation: Compilation } {
    return traceFunction(this.fn, args, isGradEnabled(), (trace) => compilationOf(trace, target).begin());
  }

  /** Records again, and throws TraceError where that differs from the entry. */
  #check({ traced, compiled }: Entry, args: readonly unknown[], target: Queue): void {
    const again = this.#trace(args, target);
    const differs = (what: string): never => {
      throw new TraceError(`compile: SADDLEPOINT_COMPILE_CHECK: recorded again, the function has ${what}`);
    };
    if (again.compilation.finish() !== compiled) differs('other operations');
    traced.constants.forEach(({ slot, value, label }) => {
      const now = again.traced.scalars[slot]!;
      if (!Object.is(now, value)) differs(`another number in ${label}: ${now}, was ${value}`);
    });
    traced.sources.forEach((source, i) => {
      const now = again.traced.sources[i]!;
      if ('captured' in source && !('captured' in now && now.captured === source.captured))
        differs(`captured ${describe(source.captured)} of another identity`);
    });
  }
}

function isTensor(leaf: Leaf): leaf is Tensor {
  return leaf instanceof Tensor;
}

/** More recompilations than this are told of by the first and the latest. */
const MAX_REASONS = 100;

/** Why the entry does not hold for these arguments, now; null if it does. */
function whyNot({ traced }: Entry, leaves: readonly Leaf[]): string | null {
  const { expected, gradMode, guards } = traced;
  if (expected.length !== leaves.length) return `${leaves.length} values among the arguments, were ${expected.length}`;
  for (let i = 0; i < leaves.length; i++) {
    const problem = mismatch(expected[i]!, leaves[i]);
    if (problem !== null) return problem;
  }
  if (isGradEnabled() !== gradMode) return `grad mode is ${!gradMode}, was ${gradMode}`;
  for (let i = 0; i < guards.length; i++) {
    const { description, value, read } = guards[i]!;
    const now = read();
    if (!Object.is(now, value)) return `${description} is ${describe(now)}, was ${describe(value)}`;
  }
  return null;
}
