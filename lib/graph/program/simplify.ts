import { contiguousStrides, shapesEqual } from '../../tensor/shape';
import type { Layout } from '../op';
import { isCommutative, simplerThan, withOp } from './identities';
import { isView, type Graph, type Value } from './ir';
import { eachInSlices, type Slices } from './slices';

/** What a chain of views shows, and of what. */
interface Window {
  readonly source: Value;
  readonly layout: Layout;
}

/**
 * Removes what need not be computed: common subexpressions, identities (identities.ts), views that together change nothing, such
 * as a transpose of a transpose, and values that no root needs. Every step is exact in floating point.
 */
export function* simplify(graph: Graph): Slices<Graph> {
  /** By id; leaves and numbers, whose ids are negative, stay what they are. */
  const replacements = new Array<Value | undefined>(graph.values.length);
  const now = (value: Value): Value => (value.id < 0 ? value : replacements[value.id]!);
  const known = new KnownValues();
  const windows = new Map<Value, Window>();
  const kept: Value[] = [];
  yield* eachInSlices(graph.values, (original) => {
    const { value, same } = rewrite(original, original.inputs.map(now));
    const window = same === null && isView(value) ? windowOf(value, windows) : null;
    let result = same ?? (window !== null && isWhole(value, window) ? window.source : null);
    if (result === null && value.op!.random !== true) result = known.find(value, window);
    if (result === null) {
      result = value;
      kept.push(value);
      if (window !== null) windows.set(value, window);
    }
    replacements[original.id] = result;
  });
  const roots = graph.roots.map(now);
  return { values: reachable(kept, roots, graph.values.length), roots };
}

/** The value with its inputs of now, in the simplest form; `same` is another that it equals. */
function rewrite(original: Value, inputs: readonly Value[]): { value: Value; same: Value | null } {
  const isChanged = inputs.some((input, i) => input !== original.inputs[i]);
  let value = isChanged ? { ...original, inputs } : original;
  for (;;) {
    const simpler = simplerThan(value, value.inputs);
    if (simpler === null) return { value, same: null };
    if ('kind' in simpler) return { value, same: simpler };
    value = withOp(value, simpler.op, simpler.inputs);
  }
}

/** Null where strides cannot say what the view shows, or where it also waits for others (`barrier`): that keeps it apart. */
function windowOf(value: Value, windows: ReadonlyMap<Value, Window>): Window | null {
  if (value.inputs.length > 1) return null;
  const input = value.inputs[0]!;
  const { lower } = value.op!;
  const { source, layout } = windows.get(input) ?? { source: input, layout: wholeOf(input) };
  const shown = 'view' in lower ? lower.view(layout, value.attrs, value.shape) : null;
  return shown === null ? null : { source, layout: shown };
}

function wholeOf({ shape }: Value): Layout {
  return { offset: 0, shape, strides: contiguousStrides(shape) };
}

function isWhole(value: Value, { source, layout }: Window): boolean {
  return (
    source.dtype === value.dtype &&
    layout.offset === 0 &&
    shapesEqual(source.shape, value.shape) &&
    shapesEqual(layout.strides, contiguousStrides(source.shape))
  );
}

/** Values by what they compute: an operation on the same inputs with the same attributes, a window on the same source. */
class KnownValues {
  readonly #buckets = new Map<number, { readonly value: Value; readonly window: Window | null }[]>();

  /** The first that computes the same; null, and remembered, if there is none. */
  find(value: Value, window: Window | null): Value | null {
    const hash = window === null ? hashOf(value) : hashOfWindow(window);
    const bucket = this.#buckets.get(hash);
    if (bucket === undefined) this.#buckets.set(hash, [{ value, window }]);
    else {
      for (const other of bucket) {
        const isSame = window === null ? isSameOperation(value, other.value) : isSameWindow(window, other.window);
        if (isSame && (window === null) === (other.window === null)) return other.value;
      }
      bucket.push({ value, window });
    }
    return null;
  }
}

function hashOf(value: Value): number {
  let hash = value.op!.id;
  // In any order, as some operands may change places.
  let inputs = 0;
  for (const { id } of value.inputs) inputs += Math.imul(id, 0x9e3779b1);
  hash = mix(hash, inputs);
  for (const attribute of value.attributes) hash = mix(hash, attribute);
  for (const size of value.shape) hash = mix(hash, size);
  return hash;
}

function hashOfWindow({ source, layout: { offset, shape, strides } }: Window): number {
  let hash = mix(mix(0x811c9dc5, source.id), offset);
  for (const size of shape) hash = mix(hash, size);
  for (const stride of strides) hash = mix(hash, stride);
  return hash;
}

function mix(hash: number, number: number): number {
  return Math.imul(hash ^ number, 0x01000193);
}

function isSameOperation(a: Value, b: Value): boolean {
  if (a.op !== b.op || a.inputs.length !== b.inputs.length || !shapesEqual(a.shape, b.shape)) return false;
  // NaN is equal to itself here, and 0 is not -0: both can be attributes.
  if (a.attributes.length !== b.attributes.length) return false;
  if (!a.attributes.every((attribute, i) => Object.is(attribute, b.attributes[i]))) return false;
  if (a.inputs.every((input, i) => input === b.inputs[i])) return true;
  return isCommutative(a) && a.inputs[0] === b.inputs[1] && a.inputs[1] === b.inputs[0];
}

function isSameWindow(a: Window, b: Window | null): boolean {
  return (
    b !== null &&
    a.source === b.source &&
    a.layout.offset === b.layout.offset &&
    shapesEqual(a.layout.shape, b.layout.shape) &&
    shapesEqual(a.layout.strides, b.layout.strides)
  );
}

function reachable(values: readonly Value[], roots: readonly Value[], count: number): Value[] {
  const needed = new Uint8Array(count);
  const need = ({ id }: Value): void => {
    if (id >= 0) needed[id] = 1;
  };
  roots.forEach(need);
  for (let i = values.length - 1; i >= 0; i--) if (needed[values[i]!.id] === 1) values[i]!.inputs.forEach(need);
  return values.filter(({ id }) => needed[id] === 1);
}
