import { isElementwise, isView, numberOf, sharesRegion, usersOf, type Graph, type Value } from './ir';
import { freeValues, withFreeInputs } from './rematerialize';
import { eachInSlices, type Slices } from './slices';

/** What becomes one instruction: a region of elementwise values of one shape, or a single kernel. */
export interface Group {
  /** Inputs before what uses them. */
  readonly values: readonly Value[];
  /** Those that somebody else reads. */
  readonly outputs: readonly Value[];
  /** Reductions of its values over the trailing dims that the same pass makes. */
  readonly folds: readonly Value[];
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
 * ordering by stage is always possible, and merging never makes a cycle. Values that are free to compute (rematerialize.ts)
 * are in every region that uses them, and hold nothing together. A reduction over trailing dims may end the region that
 * makes its input, and then has its stage; what reads it is of a later one.
 */
export function* fuse(graph: Graph): Slices<Group[]> {
  const users = usersOf(graph);
  yield;
  const free = freeValues(graph, users);
  yield;
  const earliest = earliestStages(graph);
  yield;
  const stages = sink(graph, users, free, earliest);
  const regions = new Map<Value, Value[]>();
  yield* eachInSlices(graph.values, (value) => {
    if (isView(value) || free.has(value)) return;
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
  });
  const unique = [...new Set(regions.values())];
  unique.forEach((region) => region.sort((a, b) => a.id - b.id));
  unique.sort((a, b) => stages.get(a[0]!)! - stages.get(b[0]!)! || a[0]!.id - b[0]!.id);
  const pieces = unique.flatMap(cut);
  yield;
  const folds = new Map<Value[], Value[]>();
  yield* eachInSlices(pieces, (values) => folds.set(values, foldsOf(values, free, users)));
  const folded = new Set([...folds.values()].flat());
  const roots = new Set(graph.roots);
  const groups: Group[] = [];
  yield* eachInSlices(pieces, (values) => {
    if (folded.has(values[0]!)) return;
    const members = new Set([...values, ...folds.get(values)!]);
    const isRead = (value: Value): boolean =>
      roots.has(value) || (users.get(value) ?? []).some((user) => !members.has(user));
    const elementwise = isElementwise(values[0]!);
    groups.push({
      values: elementwise ? withFreeInputs(values, free) : values,
      outputs: values.filter(isRead),
      folds: folds.get(values)!,
      elementwise,
    });
  });
  return groups;
}

/**
 * The reductions that a region takes in: over the same trailing dims all of them. A region that reads only numbers takes none:
 * its instruction would have nothing with the region's shape.
 */
function foldsOf(
  region: readonly Value[],
  free: ReadonlySet<Value>,
  users: ReadonlyMap<Value, readonly Value[]>,
): Value[] {
  const members = new Set(region);
  const isTensor = (input: Value): boolean => !members.has(input) && !free.has(input) && numberOf(input) === null;
  if (!region.some(({ inputs }) => inputs.some(isTensor))) return [];
  const folds: Value[] = [];
  for (const value of region)
    for (const user of users.get(value) ?? [])
      if (isFold(user) && (folds.length === 0 || reducedDims(user) === reducedDims(folds[0]!))) folds.push(user);
  return folds;
}

/** A reduction that can be made while its input is: over the last dims, of an elementwise value. */
function isFold(value: Value): boolean {
  const [input] = value.inputs;
  if (!['sum', 'max', 'min'].includes(value.op!.name) || !isElementwise(input!)) return false;
  const count = reducedDims(value);
  const first = input!.shape.length - count;
  return count > 0 && value.attributes.slice(1).every((dim, i) => dim === first + i);
}

/** How many dims a reduction removes; its attributes are keepdim, then the dims. */
function reducedDims(value: Value): number {
  return value.attributes.length - 1;
}

function earliestStages(graph: Graph): Map<Value, number> {
  const stages = new Map<Value, number>();
  for (const value of graph.values) {
    let stage = 0;
    for (const input of value.inputs) {
      const step = isView(value) || sharesRegion(input, value) || isFold(value) ? 0 : 1;
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
function sink(
  graph: Graph,
  users: ReadonlyMap<Value, readonly Value[]>,
  free: ReadonlySet<Value>,
  stages: Map<Value, number>,
): Map<Value, number> {
  const movable = new Set<Value>();
  for (const value of graph.values) {
    if (!isElementwise(value)) continue;
    const alone = (input: Value): boolean => free.has(input) || (movable.has(input) && users.get(input)!.length === 1);
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
function cut(region: readonly Value[]): Value[][] {
  const parts: Value[][] = [];
  for (let start = 0; start < region.length; start += MAX_STEPS) parts.push(region.slice(start, start + MAX_STEPS));
  return parts;
}
