import * as ops from '../../../lib/ops';
import type { Tensor } from '../../../lib/tensor/tensor';
import { build, NDArray, randomArray } from '../../helpers/ndarray';
import type { Case, Sample } from './case';

interface Options {
  ignoreIndex?: number;
  mean?: boolean;
}

const rowOf = (x: NDArray, row: number): number[] => x.data.slice(row * x.shape[1]!, (row + 1) * x.shape[1]!);

function logSumExp(row: readonly number[]): number {
  const most = Math.max(...row);
  return most + Math.log(row.reduce((sum, value) => sum + Math.exp(value - most), 0));
}

/** What each row's loss is divided by. */
function divisor(labels: NDArray, { ignoreIndex = -100, mean = false }: Options): number {
  return mean ? labels.data.filter((label) => label !== ignoreIndex).length : 1;
}

function lossesOf(x: NDArray, labels: NDArray, options: Options): NDArray {
  const { ignoreIndex = -100 } = options;
  return build(labels.shape, ([i]) => {
    const label = labels.data[i!]!;
    const loss = label === ignoreIndex ? 0 : logSumExp(rowOf(x, i!)) - rowOf(x, i!)[label]!;
    return loss / divisor(labels, options);
  });
}

function gradientOf(g: NDArray, x: NDArray, labels: NDArray, options: Options): NDArray {
  const { ignoreIndex = -100 } = options;
  return build(x.shape, ([i, c]) => {
    const label = labels.data[i!]!;
    if (label === ignoreIndex) return 0;
    const row = rowOf(x, i!);
    const p = Math.exp(row[c!]! - logSumExp(row));
    return ((p - Number(c === label)) * g.data[g.shape[0] === 1 ? 0 : i!]!) / divisor(labels, options);
  });
}

/** Differences cancel: errors are relative to what they are made of, some 16 roundings of the row's largest number. */
const errorsOf = (x: NDArray): number => 16 * (2 + Math.max(0, ...x.data.map(Math.abs)));

function lossSample(title: string, x: NDArray, labels: number[], options: Options = {}, gradient = true): Sample {
  return {
    title,
    inputs: [x, new NDArray([labels.length], labels)],
    dtypes: ['float', 'int32'],
    run: (logits, label) => ops.softmaxCrossEntropy(logits, label, options),
    reference: (logits, label) => lossesOf(logits, label, options),
    errors: (logits, label) => label.map(() => errorsOf(logits)),
    gradient,
  };
}

function gradSample(title: string, g: NDArray, x: NDArray, labels: number[], options: Options = {}): Sample {
  return {
    title,
    inputs: [g, x, new NDArray([labels.length], labels)],
    dtypes: ['float', 'float', 'int32'],
    run: (cotangent: Tensor, logits: Tensor, label: Tensor) =>
      ops.softmaxCrossEntropyGrad(cotangent, logits, label, options),
    reference: (cotangent, logits, label) => gradientOf(cotangent, logits, label, options),
    errors: (cotangent, logits) => logits.map(() => errorsOf(logits) * Math.max(1, ...cotangent.data.map(Math.abs))),
  };
}

export const crossEntropyCases: readonly Case[] = [
  {
    name: 'softmaxCrossEntropy',
    samples: [
      lossSample('rows', randomArray([3, 4], 50), [2, 0, 3]),
      lossSample('one class', randomArray([2, 1], 51), [0, 0]),
      lossSample('ignored samples', randomArray([4, 3], 52), [2, -100, 0, -100]),
      lossSample('an ignored class', randomArray([3, 3], 53), [2, 1, 0], { ignoreIndex: 1 }),
      lossSample('the mean', randomArray([4, 3], 54), [2, -100, 0, 1], { mean: true }),
      lossSample('no samples', randomArray([0, 3], 55), [], { mean: true }),
      lossSample('long rows', randomArray([2, 1027], 56, -8, 8), [1026, 3], {}, false),
      lossSample('large', new NDArray([2, 2], [1e4, -1e4, -1e4, 0]), [1, 1], {}, false),
      lossSample('a mean of nothing', randomArray([2, 2], 57), [-100, -100], { mean: true }, false),
    ],
  },
  {
    name: 'softmaxCrossEntropyGrad',
    samples: [
      gradSample('a weight for each row', randomArray([3], 60), randomArray([3, 4], 61), [2, 0, 3]),
      gradSample('one for all', randomArray([1], 62), randomArray([3, 4], 63), [2, -100, 3]),
      gradSample('the mean', randomArray([1], 64), randomArray([3, 4], 65), [2, -100, 3], { mean: true }),
      gradSample('a single row', randomArray([1], 66), randomArray([1, 17], 67), [16]),
    ],
  },
];
