import { shapesEqual } from '../../tensor/shape';
import { isElementwise, isView, type Graph, type Value } from './ir';

/**
 * Removes what need not be computed: views that change nothing, common subexpressions, and values that no root needs.
 * Every step is exact in floating point.
 */
export function simplify(graph: Graph): Graph {
  const replacement = new Map<Value, Value>();
  const known = new Map<string, Value>();
  const kept: Value[] = [];
  for (const value of graph.values) {
    const inputs = value.inputs.map((input) => replacement.get(input) ?? input);
    const same = isIdentity(value, inputs) ? inputs[0]! : known.get(keyOf(value, inputs));
    if (same !== undefined) {
      replacement.set(value, same);
      continue;
    }
    const rewritten = { ...value, inputs };
    replacement.set(value, rewritten);
    if (value.op!.random !== true) known.set(keyOf(value, inputs), rewritten);
    kept.push(rewritten);
  }
  const roots = graph.roots.map((root) => replacement.get(root) ?? root);
  return { values: reachable(kept, roots), roots };
}

/** A view, or a copy, of all of its input as it is. */
function isIdentity(value: Value, inputs: readonly Value[]): boolean {
  const input = inputs[0];
  if (input === undefined || !shapesEqual(input.shape, value.shape) || input.dtype !== value.dtype) return false;
  if (isElementwise(value)) return 'elementwise' in value.op!.lower && value.op!.lower.elementwise === 'copy';
  // Only these cannot reorder what they show when the shape stays.
  return isView(value) && ['reshape', 'expand', 'detach', 'alias'].includes(value.op!.name);
}

function keyOf(value: Value, inputs: readonly Value[]): string {
  const attributes = value.attributes.map((attribute) => (Object.is(attribute, -0) ? '-0' : attribute));
  return `${value.op!.id}|${inputs.map((input) => input.id).join()}|${attributes.join()}|${value.shape.join()}`;
}

function reachable(values: readonly Value[], roots: readonly Value[]): Value[] {
  const needed = new Set<Value>(roots);
  for (let i = values.length - 1; i >= 0; i--)
    if (needed.has(values[i]!)) for (const input of values[i]!.inputs) needed.add(input);
  return values.filter((value) => needed.has(value));
}
