import { shapesEqual } from '../../tensor/shape';
import { isElementwise, isView, type Graph, type Value } from './ir';

/** What becomes one instruction: a region of elementwise values of one shape, or a single kernel. */
export interface Group {
  /** Inputs before what uses them. */
  readonly values: readonly Value[];
  readonly elementwise: boolean;
  /** The region runs as the epilogue of a product (epilogue.ts). */
  readonly product?: {
    readonly value: Value;
    /** The value and its views, as the region reads them. */
    readonly seen: readonly Value[];
    /** The output in whose memory it is made. */
    readonly into: Value;
  };
}

/** Beyond this, more blocks than fit the L1 cache would be in use at once. */
const MAX_STEPS = 64;

/**
 * Groups connected elementwise values of one shape into regions, so that their intermediates never reach memory.
 *
 * Every value has a stage: it is one above its inputs' stages, except that an elementwise value may share the stage of
 * elementwise inputs of its own shape, and then is in their region. So all that a region reads is of an earlier stage:
 * ordering by stage is always possible, and merging never makes a cycle.
 */
export function fuse(graph: Graph): Group[] {
  const stages = sink(graph, earliestStages(graph));
  const regions = new Map<Value, Value[]>();
  for (const value of graph.values) {
    if (isView(value)) continue;
    let region = [value];
    if (isElementwise(value))
      for (const input of value.inputs) {
        const other = regions.get(input);
        if (other === undefined || other === region || !sharesRegion(input, value)) continue;
        if (stages.get(input) !== stages.get(value)) continue;
        const [larger, smaller] = other.length > region.length ? [other, region] : [region, other];
        larger.push(...smaller);
        smaller.forEach((member) => regions.set(member, larger));
        region = larger;
      }
    regions.set(value, region);
  }
  const unique = [...new Set(regions.values())];
  unique.forEach((region) => region.sort((a, b) => a.id - b.id));
  unique.sort((a, b) => stages.get(a[0]!)! - stages.get(b[0]!)! || a[0]!.id - b[0]!.id);
  return unique.flatMap(cut);
}

function sharesRegion(input: Value, value: Value): boolean {
  return isElementwise(input) && isElementwise(value) && shapesEqual(input.shape, value.shape);
}

function earliestStages(graph: Graph): Map<Value, number> {
  const stages = new Map<Value, number>();
  for (const value of graph.values) {
    let stage = 0;
    for (const input of value.inputs) {
      const step = isView(value) || sharesRegion(input, value) ? 0 : 1;
      stage = Math.max(stage, (stages.get(input) ?? -1) + step);
    }
    stages.set(value, stage);
  }
  return stages;
}

/**
 * Moves values to the stage of what uses them where that keeps them out of memory and puts nothing else there: the decay
 * of a moment (m · β) belongs beside the gradient's share, not before the whole forward pass.
 */
function sink(graph: Graph, stages: Map<Value, number>): Map<Value, number> {
  const users = new Map<Value, Value[]>();
  for (const value of graph.values)
    for (const input of new Set(value.inputs)) {
      const list = users.get(input);
      if (list === undefined) users.set(input, [value]);
      else list.push(value);
    }
  const movable = new Set<Value>();
  for (const value of graph.values) {
    if (!isElementwise(value)) continue;
    const alone = (input: Value): boolean => movable.has(input) && users.get(input)!.length === 1;
    if (value.inputs.every((input) => !sharesRegion(input, value) || alone(input))) movable.add(value);
  }
  const roots = new Set(graph.roots);
  for (let i = graph.values.length - 1; i >= 0; i--) {
    const value = graph.values[i]!;
    const uses = users.get(value) ?? [];
    if (!movable.has(value) || roots.has(value) || !uses.every((user) => sharesRegion(value, user))) continue;
    stages.set(value, Math.min(...uses.map((user) => stages.get(user)!)));
  }
  return stages;
}

/** Regions beyond the limit become several; values are in order, so each part only reads earlier ones. */
function cut(region: readonly Value[]): Group[] {
  const groups: Group[] = [];
  for (let start = 0; start < region.length; start += MAX_STEPS)
    groups.push({ values: region.slice(start, start + MAX_STEPS), elementwise: isElementwise(region[0]!) });
  return groups;
}
