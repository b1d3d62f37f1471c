import { ShapeError } from '../errors';
import { defineOp, type Layout } from '../graph/op';
import { broadcastShapes, formatShape, shapesEqual, sizeOf } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { promotedFloats } from './operands';
import { expand, reshape } from './shape';

/** Which operands are read with their last two dims exchanged. */
interface Transposes {
  readonly a: boolean;
  readonly b: boolean;
}

const kinds: readonly Transposes[] = [
  { a: false, b: false },
  { a: true, b: false },
  { a: false, b: true },
  { a: true, b: true },
];
const numbersOf = kinds.map(({ a, b }) => [Number(a), Number(b)]);
const kindOf = (a: boolean, b: boolean): number => Number(a) + 2 * Number(b);

/** A' B', where the flags say which of both is transposed: a gradient needs no transpose of its own, and no copy. */
const product = (a: Tensor, b: Tensor, transposeA = false, transposeB = false): Tensor =>
  matmulOp([a, b], kinds[kindOf(transposeA, transposeB)]!);

const swapped = ({ offset, shape, strides }: Layout): Layout => ({
  offset,
  shape: swap(shape),
  strides: swap(strides),
});

function swap(list: readonly number[]): number[] {
  return [...list.slice(0, -2), list[list.length - 1]!, list[list.length - 2]!];
}

const matmulOp = defineOp<Transposes>('matmul', {
  shape: ([a, b], transposes) => {
    const [x, y] = [a!.shape, b!.shape];
    const rank = x.length;
    const rows = x[rank - (transposes.a ? 1 : 2)]!;
    const columns = y[rank - (transposes.b ? 2 : 1)]!;
    if (rank === 2 && y.length === 2 && x[transposes.a ? 0 : 1] === y[transposes.b ? 1 : 0]) return [rows, columns];
    const batch = x.slice(0, -2);
    if (!shapesEqual(batch, y.slice(0, -2)) || x[rank - (transposes.a ? 2 : 1)] !== y[rank - (transposes.b ? 1 : 2)])
      throw new ShapeError(`matmul: ${formatShape(x)} and ${formatShape(y)} do not fit`);
    return [...batch, rows, columns];
  },
  attributes: ({ a, b }) => numbersOf[kindOf(a, b)]!,
  lower: {
    kernel: 'matmul',
    arrange: ([a, b], transposes) => [transposes.a ? swapped(a!) : a!, transposes.b ? swapped(b!) : b!],
    kernelAttributes: () => [],
  },
  vjp: (g, [a, b], _output, transposes) => [
    transposes.a ? product(b!, g, transposes.b, true) : product(g, b!, false, !transposes.b),
    transposes.b ? product(g, a!, true, transposes.a) : product(a!, g, !transposes.a, false),
  ],
  jvp: ([da, db], [a, b], _output, transposes) => [
    da && product(da, b!, transposes.a, transposes.b),
    db && product(a!, db, transposes.a, transposes.b),
  ],
});

/**
 * The matrix product over the last two dims, by PyTorch's rules: [..., m, k] x [..., k, n] gives [..., m, n], leading dims
 * broadcast, and a vector counts as a row on the left, as a column on the right. Integers give float32.
 * Throws ShapeError for scalars and for sizes that do not fit.
 *
 *     matmul(ones([2, 3]), ones([3, 4])).shape; // [2, 4]
 */
export function matmul(a: TensorBase, b: TensorBase): Tensor {
  const [x, y] = promotedFloats('matmul', a, b);
  if (x.rank === 0 || y.rank === 0)
    throw new ShapeError(`matmul: takes vectors and matrices, got ${formatShape(x.shape)} and ${formatShape(y.shape)}`);
  const left = x.rank === 1 ? reshape(x, [1, x.size]) : x;
  const right = y.rank === 1 ? reshape(y, [y.size, 1]) : y;
  if (left.shape.at(-1) !== right.shape.at(-2))
    throw new ShapeError(
      `matmul: ${formatShape(x.shape)} and ${formatShape(y.shape)} do not fit: ` +
        `${left.shape.at(-1)} columns on the left, ${right.shape.at(-2)} rows on the right`,
    );
  const matrices = right.rank === 2 && left.rank > 2 ? asOneMatrix(left, right) : batched(left, right);
  if (x.rank > 1 && y.rank > 1) return matrices;
  const shape = [...matrices.shape];
  if (y.rank === 1) shape.pop();
  if (x.rank === 1) shape.splice(y.rank === 1 ? -1 : -2, 1);
  return reshape(matrices, shape);
}

/**
 * x Wᵀ, as linear layers store their weights: x [..., k], weight [n, k] to [..., n]. Sizes must fit. Integers give float32.
 */
export function matmulTransposed(x: TensorBase, weight: TensorBase): Tensor {
  const [left, right] = promotedFloats('matmul', x, weight);
  if (left.shape.length === 2) return product(left, right, false, true);
  const columns = left.shape[left.shape.length - 1]!;
  const rows = sizeOf(left.shape.slice(0, -1));
  return reshape(product(reshape(left, [rows, columns]), right, false, true), [
    ...left.shape.slice(0, -1),
    right.shape[0]!,
  ]);
}

/** A batch times one matrix is one larger product. */
function asOneMatrix(left: Tensor, right: Tensor): Tensor {
  const [k, n] = right.shape as [number, number];
  const rows = sizeOf(left.shape.slice(0, -1));
  return reshape(product(reshape(left, [rows, k]), right), [...left.shape.slice(0, -1), n]);
}

function batched(left: Tensor, right: Tensor): Tensor {
  const batch = broadcastShapes('matmul', left.shape.slice(0, -2), right.shape.slice(0, -2));
  return product(
    expand(left, [...batch, ...left.shape.slice(-2)]),
    expand(right, [...batch, ...right.shape.slice(-2)]),
  );
}
