import * as ops from '../../../lib/ops';
import { broadcastShape, build, NDArray, randomArray } from '../../helpers/ndarray';
import type { Case, Sample } from './case';

/** PyTorch's rules by loops over all indices. */
export function matmul(a: NDArray, b: NDArray): NDArray {
  const left = a.shape.length === 1 ? new NDArray([1, ...a.shape], a.data) : a;
  const right = b.shape.length === 1 ? new NDArray([...b.shape, 1], b.data) : b;
  const k = left.shape.at(-1)!;
  const batch = broadcastShape(left.shape.slice(0, -2), right.shape.slice(0, -2));
  const product = build([...batch, left.shape.at(-2)!, right.shape.at(-1)!], (index) => {
    const outer = index.slice(0, -2);
    let sum = 0;
    for (let i = 0; i < k; i++)
      sum += broadcastGet(left, outer, index.at(-2)!, i) * broadcastGet(right, outer, i, index.at(-1)!);
    return sum;
  });
  const shape = product.shape.filter(
    (_, dim) =>
      !(a.shape.length === 1 && dim === product.shape.length - 2) &&
      !(b.shape.length === 1 && dim === product.shape.length - 1),
  );
  return new NDArray(shape, product.data);
}

/** Only the batch dims broadcast. */
function broadcastGet(x: NDArray, outer: readonly number[], row: number, column: number): number {
  const batch = x.shape.slice(0, -2);
  const missing = outer.length - batch.length;
  return x.get([...batch.map((size, dim) => (size === 1 ? 0 : outer[dim + missing]!)), row, column]);
}

function sample(title: string, a: readonly number[], b: readonly number[], gradient = true): Sample {
  return {
    title,
    inputs: [randomArray(a, 50), randomArray(b, 51)],
    run: (x, y) => ops.matmul(x, y),
    reference: matmul,
    errors: (x, y) => matmul(x.map(Math.abs), y.map(Math.abs)).map((size) => (x.shape.at(-1)! + 2) * size),
    gradient,
  };
}

export const matmulCases: readonly Case[] = [
  {
    name: 'matmul',
    samples: [
      sample('matrices', [2, 3], [3, 4]),
      sample('row times matrix', [3], [3, 2]),
      sample('matrix times column', [2, 3], [3]),
      sample('row times column', [3], [3]),
      sample('a batch', [2, 2, 3], [2, 3, 2]),
      sample('a batch times a matrix', [2, 2, 3], [3, 2]),
      sample('a matrix times a batch', [2, 3], [2, 3, 2]),
      sample('batches that broadcast', [2, 1, 2, 3], [3, 3, 1]),
      sample('a vector times a batch', [3], [2, 3, 2]),
      sample('a batch times a vector', [2, 2, 3], [3]),
      sample('no rows', [0, 3], [3, 2]),
      sample('nothing to add up', [2, 0], [0, 3]),
      sample('one', [1, 1], [1, 1]),
      sample('edges of tiles', [29, 33], [33, 35], false),
      sample('a long contraction', [3, 517], [517, 5], false),
      {
        title: 'transposed views',
        inputs: [randomArray([3, 2], 52), randomArray([4, 3], 53)],
        run: (a, b) => ops.matmul(ops.t(a), ops.t(b)),
        reference: (a, b) =>
          build([2, 4], ([i, j]) => [0, 1, 2].reduce((sum, k) => sum + a.get([k, i!]) * b.get([j!, k]), 0)),
        errors: (a, b) =>
          build([2, 4], ([i, j]) =>
            [0, 1, 2].reduce((sum, k) => sum + 5 * Math.abs(a.get([k, i!]) * b.get([j!, k])), 0),
          ),
      },
      {
        title: '0 times Infinity is NaN',
        inputs: [new NDArray([1, 2], [0, 1]), new NDArray([2, 2], [Infinity, 1, 1, NaN])],
        run: (a, b) => ops.matmul(a, b),
        reference: () => new NDArray([1, 2], [NaN, NaN]),
        gradient: false,
      },
    ],
  },
];
