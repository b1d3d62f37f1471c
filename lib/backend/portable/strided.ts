import type { NumberArray } from './kernel';

/** Sizes and strides of a walk in row-major order. */
export interface Walk {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** The same elements in the same order in as few dims as possible, at least one; none has only one element. */
export function coalesce(shape: readonly number[], strides: readonly number[]): Walk {
  const [walk] = coalesceTogether(shape, [strides]);
  return walk!;
}

/** The walks through several views of one shape, in dims that merge in all of them. */
export function coalesceTogether(shape: readonly number[], views: readonly (readonly number[])[]): Walk[] {
  const mergedShape: number[] = [];
  const merged = views.map((): number[] => []);
  shape.forEach((size, dim) => {
    if (size === 1) return;
    const last = mergedShape.length - 1;
    if (last >= 0 && merged.every((strides, v) => strides[last] === views[v]![dim]! * size)) {
      mergedShape[last]! *= size;
      merged.forEach((strides, v) => (strides[last] = views[v]![dim]!));
    } else {
      mergedShape.push(size);
      merged.forEach((strides, v) => strides.push(views[v]![dim]!));
    }
  });
  if (mergedShape.length === 0) return views.map(() => ({ shape: [1], strides: [0] }));
  return merged.map((strides) => ({ shape: mergedShape, strides }));
}

/** Where in memory a walk is, moved on by whole runs of its last dim. */
export class Cursor {
  private readonly counters: Int32Array;
  private readonly last: number;
  offset = 0;

  constructor(private readonly walk: Walk) {
    this.last = walk.shape.length - 1;
    this.counters = new Int32Array(walk.shape.length);
  }

  /** Goes to the element number `position` of the walk. */
  seek(position: number): void {
    const { shape, strides } = this.walk;
    this.offset = 0;
    for (let dim = this.last; dim >= 0; dim--) {
      const size = shape[dim]!;
      const counter = position % size;
      position = (position - counter) / size;
      this.counters[dim] = counter;
      this.offset += counter * strides[dim]!;
    }
  }

  /** Elements left in the current run of the last dim. */
  get left(): number {
    return this.walk.shape[this.last]! - this.counters[this.last]!;
  }

  /** Moves on by n <= left elements. */
  advance(n: number): void {
    const { shape, strides } = this.walk;
    const { counters } = this;
    let dim = this.last;
    counters[dim]! += n;
    this.offset += n * strides[dim]!;
    while (dim >= 0 && counters[dim]! >= shape[dim]!) {
      this.offset -= shape[dim]! * strides[dim]!;
      counters[dim] = 0;
      dim--;
      if (dim < 0) return;
      counters[dim]!++;
      this.offset += strides[dim]!;
    }
  }
}

/** Copies n elements between positions `from` and `to`, each moved on by its stride. */
export function copyNumbers(
  n: number,
  target: NumberArray,
  to: number,
  toStride: number,
  source: NumberArray,
  from: number,
  fromStride: number,
): void {
  for (let i = 0; i < n; i++) {
    target[to] = source[from]!;
    to += toStride;
    from += fromStride;
  }
}

export function copyBigInts(
  n: number,
  target: BigInt64Array,
  to: number,
  toStride: number,
  source: BigInt64Array,
  from: number,
  fromStride: number,
): void {
  for (let i = 0; i < n; i++) {
    target[to] = source[from]!;
    to += toStride;
    from += fromStride;
  }
}

/** Copies n elements between arrays of one dtype. V8 compiles a loop for up to four kinds of array, so int64 has its own. */
export function copyElements(
  n: number,
  target: NumberArray | BigInt64Array,
  to: number,
  toStride: number,
  source: NumberArray | BigInt64Array,
  from: number,
  fromStride: number,
): void {
  if (target instanceof BigInt64Array) copyBigInts(n, target, to, toStride, source as BigInt64Array, from, fromStride);
  else if (n >= 64 && toStride === 1 && fromStride === 1)
    target.set((source as NumberArray).subarray(from, from + n), to);
  else copyNumbers(n, target, to, toStride, source as NumberArray, from, fromStride);
}
