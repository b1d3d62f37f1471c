import { ShapeError, ValueError } from '../errors';
import { defineOp, type Apply } from '../graph/op';
import {
  broadcastShapes,
  checkInteger,
  checkShape,
  formatShape,
  normalizeDim,
  normalizeDims,
  shapesEqual,
  sizeOf,
  type Shape,
} from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { expandLayout, permuteLayout, reshapeLayout, sliceLayout } from './layouts';
import { asTensor } from './operands';
import { place } from './place';

// ---- reshape and what it gives

const reshapeOp = defineOp<{ readonly shape: Shape }>('reshape', {
  shape: ([x], { shape }) => {
    if (sizeOf(shape) !== x!.size)
      throw new ShapeError(
        `reshape: ${formatShape(x!.shape)} has ${x!.size} elements, ${formatShape(shape)} has ${sizeOf(shape)}`,
      );
    return shape;
  },
  lower: { view: (input, _attrs, shape) => reshapeLayout(input, shape) },
  vjp: (g, [x]) => [reshape(g, x!.shape)],
  jvp: ([dx], _inputs, _output, { shape }) => reshape(dx!, shape),
});

/**
 * The same elements, in row-major order, under another shape; one size may be -1 and follows from the others.
 * Throws ShapeError if the number of elements differs.
 *
 *     reshape(arange(6), [2, -1]); // [[0, 1, 2], [3, 4, 5]]
 */
export function reshape(x: TensorBase, shape: Shape): Tensor {
  const tensor = asTensor('reshape', x);
  if (Array.isArray(shape) && shapesEqual(shape, tensor.shape)) return tensor;
  return reshapeOp([tensor], { shape: inferredShape(tensor.shape, shape) });
}

/** The shape with its -1 replaced. */
function inferredShape(from: Shape, shape: Shape): Shape {
  const unknown = Array.isArray(shape) ? shape.indexOf(-1) : -1;
  if (unknown < 0) {
    checkShape('reshape', shape);
    return [...shape];
  }
  const others = shape.filter((_, dim) => dim !== unknown);
  checkShape('reshape', others);
  const known = sizeOf(others);
  const size = sizeOf(from) / known;
  if (known === 0 || !Number.isInteger(size))
    throw new ShapeError(
      `reshape: ${formatShape(from)} does not fit ${formatShape(shape)}: no size is possible for -1`,
    );
  return shape.with(unknown, size);
}

/**
 * Joins the dims from startDim to endDim, both included, into one; without options all of them.
 *
 *     flatten(zeros([8, 3, 4]), { startDim: 1 }).shape; // [8, 12]
 */
export function flatten(x: TensorBase, options: { startDim?: number; endDim?: number } = {}): Tensor {
  const tensor = asTensor('flatten', x);
  const first = normalizeDim('flatten', options.startDim ?? 0, tensor.rank);
  const last = normalizeDim('flatten', options.endDim ?? -1, tensor.rank);
  if (first > last) throw new ShapeError(`flatten: startDim ${first} comes after endDim ${last}`);
  const joined = sizeOf(tensor.shape.slice(first, last + 1));
  return reshape(tensor, [...tensor.shape.slice(0, first), joined, ...tensor.shape.slice(last + 1)]);
}

/** Without the dims of size 1, or without those of `dim` that have size 1. */
export function squeeze(x: TensorBase, options: { dim?: number | readonly number[] } = {}): Tensor {
  const tensor = asTensor('squeeze', x);
  const dims = normalizeDims('squeeze', options.dim, tensor.rank);
  return reshape(
    tensor,
    tensor.shape.filter((size, dim) => size !== 1 || !dims.includes(dim)),
  );
}

/** With a dim of size 1 inserted before dim `dim`; -1 appends it. */
export function unsqueeze(x: TensorBase, dim: number): Tensor {
  const tensor = asTensor('unsqueeze', x);
  const position = normalizeDim('unsqueeze', dim, tensor.rank + 1);
  return reshape(tensor, tensor.shape.toSpliced(position, 0, 1));
}

// ---- permute and what it gives

const permuteOp = defineOp<{ readonly dims: readonly number[] }>('permute', {
  shape: ([x], { dims }) => dims.map((dim) => x!.shape[dim]!),
  attributes: ({ dims }) => dims,
  lower: { view: (input, { dims }) => permuteLayout(input, dims) },
  vjp: (g, _inputs, _output, { dims }) => [permute(g, inverse(dims))],
  jvp: ([dx], _inputs, _output, { dims }) => permute(dx!, dims),
});

function inverse(dims: readonly number[]): number[] {
  const result = new Array<number>(dims.length);
  dims.forEach((dim, position) => (result[dim] = position));
  return result;
}

/**
 * The dims in another order. Throws ShapeError unless every dim is named once.
 *
 *     permute(zeros([2, 3, 4]), [2, 0, 1]).shape; // [4, 2, 3]
 */
export function permute(x: TensorBase, dims: readonly number[]): Tensor {
  const tensor = asTensor('permute', x);
  if (!Array.isArray(dims)) throw new ShapeError(`permute: dims are an array, got ${String(dims)}`);
  const order = dims.map((dim: number) => normalizeDim('permute', dim, tensor.rank));
  if (order.length !== tensor.rank || new Set(order).size !== tensor.rank)
    throw new ShapeError(`permute: [${dims.join(', ')}] does not name each of ${tensor.rank} dims once`);
  return order.every((dim, position) => dim === position) ? tensor : permuteOp([tensor], { dims: order });
}

/** With two dims exchanged. */
export function transpose(x: TensorBase, dim0: number, dim1: number): Tensor {
  const tensor = asTensor('transpose', x);
  const first = normalizeDim('transpose', dim0, tensor.rank);
  const second = normalizeDim('transpose', dim1, tensor.rank);
  const dims = tensor.shape.map((_, dim) => (dim === first ? second : dim === second ? first : dim));
  return permute(tensor, dims);
}

/** The transpose of a matrix; vectors and scalars stay. Throws ShapeError above two dims. */
export function t(x: TensorBase): Tensor {
  const tensor = asTensor('t', x);
  if (tensor.rank > 2) throw new ShapeError(`t: takes at most 2 dims, got ${formatShape(tensor.shape)}; see transpose`);
  return tensor.rank < 2 ? tensor : transpose(tensor, 0, 1);
}

/** Dim `source` moved to position `destination`, the others in their order. */
export function movedim(x: TensorBase, source: number, destination: number): Tensor {
  const tensor = asTensor('movedim', x);
  const from = normalizeDim('movedim', source, tensor.rank);
  const to = normalizeDim('movedim', destination, tensor.rank);
  const dims = tensor.shape.map((_, dim) => dim).filter((dim) => dim !== from);
  return tensor.rank === 0 ? tensor : permute(tensor, dims.toSpliced(to, 0, from));
}

// ---- expand

const expandOp = defineOp<{ readonly shape: Shape }>('expand', {
  shape: ([x], { shape }) => {
    if (!shapesEqual(broadcastShapes('expand', x!.shape, shape), shape))
      throw new ShapeError(`expand: ${formatShape(x!.shape)} does not broadcast to ${formatShape(shape)}`);
    return shape;
  },
  lower: { view: (input, _attrs, shape) => expandLayout(input, shape) },
  // The driver sums out what was repeated.
  vjp: (g) => [g],
  jvp: ([dx], _inputs, _output, { shape }) => expand(dx!, shape),
});

/**
 * Dims of size 1 repeated to the sizes of `shape`, without a copy; missing leading dims are added, -1 keeps a size.
 * Throws ShapeError if the shape cannot be reached so.
 *
 *     expand(tensor([1, 2]), [3, 2]); // [[1, 2], [1, 2], [1, 2]]
 */
export function expand(x: TensorBase, shape: Shape): Tensor {
  const tensor = asTensor('expand', x);
  const missing = Array.isArray(shape) ? shape.length - tensor.rank : 0;
  const wanted = Array.isArray(shape)
    ? shape.map((size: number, dim) => (size === -1 && dim >= missing ? tensor.shape[dim - missing]! : size))
    : shape;
  checkShape('expand', wanted);
  return shapesEqual(wanted, tensor.shape) ? tensor : expandOp([tensor], { shape: wanted });
}

/** As `expand`, under NumPy's name. */
export const broadcastTo = expand;

/** x repeated to the shape of `like`. */
export const expandAs = (x: TensorBase, like: TensorBase): Tensor => expand(x, asTensor('expandAs', like).shape);

// ---- slice and what it gives

interface SliceAttrs {
  readonly starts: readonly number[];
  readonly steps: readonly number[];
  readonly shape: Shape;
}

const sliceOp: Apply<SliceAttrs> = defineOp('slice', {
  shape: (_inputs, { shape }) => shape,
  attributes: ({ starts, steps }) => [...starts, ...steps],
  lower: { view: (input, { starts, steps }, shape) => sliceLayout(input, starts, steps, shape) },
  vjp: (g, [x], _output, { starts, steps }) => [place(g, { starts, steps, shape: x!.shape, value: 0 })],
  jvp: ([dx], _inputs, _output, attrs) => sliceOp([dx!], attrs),
});

/** [start, end, step] of one dim, each optional, as in Python's start:end:step; null takes all of it. */
export type Range = readonly [start?: number | null, end?: number | null, step?: number | null] | null;

/**
 * A window on x: per dim the indices start, start + step, ... below end. Negative ones count from the end, those outside
 * are clipped, as in Python; dims without a range are taken whole. Throws ValueError for a step below 1.
 *
 *     slice(arange(10), [[2, -1, 3]]); // [2, 5, 8]
 */
export function slice(x: TensorBase, ranges: readonly Range[]): Tensor {
  const tensor = asTensor('slice', x);
  if (!Array.isArray(ranges)) throw new ValueError(`slice: takes an array of ranges, got ${String(ranges)}`);
  if (ranges.length > tensor.rank)
    throw new ShapeError(
      `slice: ${ranges.length} ranges for ${formatShape(tensor.shape)}, which has ${tensor.rank} dims`,
    );
  const starts: number[] = [];
  const steps: number[] = [];
  const shape: number[] = [];
  tensor.shape.forEach((size, dim) => {
    const [from, to, by] = (ranges[dim] as Range | undefined) ?? [];
    const step = by ?? 1;
    checkInteger('slice', `the step of dim ${dim}`, step, 1);
    const start = clipped(dim, from ?? 0, size);
    const end = clipped(dim, to ?? size, size);
    starts.push(start);
    // A larger step than the dim takes the same one element.
    steps.push(Math.min(step, Math.max(1, size)));
    shape.push(Math.max(0, Math.ceil((end - start) / step)));
  });
  if (shapesEqual(shape, tensor.shape)) return tensor;
  return sliceOp([tensor], { starts, steps, shape });
}

function clipped(dim: number, index: number, size: number): number {
  if (!Number.isInteger(index) && Math.abs(index) !== Infinity)
    throw new ValueError(`slice: the range of dim ${dim} has integers as limits, got ${index}`);
  return Math.min(Math.max(index < 0 ? index + size : index, 0), size);
}

/** `length` indices of one dim, from `start` on. Throws ShapeError if the dim is shorter. */
export function narrow(x: TensorBase, dim: number, start: number, length: number): Tensor {
  const tensor = asTensor('narrow', x);
  const position = normalizeDim('narrow', dim, tensor.rank);
  const size = tensor.shape[position];
  const first = start < 0 ? start + (size ?? 0) : start;
  checkInteger('narrow', 'length', length, 0);
  if (size === undefined || !Number.isInteger(first) || first < 0 || first + length > size)
    throw new ShapeError(`narrow: ${start} and ${length} more do not fit dim ${dim} of ${formatShape(tensor.shape)}`);
  const ranges = new Array<Range>(position).fill(null);
  return slice(tensor, [...ranges, [first, first + length]]);
}

/** One index of a dim, without that dim. Throws ShapeError if the index is outside. */
export function select(x: TensorBase, dim: number, index: number): Tensor {
  const tensor = asTensor('select', x);
  const position = normalizeDim('select', dim, tensor.rank);
  const size = tensor.shape[position] ?? 0;
  if (!Number.isInteger(index) || index < -size || index >= size)
    throw new ShapeError(`select: index ${index} is outside of dim ${dim} of ${formatShape(tensor.shape)}`);
  const picked = narrow(tensor, position, index < 0 ? index + size : index, 1);
  return reshape(picked, tensor.shape.toSpliced(position, 1));
}
