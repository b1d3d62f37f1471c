import type { Layout } from '../graph/op';
import { contiguousStrides, sizeOf, type Shape } from '../tensor/shape';

/** The same window with its dims in another order. */
export function permuteLayout({ offset, shape, strides }: Layout, dims: readonly number[]): Layout {
  return { offset, shape: dims.map((dim) => shape[dim]!), strides: dims.map((dim) => strides[dim]!) };
}

/** Dims of size 1, and missing leading ones, repeated without a copy. */
export function expandLayout(input: Layout, shape: Shape): Layout {
  const missing = shape.length - input.shape.length;
  const strides = shape.map((size, dim) =>
    dim < missing || (input.shape[dim - missing] === 1 && size !== 1) ? 0 : input.strides[dim - missing]!,
  );
  return { offset: input.offset, shape, strides };
}

/**
 * The same elements, in row-major order, under another shape; null where strides cannot say it. The dims of both shapes
 * are matched in runs of equal size; a run of the old shape must be evenly spaced to be cut anew.
 */
export function reshapeLayout(input: Layout, shape: Shape): Layout | null {
  if (sizeOf(shape) === 0) return { offset: input.offset, shape, strides: contiguousStrides(shape) };
  const old = input.shape.map((size, dim) => ({ size, stride: input.strides[dim]! })).filter(({ size }) => size !== 1);
  const strides = new Array<number>(shape.length).fill(0);
  let dim = shape.length - 1;
  while (old.length > 0) {
    // A run from the back: join the old dims that are evenly spaced into one.
    const run = old.pop()!;
    let size = run.size;
    const { stride } = run;
    while (old.length > 0 && old[old.length - 1]!.stride === stride * size) size *= old.pop()!.size;
    let covered = 1;
    for (; covered < size; dim--) {
      strides[dim] = stride * covered;
      covered *= shape[dim]!;
      if (size % covered !== 0) return null;
    }
  }
  return { offset: input.offset, shape, strides };
}

/** Every `steps[d]`-th element of dim d from `starts[d]` on. */
export function sliceLayout(input: Layout, starts: readonly number[], steps: readonly number[], shape: Shape): Layout {
  let { offset } = input;
  // Of an empty window nothing is read: its offset stays inside the buffer.
  if (sizeOf(shape) > 0) starts.forEach((start, dim) => (offset += start * input.strides[dim]!));
  return { offset, shape, strides: input.strides.map((stride, dim) => stride * steps[dim]!) };
}
