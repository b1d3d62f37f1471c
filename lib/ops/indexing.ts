import { DTypeError, ShapeError } from '../errors';
import { labelled } from '../graph/modes';
import { defineOp, type Apply } from '../graph/op';
import { isFloat, promote, type DType } from '../tensor/dtype';
import { checkInteger, formatShape, normalizeDim, shapesEqual, type Shape } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { cast } from './cast';
import { full } from './create';
import { asTensor } from './operands';
import { reshape, unsqueeze } from './shape';

/** An index as kernels take it. Throws DTypeError unless it is an integer tensor. */
export function indexOf(op: string, index: TensorBase): Tensor {
  const tensor = asTensor(op, index);
  if (tensor.dtype !== 'int32' && tensor.dtype !== 'int64')
    throw new DTypeError(`${op}: the index is int32 or int64, got ${tensor.dtype}`);
  return cast(tensor, 'int32');
}

// ---- gather and scatterAdd: each the other's gradient

interface DimAttrs {
  readonly dim: number;
}

function checkIndexShape(op: string, x: Shape, index: Shape, dim: number): void {
  if (index.length !== x.length || index.some((size, d) => d !== dim && size > x[d]!))
    throw new ShapeError(
      `${op}: an index for ${formatShape(x)} has ${x.length} dims, none but dim ${dim} larger, got ${formatShape(index)}`,
    );
}

const gatherOp: Apply<DimAttrs> = defineOp('gather', {
  shape: ([x, index], { dim }) => {
    checkIndexShape('gather', x!.shape, index!.shape, dim);
    return index!.shape;
  },
  attributes: ({ dim }) => [dim],
  lower: { kernel: 'gather' },
  checksData: true,
  vjp: (g, [x, index], _output, { dim }) => [
    scatterAddOp([full(x!.shape, 0, { dtype: x!.dtype }), index!, g], { dim }),
    null,
  ],
  jvp: ([dx], [, index], _output, attrs) => gatherOp([dx!, index!], attrs),
});

const scatterAddOp: Apply<DimAttrs> = defineOp('scatterAdd', {
  shape: ([x, index, src], { dim }) => {
    checkIndexShape('scatterAdd', x!.shape, index!.shape, dim);
    if (!shapesEqual(index!.shape, src!.shape))
      throw new ShapeError(
        `scatterAdd: src has the index's shape ${formatShape(index!.shape)}, got ${formatShape(src!.shape)}`,
      );
    return x!.shape;
  },
  attributes: ({ dim }) => [dim],
  lower: { kernel: 'scatterAdd' },
  checksData: true,
  vjp: (g, [, index], _output, attrs) => [g, null, gatherOp([g, index!], attrs)],
  jvp: ([dx, , dsrc], [x, index, src], _output, attrs) => {
    const base = dx ?? full(x!.shape, 0, { dtype: x!.dtype });
    return scatterAddOp([base, index!, dsrc ?? full(src!.shape, 0, { dtype: src!.dtype })], attrs);
  },
});

/** Scalars are treated as one element. */
function withDim(x: Tensor): Tensor {
  return x.rank === 0 ? reshape(x, [1]) : x;
}

/**
 * Elements of x picked along a dim: out[i][j] = x[index[i][j]][j] for dim 0. The index has as many dims as x, none but
 * `dim` larger. Throws DTypeError unless it is int32 or int64; an index outside of the dim fails when it is computed.
 *
 *     gather(tensor([[1, 2], [3, 4]]), 1, tensor(Int32Array.of(1, 0), { shape: [2, 1] })); // [[2], [3]]
 */
export function gather(x: TensorBase, dim: number, index: TensorBase): Tensor {
  const data = asTensor('gather', x);
  const picks = indexOf('gather', index);
  const result = gatherOp([withDim(data), withDim(picks)], { dim: normalizeDim('gather', dim, data.rank) });
  return data.rank === 0 && picks.rank === 0 ? reshape(result, []) : result;
}

/**
 * x with the elements of src added where the index says: out[index[i][j]][j] += src[i][j] for dim 0, in the order of
 * the index. src has the index's shape. Throws as `gather` does.
 */
export function scatterAdd(x: TensorBase, dim: number, index: TensorBase, src: TensorBase): Tensor {
  const base = asTensor('scatterAdd', x);
  const added = asTensor('scatterAdd', src);
  const dtype = promote(base.dtype, added.dtype);
  if (!isFloat(dtype) && dtype !== 'int32')
    throw new DTypeError(`scatterAdd: takes float32, float64 or int32, got ${base.dtype} and ${added.dtype}`);
  const inputs = [cast(base, dtype), indexOf('scatterAdd', index), cast(added, dtype)];
  const result = scatterAddOp(inputs.map(withDim), { dim: normalizeDim('scatterAdd', dim, base.rank) });
  return reshape(result, base.shape);
}

// ---- embedding: rows of a matrix

const embeddingOp: Apply = defineOp('embedding', {
  shape: ([weight, index]) => {
    if (weight!.rank !== 2)
      throw new ShapeError(`embedding: weight is [entries, features], got ${formatShape(weight!.shape)}`);
    return [...index!.shape, weight!.shape[1]!];
  },
  lower: { kernel: 'embedding' },
  checksData: true,
  vjp: (g, [weight, index]) => [embeddingGradOp([g, index!], { entries: weight!.shape[0]! }), null],
  jvp: ([dweight], [, index]) => embeddingOp([dweight!, index!], undefined),
});

const embeddingGradOp: Apply<{ readonly entries: number }> = defineOp('embeddingGrad', {
  shape: ([g, index], { entries }) => {
    if (!shapesEqual(g!.shape.slice(0, -1), index!.shape) || g!.rank === 0)
      throw new ShapeError(
        `embeddingGrad: g is the index's shape ${formatShape(index!.shape)} and features, got ${formatShape(g!.shape)}`,
      );
    return [entries, g!.shape.at(-1)!];
  },
  // The number of entries is in the output's shape.
  attributes: () => [],
  lower: { kernel: 'embeddingGrad' },
  checksData: true,
  vjp: (u, [, index]) => [embeddingOp([u, index!], undefined), null],
  jvp: ([dg], [, index], _output, attrs) => embeddingGradOp([dg!, index!], attrs),
});

/**
 * The rows of weight [V, D] that the index names: [..., D]. Throws ShapeError, DTypeError for other shapes and
 * dtypes; an index outside of [0, V) fails when it is computed.
 *
 *     embedding(eye(3), tensor(Int32Array.of(2, 0))); // [[0, 0, 1], [1, 0, 0]]
 */
export function embedding(weight: TensorBase, index: TensorBase): Tensor {
  return embeddingOp([asTensor('embedding', weight), indexOf('embedding', index)], undefined);
}

/** What a cotangent g [..., D] of `embedding` is to its weight, [entries, D]. */
export function embeddingGrad(g: TensorBase, index: TensorBase, entries: number): Tensor {
  checkInteger('embeddingGrad', 'entries', entries, 0);
  const cotangent = asTensor('embeddingGrad', g);
  if (!isFloat(cotangent.dtype)) throw new DTypeError(`embeddingGrad: g is float32 or float64, got ${cotangent.dtype}`);
  return embeddingGradOp([cotangent, indexOf('embeddingGrad', index)], { entries });
}

/**
 * For each index a row of `classes` numbers, 1 at the index and 0 elsewhere. An index outside of [0, classes) fails when
 * it is computed.
 *
 *     oneHot(tensor(Int32Array.of(1, 0)), 3); // [[0, 1, 0], [1, 0, 0]]
 */
export function oneHot(index: TensorBase, classes: number, options: { dtype?: DType } = {}): Tensor {
  checkInteger('oneHot', 'classes', classes, 1);
  return labelled('oneHot', () => {
    const position = unsqueeze(indexOf('oneHot', index), -1);
    const dtype = options.dtype ?? 'int32';
    const ones = full(position.shape, 1, { dtype: 'int32' });
    return cast(scatterAdd(full([...index.shape, classes], 0, { dtype: 'int32' }), -1, position, ones), dtype);
  });
}
