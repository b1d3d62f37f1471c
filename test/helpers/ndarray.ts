/** Plain arrays with a shape: what references are written in. No code of the library is used here. */
export class NDArray {
  constructor(
    readonly shape: readonly number[],
    readonly data: readonly number[],
  ) {
    if (data.length !== count(shape)) throw new Error(`${data.length} numbers for [${shape.join()}]`);
  }

  get(index: readonly number[]): number {
    let flat = 0;
    this.shape.forEach((size, dim) => (flat = flat * size + index[dim]!));
    return this.data[flat]!;
  }

  /** The element that broadcasting puts at `index` of a larger shape. */
  broadcastGet(index: readonly number[]): number {
    const missing = index.length - this.shape.length;
    return this.get(this.shape.map((size, dim) => (size === 1 ? 0 : index[dim + missing]!)));
  }

  map(f: (value: number) => number): NDArray {
    return new NDArray(this.shape, this.data.map(f));
  }
}

export function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** All indices of a shape, in row-major order. */
export function indices(shape: readonly number[]): number[][] {
  return Array.from({ length: count(shape) }, (_, flat) => {
    const index = new Array<number>(shape.length);
    for (let dim = shape.length - 1; dim >= 0; dim--) {
      index[dim] = flat % shape[dim]!;
      flat = Math.floor(flat / shape[dim]!);
    }
    return index;
  });
}

export function build(shape: readonly number[], at: (index: number[]) => number): NDArray {
  return new NDArray(shape, indices(shape).map(at));
}

/** Shapes are taken to broadcast. */
export function broadcastShape(...shapes: (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, dim) => {
    const sizes = shapes.map((shape) => shape[dim - rank + shape.length] ?? 1);
    return sizes.find((size) => size !== 1) ?? 1;
  });
}

export function zip(f: (...values: number[]) => number, ...arrays: NDArray[]): NDArray {
  const shape = broadcastShape(...arrays.map((array) => array.shape));
  return build(shape, (index) => f(...arrays.map((array) => array.broadcastGet(index))));
}

/** f over the elements of each group of `dims`, in row-major order. */
export function reduce(
  x: NDArray,
  dims: readonly number[],
  keepdim: boolean,
  f: (values: number[]) => number,
): NDArray {
  const groupShape = dims.map((dim) => x.shape[dim]!);
  const kept = x.shape.map((size, dim) => (dims.includes(dim) ? 1 : size));
  const full = build(kept, (index) =>
    f(
      indices(groupShape).map((inner) => {
        const position = [...index];
        dims.forEach((dim, i) => (position[dim] = inner[i]!));
        return x.get(position);
      }),
    ),
  );
  return keepdim
    ? full
    : new NDArray(
        x.shape.filter((_, dim) => !dims.includes(dim)),
        full.data,
      );
}

/** Numbers that look random, always the same: a linear congruential generator (Numerical Recipes' constants). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 24;
  };
}

export function randomArray(shape: readonly number[], seed: number, low = -2, high = 2): NDArray {
  const next = random(seed * 7919 + 17);
  return build(shape, () => low + (high - low) * next());
}

/** Random integers from low to high, both included. */
export function randomIntegers(shape: readonly number[], seed: number, low: number, high: number): NDArray {
  return randomArray(shape, seed, low, high + 1).map(Math.floor);
}

/** Numbers that differ from each other by at least 0.1, in random order: safe where the largest of several is taken. */
export function distinctArray(shape: readonly number[], seed: number): NDArray {
  const next = random(seed * 104729 + 5);
  const values = Array.from({ length: count(shape) }, (_, i) => 0.1 * (i - count(shape) / 2) + 0.03);
  for (let i = values.length - 1; i > 0; i--) {
    const j = Math.floor(next() * (i + 1));
    [values[i], values[j]] = [values[j]!, values[i]!];
  }
  return new NDArray(shape, values);
}
