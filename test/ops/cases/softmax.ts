import * as ops from '../../../lib/ops';
import type { Tensor, TensorBase } from '../../../lib/tensor/tensor';
import { NDArray, randomArray, reduce, zip } from '../../helpers/ndarray';
import type { Case, Sample } from './case';
import { logSumExpOf } from './reduce';

type Run = (x: TensorBase, dim: number | number[]) => Tensor;

function logSoftmaxOf(x: NDArray, dims: readonly number[]): NDArray {
  const largest = reduce(x, dims, true, (values) => Math.max(...values));
  const shifted = zip((value, most) => value - most, x, largest);
  return zip((value, whole) => value - whole, shifted, reduce(shifted, dims, true, logSumExpOf));
}

const softmaxOf = (x: NDArray, dims: readonly number[]): NDArray => logSoftmaxOf(x, dims).map(Math.exp);

function samplesOf(run: Run, f: (x: NDArray, dims: readonly number[]) => NDArray, isLog: boolean): Sample[] {
  // The exponent's error is relative to the size of x - max; the logarithm's result may cancel.
  const errors = (dims: readonly number[]) => (x: NDArray) => {
    const log = logSoftmaxOf(x, dims);
    return isLog
      ? log.map((value) => 16 + 4 * Math.abs(value))
      : log.map((value) => (16 + 4 * Math.abs(value)) * Math.exp(value));
  };
  const sample = (
    title: string,
    x: NDArray,
    dims: readonly number[],
    dim: number | number[],
    gradient = true,
  ): Sample => ({
    title,
    inputs: [x],
    run: (tensor: Tensor) => run(tensor, dim),
    reference: (array) => f(array, dims),
    errors: errors(dims),
    gradient,
  });
  return [
    sample('rows', randomArray([3, 4], 40), [1], -1),
    sample('columns', randomArray([3, 4], 41), [0], 0),
    sample('the middle', randomArray([2, 3, 2], 42), [1], 1),
    sample('two dims', randomArray([2, 3, 2], 43), [0, 2], [0, 2]),
    sample('a scalar', randomArray([], 44), [], 0),
    sample('one', randomArray([3, 1], 45), [1], 1),
    sample('no rows', randomArray([0, 3], 46), [1], 1),
    sample('long rows', randomArray([3, 1027], 47, -8, 8), [1], 1, false),
    sample('large', new NDArray([2, 2], [1e4, 0, -1e4, -1e4 + 1]), [1], 1, false),
    sample('-Infinity', new NDArray([3], [-Infinity, 1, 2]), [0], 0, false),
  ];
}

function propagates(run: Run): Sample {
  return {
    title: 'a NaN spoils its row only',
    inputs: [new NDArray([2, 2], [NaN, 1, 0, 0])],
    run: (x) => ops.isNaN(run(x, 1)),
    reference: () => new NDArray([2, 2], [1, 1, 0, 0]),
    gradient: false,
  };
}

export const softmaxCases: readonly Case[] = [
  { name: 'softmax', samples: [...samplesOf(ops.softmax, softmaxOf, false), propagates(ops.softmax)] },
  { name: 'logSoftmax', samples: [...samplesOf(ops.logSoftmax, logSoftmaxOf, true), propagates(ops.logSoftmax)] },
];
