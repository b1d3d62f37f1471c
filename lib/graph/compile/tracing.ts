import { TraceError } from '../../errors';
import type { DType } from '../../tensor/dtype';
import type { Shape } from '../../tensor/shape';
import { Storage } from '../../tensor/storage';
import { Tensor, TensorBase, type Variable } from '../../tensor/tensor';
import { withTrace, type OffsetSource, type TracedStep } from '../../tensor/tracing';
import { computeFirst } from '../evaluate';
import type { Compilation } from '../preparation';
import { sitesOf, trace, type Trace } from '../program/trace';
import { expectedOf, flatten, mapLeaves, type Expected, type Leaf } from './arguments';
import { Observer, type Guard } from './observer';

/** Where a replay finds a tensor that the program starts from. */
export type Source =
  | { readonly argument: number }
  | { readonly version: Variable }
  | { readonly gradient: Variable }
  | { readonly captured: Tensor };

/** What becomes of a value: a leaf of the result, a version or a gradient. */
export class Outcome {
  private constructor(
    /** What the program computes, or -1. */
    readonly root: number,
    /** Which of what the function was given, and hands on as it is, or -1. */
    readonly kept: number,
    /** Otherwise this very value. */
    readonly value: unknown,
  ) {}

  static ofRoot(root: number): Outcome {
    return new Outcome(root, -1, undefined);
  }

  static ofKept(kept: number): Outcome {
    return new Outcome(-1, kept, undefined);
  }

  static ofValue(value: unknown): Outcome {
    return new Outcome(-1, -1, value);
  }
}

/** A function of tensors as one run of it showed it. */
export interface TracedFunction {
  readonly expected: readonly Expected[];
  readonly gradMode: boolean;
  readonly guards: readonly Guard[];
  readonly sources: readonly Source[];
  /** Where a replay finds what outcomes hand on: an argument, a version or a gradient of before. */
  readonly kept: readonly Source[];
  /** What the program computes. */
  readonly roots: readonly { readonly shape: Shape; readonly dtype: DType }[];
  /** Where operations were recorded that the data can make fail. */
  readonly sites: readonly Error[];
  /** The result with outcomes for leaves. */
  readonly result: unknown;
  readonly versions: readonly { readonly variable: Variable; readonly root: number }[];
  readonly gradients: readonly { readonly variable: Variable; readonly outcome: Outcome }[];
  readonly steps: readonly { readonly step: TracedStep; readonly slots: readonly number[] }[];
  readonly generators: readonly Draws[];
  /** Numbers that every replay takes as they were, by slot. */
  readonly scalars: readonly number[];
  readonly constants: readonly { readonly slot: number; readonly value: number; readonly label: string }[];
}

/** What a replay takes from one generator: the slots of seeds and of offsets, in the order of drawing. */
export interface Draws {
  readonly generator: OffsetSource;
  readonly slots: readonly { readonly seed: number; readonly offset: number }[];
}

/**
 * Runs a function on placeholders, writes down all that it did, and begins to compile what it recorded. Nothing else of
 * it remains: Variables, gradients, step counts and generators are as before.
 */
export function traceFunction(
  fn: (...args: never[]) => unknown,
  args: readonly unknown[],
  gradMode: boolean,
  compile: (trace: Trace) => Compilation,
): { traced: TracedFunction; compilation: Compilation } {
  const placeholders: Tensor[] = [];
  const expected: Expected[] = [];
  flatten(args, 'arguments', (leaf, path) => expected.push(expectedOf(leaf, path)));
  const given = args.map((arg) =>
    mapLeaves(arg, (leaf) => {
      if (!(leaf instanceof Tensor)) return leaf;
      const placeholder = placeholderFor(leaf);
      placeholders.push(placeholder);
      return placeholder;
    }),
  );
  const observer = new Observer();
  try {
    const result = withTrace(observer, () => fn(...(given as never[])));
    if (isPromise(result)) {
      result.then(undefined, () => undefined);
      throw new TraceError('compile: takes a synchronous function, got one that returns a promise');
    }
    const ends = endsOf(observer);
    computeOutside(observer);
    const laidFlat = layFlat(observer, result, ends);
    const traced = describeTrace(laidFlat, observer, placeholders, { expected, gradMode, result, ends });
    return { traced, compilation: compile(laidFlat) };
  } finally {
    observer.rollBack();
    placeholders.forEach((placeholder) => observer.nodes.add(placeholder));
    observer.poison();
  }
}

function placeholderFor(argument: Tensor): Tensor {
  // Not pending, as its numbers come from outside; an empty storage stands for them.
  const placeholder = Tensor.ofStorage(new Storage(argument.dtype, 0), argument.shape);
  placeholder.requiresGrad = argument.requiresGrad;
  placeholder.asksGradient = argument.requiresGrad;
  return placeholder;
}

interface Ends {
  readonly versions: readonly { readonly variable: Variable; readonly version: Tensor }[];
  readonly gradients: readonly { readonly variable: Variable; readonly grad: Tensor | null }[];
}

/** The versions and gradients that the function has left. */
function endsOf({ starts }: Observer): Ends {
  const touched = [...starts];
  return {
    versions: touched
      .filter(([variable, { version }]) => variable.current !== version)
      .map(([variable]) => ({ variable, version: variable.current })),
    gradients: touched
      .filter(([variable, { grad }]) => variable.currentGrad !== grad)
      .map(([variable]) => ({ variable, grad: variable.currentGrad })),
  };
}

/** Recipes from before the trace are no part of it: they are computed before it, and then are values like others. */
function computeOutside({ nodes }: Observer): void {
  const outside = new Set<Tensor>();
  for (const { inputs } of nodes)
    for (const input of inputs) if (input.pending && !nodes.has(input)) outside.add(input);
  if (outside.size > 0) computeFirst([...outside]);
}

function layFlat({ nodes, starts }: Observer, result: unknown, { versions, gradients }: Ends): Trace {
  const wanted: Tensor[] = versions.map(({ version }) => version);
  for (const { grad } of gradients) if (grad !== null) wanted.push(grad);
  flatten(result, 'result', (leaf) => {
    if (leaf instanceof Tensor) wanted.push(leaf);
  });
  return trace(
    wanted.filter((tensor) => nodes.has(tensor)),
    {
      companions: false,
      // A version that was replaced again is one more result.
      donor: (root) => (root.variable?.current === root ? (starts.get(root.variable)?.version ?? null) : null),
    },
  );
}

interface Around {
  readonly expected: readonly Expected[];
  readonly gradMode: boolean;
  readonly result: unknown;
  readonly ends: Ends;
}

function describeTrace(
  laidFlat: Trace,
  observer: Observer,
  placeholders: readonly Tensor[],
  { expected, gradMode, result, ends }: Around,
): TracedFunction {
  const rootOf = new Map(laidFlat.roots.map((root, index) => [root, index]));
  const kept: Source[] = [];
  const outcomeOf = (leaf: Leaf): Outcome => {
    if (!(leaf instanceof Tensor)) return Outcome.ofValue(leaf);
    const root = rootOf.get(leaf);
    if (root !== undefined) return Outcome.ofRoot(root);
    return Outcome.ofKept(kept.push(sourceOf(leaf, placeholders, observer)) - 1);
  };
  const slotOf = new Map(laidFlat.scalars.map((scalar, slot) => [scalar, slot]));
  const slot = (scalar: Tensor): number => slotOf.get(scalar) ?? -1;
  const steps = observer.traced.map((step) => ({ step, slots: step.scalars.map(slot) }));
  const drawn = new Map<OffsetSource, { seed: number; offset: number }[]>();
  for (const { generator, seed, offset } of observer.drawn) {
    const slots = { seed: slot(seed), offset: slot(offset) };
    const known = drawn.get(generator);
    if (known === undefined) drawn.set(generator, [slots]);
    else known.push(slots);
  }
  const moving = new Set([
    ...steps.flatMap(({ slots }) => slots),
    ...[...drawn.values()].flat().flatMap(({ seed, offset }) => [seed, offset]),
  ]);
  const labels = labelsOf(laidFlat);
  const variables = variablesOf(laidFlat, observer);
  return {
    expected,
    gradMode,
    guards: [...observer.guards, ...variables.map(gradientGuard)],
    sources: laidFlat.leaves.map((leaf) => sourceOf(leaf, placeholders, observer)),
    kept,
    roots: laidFlat.roots.map(({ shape, dtype }) => ({ shape, dtype })),
    sites: sitesOf(laidFlat.nodes),
    result: mapLeaves(result, outcomeOf),
    versions: ends.versions.map(({ variable, version }) => ({ variable, root: rootOf.get(version)! })),
    gradients: ends.gradients.map(({ variable, grad }) => ({ variable, outcome: outcomeOf(grad) })),
    steps,
    generators: [...drawn].map(([generator, slots]) => ({ generator, slots })),
    scalars: laidFlat.scalars.map(({ scalar }) => scalar!),
    constants: laidFlat.scalars.flatMap(({ scalar: value }, index) =>
      moving.has(index) ? [] : [{ slot: index, value: value!, label: labels[index]! }],
    ),
  };
}

function sourceOf(leaf: Tensor, placeholders: readonly Tensor[], { starts, gradients }: Observer): Source {
  const argument = placeholders.indexOf(leaf);
  if (argument >= 0) return { argument };
  const gradient = gradients.get(leaf);
  if (gradient !== undefined) return { gradient };
  const { variable } = leaf;
  // The version that the function found is read anew; an older one that somebody kept is itself.
  if (variable !== null && (starts.get(variable)?.version ?? variable.current) === leaf) return { version: variable };
  return { captured: leaf };
}

/** Those whose versions the program reads. */
function variablesOf({ leaves }: Trace, { starts }: Observer): Variable[] {
  return leaves.flatMap((leaf) => {
    const { variable } = leaf;
    return variable !== null && (starts.get(variable)?.version ?? variable.current) === leaf ? [variable] : [];
  });
}

function gradientGuard(variable: Variable): Guard {
  const read = (): boolean => variable.requiresGrad;
  return { description: 'Variable: requiresGrad', value: read(), read };
}

/** For each scalar the operation that uses it first. */
function labelsOf({ nodes, scalars }: Trace): string[] {
  const labels = new Map<Tensor, string>();
  for (const { inputs, label } of nodes)
    for (const input of inputs) if (input.isScalar && !labels.has(input)) labels.set(input, label);
  return scalars.map((scalar) => labels.get(scalar) ?? '');
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    !(value instanceof TensorBase) &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
