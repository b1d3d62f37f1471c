import { Storage } from '../../tensor/storage';
import { Tensor, type Variable } from '../../tensor/tensor';
import { computeFirst, enqueue, launch } from '../evaluate';
import { checkMemory } from '../memory';
import { failureOf, type Compilation } from '../preparation';
import type { Compiled } from '../programs';
import { Flight, type Queue } from '../queue';
import { mapLeaves } from './arguments';
import type { Outcome, Source, TracedFunction } from './tracing';

/** What all calls of one recording have in common. */
export interface Recording {
  readonly traced: TracedFunction;
  /** Variables whose gradients the program reads. */
  readonly read: ReadonlySet<Variable>;
  /** Gradients that earlier calls have left: written over while nobody has seen them. */
  readonly gradients: WeakSet<Tensor>;
}

export function recordingOf(traced: TracedFunction): Recording {
  const read = new Set(traced.sources.flatMap((source) => ('gradient' in source ? [source.gradient] : [])));
  return { traced, read, gradients: new WeakSet() };
}

/** A recording and its program: everything that a replay needs, looked up once. */
export interface Entry extends Recording {
  readonly compiled: Compiled;
  /** For each output of the program the Variable whose version it is and is written over, or null. */
  readonly inPlace: readonly (Variable | null)[];
  /** The other new versions. */
  readonly fresh: TracedFunction['versions'];
  /** The first run is one of them. */
  replays: number;
}

export function entryOf(recording: Recording, compiled: Compiled): Entry {
  const { sources, versions } = recording.traced;
  const inPlace = compiled.outputs.map(({ donor }) => {
    const source = donor < 0 ? null : sources[donor]!;
    return source !== null && 'version' in source ? source.version : null;
  });
  const fresh = versions.filter(({ root }) => inPlace[compiled.rootOutputs[root]!] === null);
  return { ...recording, compiled, inPlace, fresh, replays: 1 };
}

/** The numbers of one more step of every optimizer, and of the generators; undone where the run fails. */
export interface Advanced {
  readonly scalars: readonly number[];
  readonly undo: (() => void) | undefined;
}

/** Null, with nothing changed, if an optimizer would record another program now. */
export function advance({ steps, generators, scalars }: TracedFunction): Advanced | null {
  // What is queued copies them.
  if (steps.length === 0 && generators.length === 0) return { scalars, undo: undefined };
  const values = scalars.slice();
  for (let i = 0; i < steps.length; i++) {
    const { step, slots } = steps[i]!;
    const now = step.advance();
    if (now === null) {
      while (--i >= 0) steps[i]!.step.undo();
      return null;
    }
    for (let k = 0; k < slots.length; k++) if (slots[k]! >= 0) values[slots[k]!] = now[k]!.scalar!;
  }
  for (const { generator, slots } of generators) {
    const { seed } = generator;
    const first = generator.advance(slots.length);
    for (let k = 0; k < slots.length; k++) {
      const { seed: seedSlot, offset } = slots[k]!;
      if (seedSlot >= 0) values[seedSlot] = seed;
      if (offset >= 0) values[offset] = first + k;
    }
  }
  const undo = (): void => steps.forEach(({ step }) => step.undo());
  return { scalars: values, undo: steps.length === 0 ? undefined : undo };
}

/**
 * The first run of a recording, whose program may still be compiled between turns of the event loop: as a recipe's that
 * is submitted. Leaves behind what the function would have left. `onReady` is told the program.
 */
export function firstRun(
  recording: Recording,
  compilation: Compilation,
  target: Queue,
  args: readonly Tensor[],
  { scalars, undo }: Advanced,
  onReady: (compiled: Compiled) => void,
): unknown {
  const { traced } = recording;
  makeReady(traced.sources, args);
  const kept = traced.kept.map((source) => keep(source, args));
  const leaves = traced.sources.map((source) => tensorOf(source, args));
  const results = new NewResults(traced);
  const result = leave(recording, results, traced.versions, kept);
  const flight = new Flight(results.roots, [], { onFailure: undo });
  const operands = { leaves, scalars, roots: results.roots, sites: traced.sites };
  launch(target, flight, compilation, operands, false, onReady);
  return result;
}

/** Runs the program on what is there now, and leaves behind what the function would have left. */
export function replay(entry: Entry, target: Queue, args: readonly Tensor[], { scalars, undo }: Advanced): unknown {
  const { traced, compiled } = entry;
  entry.replays++;
  makeReady(traced.sources, args);
  const kept = traced.kept.map((source) => keep(source, args));
  for (const variable of entry.inPlace) if (variable?.current.captured === true) unshare(variable, target);
  const leaves = traced.sources.map((source) => tensorOf(source, args));
  const results = new PlacedResults(entry);
  const result = leave(entry, results, entry.fresh, kept);

  const flight = new Flight(results.roots, results.overwritten, { onFailure: undo });
  try {
    const failure = failureOf(leaves);
    if (failure !== null) throw failure;
    const bindings = compiled.bindings.map(({ leaf, output }) =>
      output >= 0 ? results.storageOf(output) : leaves[leaf]!.storage!,
    );
    checkMemory(compiled, leaves, target.backend);
    flight.prepare(compiled, bindings, scalars, leaves, traced.sites);
    enqueue(target, flight, compiled, false);
  } catch (error) {
    target.fail(flight, error as Error);
  }
  return result;
}

/** The tensors of one call. */
interface Results {
  /** A tensor for what the program computes. */
  make(root: number): Tensor;
  /** Whether a root is written over the last gradient. */
  makeOver(root: number, gradient: Tensor | null): boolean;
}

/** Points Variables and gradients at what the program computes; the function's result. */
function leave(
  { traced, read, gradients }: Recording,
  results: Results,
  versions: TracedFunction['versions'],
  kept: readonly Tensor[],
): unknown {
  for (const { variable, root } of versions) variable.take(results.make(root));
  const resolve = (outcome: Outcome): unknown => {
    if (outcome.root >= 0) return results.make(outcome.root);
    return outcome.kept >= 0 ? kept[outcome.kept] : outcome.value;
  };
  for (const { variable, outcome } of traced.gradients) {
    // One that the program reads is no place to write to: it may be read once more afterwards.
    const last = read.has(variable) ? null : variable.currentGrad;
    if (outcome.root >= 0 && results.makeOver(outcome.root, last)) continue;
    const grad = resolve(outcome) as Tensor | null;
    variable.grad = grad;
    if (outcome.root >= 0) gradients.add(grad!);
  }
  return mapLeaves(traced.result, (leaf) => resolve(leaf as Outcome));
}

/** Tensors that get their memory when the program is there. */
class NewResults implements Results {
  readonly roots: readonly Tensor[];
  readonly #made = new Set<number>();

  constructor({ roots }: TracedFunction) {
    this.roots = roots.map(({ shape, dtype }) => new Tensor(shape, dtype));
  }

  make(root: number): Tensor {
    const tensor = this.roots[root]!;
    // Whoever has it under one name sees what is done to it under the other.
    if (this.#made.has(root)) tensor.captured = true;
    this.#made.add(root);
    return tensor;
  }

  makeOver(): boolean {
    return false;
  }
}

/** Tensors whose places are known: what is written over, and what is new. */
class PlacedResults implements Results {
  readonly roots: Tensor[] = [];
  /** Versions that are written over. */
  readonly overwritten: Tensor[] = [];
  /** For each output of the program the first tensor that has its numbers. */
  readonly #owners: (Tensor | null)[];
  #error: Error | null = null;

  constructor(private readonly entry: Entry) {
    this.#owners = entry.inPlace.map((variable) => {
      if (variable === null) return null;
      this.overwritten.push(variable.current);
      return variable.current;
    });
  }

  make(root: number): Tensor {
    const { traced, compiled } = this.entry;
    const output = compiled.rootOutputs[root]!;
    const owner = this.#owners[output]!;
    const tensor = new Tensor(traced.roots[root]!.shape, traced.roots[root]!.dtype);
    tensor.storage = owner === null ? this.#allocate(output) : owner.storage;
    // Two tensors share their numbers: neither may be overwritten.
    if (owner === null) this.#owners[output] = tensor;
    else owner.captured = tensor.captured = true;
    this.roots.push(tensor);
    return tensor;
  }

  /** Writes over a gradient of an earlier replay that nobody has seen; false if it is none. */
  makeOver(root: number, gradient: Tensor | null): boolean {
    const output = this.entry.compiled.rootOutputs[root]!;
    if (gradient === null || gradient.captured || gradient.storage === null) return false;
    if (this.#owners[output] !== null || !this.entry.gradients.has(gradient)) return false;
    this.#owners[output] = gradient;
    this.roots.push(gradient);
    return true;
  }

  /** Throws what went wrong when the results were made. */
  storageOf(output: number): Storage {
    if (this.#error !== null) throw this.#error;
    return this.#owners[output]!.storage!;
  }

  /** Without memory the replay fails when it starts, like any other that cannot. */
  #allocate(output: number): Storage | null {
    const { dtype, length } = this.entry.compiled.outputs[output]!.slot;
    try {
      return new Storage(dtype, length);
    } catch (error) {
      this.#error = error as Error;
      return null;
    }
  }
}

function tensorOf(source: Source, args: readonly Tensor[]): Tensor {
  if ('argument' in source) return args[source.argument]!;
  if ('version' in source) return source.version.current;
  if ('gradient' in source) return source.gradient.currentGrad!;
  return source.captured;
}

/** A tensor that the result hands on: what a Variable holds now is seen from now on, so it is not written over. */
function keep(source: Source, args: readonly Tensor[]): Tensor {
  const tensor = tensorOf(source, args);
  if ('version' in source || 'gradient' in source) tensor.captured = true;
  return tensor;
}

/** What the program starts from gets its values: recipes run before it, and a number that is a tensor gets memory. */
function makeReady(sources: readonly Source[], args: readonly Tensor[]): void {
  const pending: Tensor[] = [];
  for (const source of sources) {
    const tensor = tensorOf(source, args);
    if (tensor.pending) pending.push(tensor);
    else if (tensor.scalar !== null) tensor.storage ??= Storage.from(tensor.dtype, [tensor.scalar]);
  }
  if (pending.length > 0) computeFirst(pending);
}

/** Gives a Variable a buffer of its own to be written over: somebody has seen its version, and keeps it as it is. */
function unshare(variable: Variable, target: Queue): void {
  target.wait(variable.current.run);
  const { storage } = variable.current;
  if (storage !== null) variable.unshare(storage.copy());
}
