import { defineOp } from '../graph/op';
import { labelled } from '../graph/modes';
import { normalizeDims, sizeOf } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { exp, mul, sub } from './elementwise';
import { asFloat } from './operands';
import { sum } from './reduce';
import { permute, reshape } from './shape';

const rowSum = (x: Tensor): Tensor => sum(x, { dim: -1, keepdim: true });

/** The derivative is a symmetric matrix: both rules are the same product with it. */
const softmaxRule = (g: Tensor, y: Tensor): Tensor => mul(y, sub(g, rowSum(mul(g, y))));

const softmaxOp = defineOp('softmax', {
  shape: ([x]) => x!.shape,
  lower: { kernel: 'softmax' },
  vjp: (g, _inputs, y) => [softmaxRule(g, y)],
  jvp: ([dx], _inputs, y) => softmaxRule(dx!, y),
});

const logSoftmaxOp = defineOp('logSoftmax', {
  shape: ([x]) => x!.shape,
  lower: { kernel: 'logSoftmax' },
  vjp: (g, _inputs, y) => [sub(g, mul(exp(y), rowSum(g)))],
  jvp: ([dx], _inputs, y) => sub(dx!, rowSum(mul(exp(y), dx!))),
});

/** Kernels work on the last dim: the dims are moved there and flattened, and moved back afterwards. */
function overDims(op: string, x: TensorBase, dim: number | readonly number[], apply: (rows: Tensor) => Tensor): Tensor {
  return labelled(op, () => {
    const tensor = asFloat(op, x);
    const dims = normalizeDims(op, dim, tensor.rank);
    const kept = tensor.shape.map((_, d) => d).filter((d) => !dims.includes(d));
    const order = [...kept, ...dims];
    const moved = permute(tensor, order);
    const rows = reshape(moved, [...kept.map((d) => tensor.shape[d]!), sizeOf(dims.map((d) => tensor.shape[d]!))]);
    const back = order.map((_, d) => order.indexOf(d));
    return permute(reshape(apply(rows), moved.shape), back);
  });
}

/**
 * e^x / Σ e^x over one or several dims, without overflow; integers give float32.
 *
 *     softmax(logits, -1); // each row adds up to 1
 */
export function softmax(x: TensorBase, dim: number | readonly number[]): Tensor {
  return overDims('softmax', x, dim, (rows) => softmaxOp([rows], undefined));
}

/** log softmax(x), exact where softmax would be 0. */
export function logSoftmax(x: TensorBase, dim: number | readonly number[]): Tensor {
  return overDims('logSoftmax', x, dim, (rows) => logSoftmaxOp([rows], undefined));
}
