import * as ops from '../../../lib/ops';
import { NDArray } from '../../helpers/ndarray';
import type { Case, Sample } from './case';

/*
 * What the random operations give is compared with Philox's formulas in random.test.ts; here they take part in what every
 * operation must do.
 */
function sampleOf(title: string, run: Sample['run'], expected: number[]): Sample {
  return {
    title,
    inputs: [],
    run,
    reference: () => new NDArray([expected.length], expected),
    ulps: 0,
    gradient: false,
  };
}

const generator = (): ops.Generator => new ops.Generator(5);

export const randomCases: readonly Case[] = [
  {
    name: 'uniform',
    samples: [
      sampleOf('in [0, 1)', () => inRange(ops.rand([1000], { generator: generator() }), 0, 1), [1]),
      sampleOf('nothing', () => ops.rand([0], { generator: generator() }), []),
    ],
  },
  {
    name: 'normal',
    samples: [
      sampleOf(
        'within 7 standard deviations',
        () => inRange(ops.randn([1000], { generator: generator() }), -7, 7),
        [1],
      ),
    ],
  },
  {
    name: 'permutation',
    samples: [
      sampleOf(
        'every number once',
        () => {
          const order = ops.randperm(5, { generator: generator() });
          return ops.sum(ops.oneHot(order, 5), { dim: 0 });
        },
        [1, 1, 1, 1, 1],
      ),
    ],
  },
  {
    name: 'dropout',
    samples: [
      {
        title: 'off',
        inputs: [new NDArray([2], [1, 2])],
        run: (x) => ops.dropout(x, 0.5, { training: false }),
        reference: (x) => x,
        ulps: 0,
      },
      {
        title: 'all',
        inputs: [new NDArray([2], [1, 2])],
        run: (x) => ops.dropout(x, 1),
        reference: (x) => x.map(() => 0),
        ulps: 0,
      },
      {
        title: 'some',
        inputs: [
          new NDArray(
            [40],
            Array.from({ length: 40 }, (_, i) => i + 1),
          ),
        ],
        // Each element is 0 or x / (1 - p), exactly: 2 x.
        run: (x) => {
          const y = ops.dropout(x, 0.5, { generator: generator() });
          return ops.add(ops.mul(ops.cast(ops.eq(y, 0), 'float64'), ops.mul(x, 2)), y);
        },
        reference: (x) => x.map((value) => 2 * value),
        ulps: 0,
        gradient: false,
      },
    ],
  },
];

function inRange(x: ReturnType<typeof ops.rand>, low: number, high: number): ReturnType<typeof ops.rand> {
  return ops.reshape(ops.all(ops.logicalAnd(ops.ge(x, low), ops.lt(x, high))), [1]);
}
