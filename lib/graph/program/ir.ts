import type { DType } from '../../tensor/dtype';
import { shapesEqual, type Shape } from '../../tensor/shape';
import type { Tensor } from '../../tensor/tensor';
import type { Op } from '../op';
import { applicationOf, resultIndex, type Formula } from '../formula';
import { opOf } from '../op';
import type { Trace } from './trace';

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
  /** By the nodes' index; an application has none of its own, but results. */
  const made = new Array<Value>(trace.nodes.length);
  const results = new Map<number, Value[]>();
  const valueOf = (t: Tensor): Value => (t.isScalar ? scalars : t.pending ? made : leaves)[t.index]!;
  let sites = 0;
  for (const node of trace.nodes) {
    const application = applicationOf(node);
    if (application !== null) {
      results.set(node.index, expand(application.formula, node.inputs.map(valueOf), values));
      continue;
    }
    const result = resultIndex(node);
    if (result >= 0) {
      made[node.index] = results.get(node.inputs[0]!.index)![result]!;
      continue;
    }
    const op = opOf(node);
    const value: Value = {
      id: values.length,
      shape: node.shape,
      dtype: node.dtype,
      kind: 'op',
      slot: -1,
      op,
      inputs: node.inputs.map(valueOf),
      attrs: node.attrs,
      attributes: node.attributes,
      label: node.label,
      site: op.checksData === true ? sites++ : -1,
    };
    values.push(value);
    made[node.index] = value;
  }
  return { values, roots: trace.roots.map((t) => made[t.index]!) };
}

/** The formula's operations for every member, appended to `values`; returns the results, member by member. */
function expand(formula: Formula, inputs: readonly Value[], values: Value[]): Value[] {
  const { scalars, captured } = countsOf(formula);
  const own = formula.inputs.length;
  const results: Value[] = [];
  for (let start = scalars + captured; start < inputs.length; start += own) {
    const shape = formula.perElement ? inputs[start]!.shape : null;
    const made: Value[] = [];
    const valueOf = ({ kind, slot, id }: Value): Value => {
      if (kind === 'op') return made[id]!;
      if (kind === 'scalar') return inputs[slot]!;
      return inputs[slot < own ? start + slot : scalars + slot - own]!;
    };
    for (const template of formula.values) {
      const value = { ...template, id: values.length, shape: shape ?? template.shape };
      made.push({ ...value, inputs: template.inputs.map(valueOf) });
      values.push(made[made.length - 1]!);
    }
    for (const output of formula.outputs) results.push(made[output.id]!);
  }
  return results;
}

function countsOf({ values, inputs }: Formula): { scalars: number; captured: number } {
  let [scalars, captured] = [0, 0];
  for (const { inputs: operands } of values)
    for (const { kind, slot } of operands) {
      if (kind === 'scalar') scalars++;
      else if (kind === 'leaf' && slot >= inputs.length) captured++;
    }
  return { scalars, captured };
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
