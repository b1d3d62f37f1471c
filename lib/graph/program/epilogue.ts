import { shapesEqual } from '../../tensor/shape';
import type { Group } from './fuse';
import { isView, usersOf, type Graph, type Value } from './ir';

/**
 * Joins regions to the products they follow: bias, activation, residual, the mask of a gradient. The kernel computes the
 * product in the memory of one of the region's outputs and runs the region's steps on each block of it while that is
 * in a cache.
 *
 * The region must be all that reads the product. It keeps its place in the order and the product moves there, so that
 * whatever else the region reads exists by then. Kernels that take an epilogue are those of `acceptsEpilogue`.
 */
export function fuseEpilogues(graph: Graph, groups: readonly Group[], donors: readonly number[]): Group[] {
  const readers = usersOf(graph);
  const groupOf = new Map<Value, Group>();
  for (const group of groups) for (const value of group.values) groupOf.set(value, group);
  const roots = new Set(graph.roots);
  // State is overwritten by instructions that cannot fail, and one pass updates all parameters.
  const overwrites = new Set(graph.roots.filter((_, root) => donors[root]! >= 0));
  const fused = new Map<Group, Group>();
  const moved = new Set<Group>();
  // From the last: of two products that a region adds up, the later one is still in the cache.
  for (const group of groups.toReversed()) {
    const product = group.values[0]!;
    if (group.values.length !== 1 || !acceptsEpilogue(product)) continue;
    const seen = sameNumbers(product, readers);
    if (seen.some((value) => roots.has(value))) continue;
    const users = seen.flatMap((value) => readers.get(value) ?? []).filter((user) => !seen.includes(user));
    const region = users.length > 0 ? groupOf.get(users[0]!) : undefined;
    if (region === undefined || fused.has(region) || !users.every((user) => groupOf.get(user) === region)) continue;
    if (!region.elementwise || region.folds.length > 0 || region.values.some((value) => overwrites.has(value)))
      continue;
    const { shape } = region.values[0]!;
    if (!region.values.every((value) => shapesEqual(value.shape, shape))) continue;
    if (!users.every((user) => user.inputs.every((input) => !seen.includes(input) || shapesEqual(input.shape, shape))))
      continue;
    const into = outputFor(product, users, region);
    if (into === undefined) continue;
    fused.set(region, { ...region, product: { value: product, seen, into } });
    moved.add(group);
  }
  return groups.filter((group) => !moved.has(group)).map((group) => fused.get(group) ?? group);
}

/** Kernels that run byte code on what they made (a seam: convolution and batch normalisation may join). */
function acceptsEpilogue(value: Value): boolean {
  return 'kernel' in value.op!.lower && value.op!.lower.kernel === 'matmul';
}

/** The product and its views that show the same numbers in the same order, perhaps in another shape. */
function sameNumbers(product: Value, readers: ReadonlyMap<Value, readonly Value[]>): Value[] {
  const seen = [product];
  for (let i = 0; i < seen.length; i++)
    for (const reader of readers.get(seen[i]!) ?? [])
      if (isView(reader) && ['reshape', 'detach', 'alias'].includes(reader.op!.name)) seen.push(reader);
  return seen;
}

/** An output of the region that is written when the product has been read for the last time, and so can be its memory. */
function outputFor(product: Value, users: readonly Value[], region: Group): Value | undefined {
  const lastRead = Math.max(...users.map((user) => region.values.indexOf(user)));
  return region.values.find(
    (value, step) => step >= lastRead && value.dtype === product.dtype && region.outputs.includes(value),
  );
}
