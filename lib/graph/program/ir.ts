import type { DType } from '../../tensor/dtype';
import { shapesEqual, type Shape } from '../../tensor/shape';
import type { Op } from '../op';
import type { Trace } from './trace';
import { opOf } from '../op';

/** One value of a program under construction: a bound storage, a number, or the result of an operation. */
export interface Value {
  readonly id: number;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly kind: 'leaf' | 'scalar' | 'op';
  /** Which leaf or scalar of the trace. */
  readonly slot: number;
  readonly op: Op | null;
  readonly inputs: readonly Value[];
  readonly attrs: unknown;
  readonly attributes: readonly number[];
  readonly label: string;
  /** Ordinal among the trace's operations that check data, or -1. */
  readonly site: number;
}

/** What the passes work on: the operations in an order in which inputs come first, and the values asked for. */
export interface Graph {
  readonly values: readonly Value[];
  readonly roots: readonly Value[];
}

/** Tensors to values; nothing below holds a tensor, so a cached program keeps none alive. */
export function graphOf(trace: Trace): Graph {
  const leaves = trace.leaves.map((t, slot) => inputValue('leaf', slot, t.shape, t.dtype));
  const scalars = trace.scalars.map((t, slot) => inputValue('scalar', slot, t.shape, t.dtype));
  const values: Value[] = [];
  let sites = 0;
  for (const node of trace.nodes) {
    const op = opOf(node);
    values.push({
      id: values.length,
      shape: node.shape,
      dtype: node.dtype,
      kind: 'op',
      slot: -1,
      op,
      inputs: node.inputs.map((t) => (t.isScalar ? scalars : t.pending ? values : leaves)[t.index]!),
      attrs: node.attrs,
      attributes: node.attributes,
      label: node.label,
      site: op.checksData === true ? sites++ : -1,
    });
  }
  return { values, roots: trace.roots.map((t) => values[t.index]!) };
}

function inputValue(kind: 'leaf' | 'scalar', slot: number, shape: Shape, dtype: DType): Value {
  const id = kind === 'leaf' ? -1 - 2 * slot : -2 - 2 * slot;
  return {
    id,
    shape,
    dtype,
    kind,
    slot,
    op: null,
    inputs: [],
    attrs: undefined,
    attributes: [],
    label: kind,
    site: -1,
  };
}

export function isElementwise(value: Value): boolean {
  return value.op !== null && 'elementwise' in value.op.lower;
}

export function isView(value: Value): boolean {
  return value.op !== null && 'view' in value.op.lower;
}

/** The number that fills a value: a scalar of the program, or views of one; null for all else. */
export function numberOf(value: Value): Value | null {
  let source = value;
  while (isView(source)) source = source.inputs[0]!;
  return source.kind === 'scalar' ? source : null;
}

/** Whether a step can read the other's result while it is in a register. */
export function sharesRegion(input: Value, value: Value): boolean {
  return isElementwise(input) && isElementwise(value) && shapesEqual(input.shape, value.shape);
}

/** For each value those that read it, each once. */
export function usersOf(graph: Graph): Map<Value, Value[]> {
  const users = new Map<Value, Value[]>();
  for (const value of graph.values)
    for (const input of new Set(value.inputs)) {
      const list = users.get(input);
      if (list === undefined) users.set(input, [value]);
      else list.push(value);
    }
  return users;
}
