import { ShapeError, ValueError } from '../errors';

export type Shape = readonly number[];

/** Tensors have at most this many dims. */
export const MAX_RANK = 8;
/** Tensors have at most this many elements, so that indices are int32 everywhere. */
export const MAX_ELEMENTS = 2 ** 31 - 1;

export function sizeOf(shape: Shape): number {
  let size = 1;
  for (let i = 0; i < shape.length; i++) size *= shape[i]!;
  return size;
}

export function formatShape(shape: Shape): string {
  return `[${shape.join(', ')}]`;
}

export function shapesEqual(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** Throws unless `shape` is one a tensor can have. */
export function checkShape(op: string, shape: unknown): asserts shape is Shape {
  if (!Array.isArray(shape)) throw new ShapeError(`${op}: a shape is an array of sizes, got ${String(shape)}`);
  for (const size of shape as unknown[])
    if (!Number.isInteger(size) || (size as number) < 0)
      throw new ShapeError(`${op}: sizes are integers of at least 0, got [${shape.join(', ')}]`);
  checkLimits(op, shape as number[]);
}

/** Throws if a tensor of this shape would have too many dims or elements. */
export function checkLimits(op: string, shape: Shape): void {
  if (shape.length > MAX_RANK)
    throw new ShapeError(`${op}: ${formatShape(shape)} has ${shape.length} dims, at most ${MAX_RANK} are possible`);
  // Each by itself too: the product of a huge size and a 0 says nothing.
  if (sizeOf(shape) > MAX_ELEMENTS || shape.some((size) => size > MAX_ELEMENTS))
    throw new ShapeError(`${op}: ${formatShape(shape)} has more than ${MAX_ELEMENTS} elements`);
}

/** Row-major strides in elements. */
export function contiguousStrides(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = stride;
    stride *= shape[i]!;
  }
  return strides;
}

/** The shape both broadcast to, by the rule of NumPy and PyTorch: dims of size 1 stretch, missing ones count as 1. */
export function broadcastShapes(op: string, a: Shape, b: Shape): Shape {
  if (shapesEqual(a, b) || b.length === 0) return a;
  if (a.length === 0) return b;
  const rank = Math.max(a.length, b.length);
  const result = new Array<number>(rank);
  for (let i = 1; i <= rank; i++) {
    const sizeA = a[a.length - i] ?? 1;
    const sizeB = b[b.length - i] ?? 1;
    if (sizeA !== sizeB && sizeA !== 1 && sizeB !== 1)
      throw new ShapeError(`${op}: shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast`);
    result[rank - i] = sizeA === 1 ? sizeB : sizeA;
  }
  return result;
}

/** A dim counted from the front; negative ones count from the back, as in PyTorch. */
export function normalizeDim(op: string, dim: number, rank: number): number {
  const limit = Math.max(rank, 1);
  if (!Number.isInteger(dim) || dim < -limit || dim >= limit)
    throw new ShapeError(`${op}: dim ${dim} is not in [${-limit}, ${limit - 1}], the dims of a tensor of rank ${rank}`);
  return dim < 0 ? dim + limit : dim;
}

/** Dims in ascending order; undefined means all. Throws on a dim given twice. */
export function normalizeDims(op: string, dim: number | readonly number[] | undefined, rank: number): number[] {
  if (dim === undefined) return Array.from({ length: rank }, (_, i) => i);
  const list = (typeof dim === 'number' ? [dim] : dim).map((d) => normalizeDim(op, d, rank));
  if (list.length > 1 && new Set(list).size !== list.length)
    throw new ShapeError(`${op}: dims [${String(dim)}] name one dim twice`);
  return rank === 0 ? [] : list.sort((a, b) => a - b);
}

/** Throws unless value is an integer of at least `least`. */
export function checkInteger(op: string, name: string, value: unknown, least: number): asserts value is number {
  if (!Number.isInteger(value) || (value as number) < least)
    throw new ValueError(`${op}: ${name} is an integer of at least ${least}, got ${String(value)}`);
}
