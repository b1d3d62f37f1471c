import { ShapeError } from '../errors';
import { defineOp, type Apply } from '../graph/op';
import { broadcastShapes, formatShape, shapesEqual, sizeOf } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { add } from './elementwise';
import { promotedFloats } from './operands';
import { expand, reshape, transpose } from './shape';

const adjoint = (x: Tensor): Tensor => transpose(x, -2, -1);
const product = (a: Tensor, b: Tensor): Tensor => matmulOp([a, b], undefined);

/**
 * Whether x is stored with its last two dims exchanged, as `linear` reads its weight: its gradient is computed in that
 * order too, so that undoing the transpose needs no copy.
 */
const isTransposed = (x: Tensor): boolean => x.op?.name === 'permute';

const matmulOp: Apply = defineOp('matmul', {
  shape: ([a, b]) => {
    const batch = a!.shape.slice(0, -2);
    if (!shapesEqual(batch, b!.shape.slice(0, -2)) || a!.shape.at(-1) !== b!.shape.at(-2))
      throw new ShapeError(`matmul: ${formatShape(a!.shape)} and ${formatShape(b!.shape)} do not fit`);
    return [...batch, a!.shape.at(-2)!, b!.shape.at(-1)!];
  },
  lower: { kernel: 'matmul' },
  vjp: (g, [a, b]) => [
    isTransposed(a!) ? adjoint(product(b!, adjoint(g))) : product(g, adjoint(b!)),
    isTransposed(b!) ? adjoint(product(adjoint(g), a!)) : product(adjoint(a!), g),
  ],
  jvp: ([da, db], [a, b]) => {
    const left = da && product(da, b!);
    const right = db && product(a!, db);
    return left && right ? add(left, right) : (left ?? right)!;
  },
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
