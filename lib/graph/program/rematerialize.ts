import { opcodeIds, type Opcode } from './elementwise';
import { isElementwise, numberOf, sharesRegion, type Graph, type Value } from './ir';

/** More steps than this cost more than what they save: a byte or four written and read again for each element. */
const MOST_STEPS = 4;

/**
 * Values that are computed again in each region that uses them rather than kept in memory: a few cheap steps from numbers
 * alone, such as a dropout's mask. What is asked for, or read by anything but steps over the same shape, needs memory
 * anyway and is not among them.
 */
export function freeValues(graph: Graph, users: ReadonlyMap<Value, readonly Value[]>): Set<Value> {
  const roots = new Set(graph.roots);
  const steps = new Map<Value, number>();
  for (const value of graph.values) {
    if (!isElementwise(value) || !isCheap(value) || roots.has(value)) continue;
    if (!(users.get(value) ?? []).every((user) => sharesRegion(value, user))) continue;
    let count = 1;
    for (const input of value.inputs) {
      if (numberOf(input) !== null) continue;
      count += sharesRegion(input, value) ? (steps.get(input) ?? Infinity) : Infinity;
    }
    if (count <= MOST_STEPS) steps.set(value, count);
  }
  return new Set(steps.keys());
}

/** Steps that move, convert, compare, add or multiply come first in the list of opcodes; of the rest only `uniform`. */
function isCheap(value: Value): boolean {
  const { elementwise: opcode } = value.op!.lower as { elementwise: Opcode };
  return opcode === 'uniform' || opcodeIds[opcode] <= opcodeIds.logicalNot;
}

/** A region with the free values that it reads, inputs before what uses them. */
export function withFreeInputs(region: readonly Value[], free: ReadonlySet<Value>): Value[] {
  const all = new Set(region);
  for (const value of all) for (const input of value.inputs) if (free.has(input)) all.add(input);
  return [...all].sort((a, b) => a.id - b.id);
}
