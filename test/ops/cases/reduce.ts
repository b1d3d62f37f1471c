import * as ops from '../../../lib/ops';
import type { Tensor, TensorBase } from '../../../lib/tensor/tensor';
import { distinctArray, NDArray, randomArray, randomIntegers, reduce } from '../../helpers/ndarray';
import type { Case, Sample } from './case';

interface Options {
  dim?: number | number[];
  keepdim?: boolean;
}

type Run = (x: TensorBase, options: Options) => Tensor;
type OfGroup = (values: number[]) => number;

/** Which dims of which shapes, with which of the options. */
const plans: readonly (readonly [
  title: string,
  shape: readonly number[],
  dims: readonly number[],
  options: Options,
])[] = [
  ['all', [3, 4], [0, 1], {}],
  ['the last', [3, 4], [1], { dim: -1 }],
  ['the first, kept', [3, 4], [0], { dim: 0, keepdim: true }],
  ['two that are not neighbours', [2, 3, 4], [0, 2], { dim: [2, 0] }],
  ['the middle', [2, 3, 4], [1], { dim: 1 }],
  ['one of size 1', [3, 1], [1], { dim: 1 }],
  ['a scalar', [], [], {}],
  ['no groups', [0, 3], [1], { dim: 1 }],
];

const sumOfSizes: OfGroup = (values) => values.reduce((sum, x) => sum + Math.abs(x), 0);
export const total: OfGroup = (values) => values.reduce((sum, x) => sum + x, 0);
export const average: OfGroup = (values) => total(values) / values.length;

export function varianceOf(values: number[], correction: number): number {
  const center = average(values);
  return total(values.map((x) => (x - center) ** 2)) / Math.max(0, values.length - correction);
}

export function logSumExpOf(values: number[]): number {
  const largest = Math.max(...values);
  if (Math.abs(largest) === Infinity || values.length === 0) return largest;
  return largest + Math.log(total(values.map((x) => Math.exp(x - largest))));
}

interface ReductionOptions {
  /** What the error is proportional to, where not to the result. */
  errorOf?: OfGroup;
  distinct?: boolean;
  gradient?: boolean;
  ulps?: number;
}

function samplesOf(run: Run, f: OfGroup, options: ReductionOptions): Sample[] {
  const { errorOf, distinct = false, gradient = true, ulps = 4 } = options;
  return plans.map(([title, shape, dims, given]) => ({
    title,
    inputs: [distinct ? distinctArray(shape, 30) : randomArray(shape, 30)],
    run: (x) => run(x, given),
    reference: (x) => reduce(x, dims, given.keepdim ?? false, f),
    errors: errorOf && ((x) => reduce(x, dims, given.keepdim ?? false, errorOf)),
    ulps,
    gradient,
  }));
}

/** A long reduction over the last dim and over the first: where blocks and trees begin. */
function longSamples(run: Run, f: OfGroup, errorOf: OfGroup): Sample[] {
  return [0, 1].map((dim) => ({
    title: `long, over dim ${dim}`,
    inputs: [randomArray(dim === 1 ? [3, 1777] : [1777, 3], 31, -1, 2)],
    run: (x) => run(x, { dim }),
    reference: (x) => reduce(x, [dim], false, f),
    errors: (x) => reduce(x, [dim], false, errorOf),
    gradient: false,
  }));
}

function of(title: string, values: number[], run: Run, expected: number, ulps = 0): Sample {
  return {
    title,
    inputs: [new NDArray([values.length], values)],
    run: (x) => run(x, {}),
    reference: () => new NDArray([], [expected]),
    ulps,
    gradient: false,
  };
}

const terms = (values: number[]): number => (values.length + 2) * sumOfSizes(values);

const sums: Case[] = [
  {
    name: 'sum',
    samples: [
      ...samplesOf(ops.sum, total, { errorOf: terms }),
      ...longSamples(ops.sum, total, (values) => 64 * sumOfSizes(values)),
      of('of nothing', [], ops.sum, 0),
      of('with a NaN', [1, NaN, 2], ops.sum, NaN),
      of('with infinities', [1, Infinity, 2], ops.sum, Infinity),
      of('with both infinities', [-Infinity, Infinity], ops.sum, NaN),
      {
        title: 'of integers',
        inputs: [randomIntegers([3, 50], 32, -1000, 1000)],
        dtypes: ['int32'],
        run: (x) => ops.sum(x, { dim: 1 }),
        reference: (x) => reduce(x, [1], false, total),
        ulps: 0,
        gradient: false,
      },
      {
        title: 'of bools',
        inputs: [randomIntegers([50], 33, 0, 1)],
        dtypes: ['bool'],
        run: (x) => ops.sum(x),
        reference: (x) => reduce(x, [0], false, total),
        ulps: 0,
        gradient: false,
      },
    ],
  },
  {
    name: 'mean',
    samples: [
      ...samplesOf(ops.mean, average, { errorOf: (values) => terms(values) / values.length }),
      of('of nothing', [], ops.mean, NaN),
    ],
  },
];

const nanWins =
  (f: (...values: number[]) => number): OfGroup =>
  (values) =>
    f(...values);
const argumentOf =
  (better: (a: number, b: number) => boolean): OfGroup =>
  (values) => {
    const nan = values.findIndex((x) => Number.isNaN(x));
    if (nan >= 0) return nan;
    return values.reduce((best, x, i) => (better(x, values[best]!) ? i : best), 0);
  };
const largestAt = argumentOf((a, b) => a > b);
const smallestAt = argumentOf((a, b) => a < b);
const distinct = { distinct: true, ulps: 0 };
const ties = [1, 3, 3, -2, -2, 0];
const nans = [1, NaN, 5, NaN];

const extremes: Case[] = [
  {
    name: 'max',
    samples: [
      ...samplesOf(ops.max, nanWins(Math.max), distinct),
      of('a NaN wins', nans, ops.max, NaN),
      of('all -Infinity', [-Infinity, -Infinity], ops.max, -Infinity),
    ],
  },
  {
    name: 'min',
    samples: [...samplesOf(ops.min, nanWins(Math.min), distinct), of('a NaN wins', nans, ops.min, NaN)],
  },
  {
    name: 'argmax',
    samples: [
      ...samplesOf(ops.argmax, largestAt, { ...distinct, gradient: false }),
      of('the first of ties', ties, ops.argmax, 1),
      of('the first NaN', nans, ops.argmax, 1),
      of('all -Infinity', [-Infinity, -Infinity], ops.argmax, 0),
    ],
  },
  {
    name: 'argmin',
    samples: [
      ...samplesOf(ops.argmin, smallestAt, { ...distinct, gradient: false }),
      of('the first of ties', ties, ops.argmin, 3),
      of('the first NaN', nans, ops.argmin, 1),
    ],
  },
  {
    name: 'max of integers',
    samples: [
      {
        title: 'long',
        inputs: [randomIntegers([2, 500], 34, -1e9, 1e9)],
        dtypes: ['int32'],
        run: (x) => ops.max(x, { dim: 1 }),
        reference: (x) => reduce(x, [1], false, nanWins(Math.max)),
        ulps: 0,
        gradient: false,
      },
    ],
  },
];

// e^(x - max) carries an error of |x - max|, and the logarithm's is absolute near a sum of 1.
const logSumExpError = (values: number[]): number => 8 + 4 * Math.max(0, ...values.map(Math.abs)) + values.length;

const logSumExp: Case = {
  name: 'logSumExp',
  samples: [
    ...samplesOf(ops.logSumExp, logSumExpOf, { errorOf: logSumExpError }),
    ...longSamples(ops.logSumExp, logSumExpOf, () => 64),
    of('of nothing', [], ops.logSumExp, -Infinity),
    of('all -Infinity', [-Infinity, -Infinity], ops.logSumExp, -Infinity),
    of('with Infinity', [1, Infinity, -Infinity], ops.logSumExp, Infinity),
    of('with a NaN', [1, NaN], ops.logSumExp, NaN),
    of('large', [1e4, 1e4], ops.logSumExp, 1e4 + Math.LN2, 2),
    of('very negative', [-1e4, -1e4], ops.logSumExp, -1e4 + Math.LN2, 2),
  ],
};

// Welford: a relative error of a few eps in M2, besides what rounding x - mean adds.
const varianceError = (values: number[]): number =>
  (values.length + 8) * (varianceOf(values, 0) + 0.01 * Math.max(0, ...values.map(Math.abs)) ** 2);

const variances: Case[] = [
  {
    name: 'variance',
    samples: [
      ...samplesOf(
        (x, options) => ops.variance(x, { ...options, correction: 0 }),
        (values) => varianceOf(values, 0),
        {
          errorOf: varianceError,
        },
      ),
      ...longSamples(
        (x, options) => ops.variance(x, options),
        (values) => varianceOf(values, 1),
        () => 64,
      ),
      {
        title: "Bessel's correction",
        inputs: [randomArray([3, 4], 35)],
        run: (x) => ops.variance(x, { dim: 1 }),
        reference: (x) => reduce(x, [1], false, (values) => varianceOf(values, 1)),
        ulps: 16,
      },
      of('of one, corrected', [3], ops.variance, NaN),
      of('of nothing', [], ops.variance, NaN),
      {
        // E[x²] - E[x]² would lose all digits here: 10,000 with deviations of 1.
        title: 'far from 0',
        inputs: [new NDArray([4], [10000, 10001, 10002, 10003])],
        run: (x) => ops.variance(x),
        reference: () => new NDArray([], [5 / 3]),
        ulps: 8,
        gradient: false,
      },
    ],
  },
  {
    name: 'std',
    samples: [
      {
        title: 'rows',
        inputs: [randomArray([3, 4], 36)],
        run: (x) => ops.std(x, { dim: 1, keepdim: true }),
        reference: (x) => reduce(x, [1], true, (values) => Math.sqrt(varianceOf(values, 1))),
        ulps: 16,
      },
    ],
  },
];

const truths: Case[] = (['any', 'all'] as const).map((name) => ({
  name,
  samples: [
    {
      title: 'rows',
      inputs: [new NDArray([4, 2], [0, 0, 0, 1, 1, 0, 1, 1])],
      dtypes: ['bool'],
      run: (x) => ops[name](x, { dim: 1 }),
      reference: (x) => reduce(x, [1], false, (v) => Number(name === 'any' ? v.some(Boolean) : v.every(Boolean))),
      ulps: 0,
      gradient: false,
    },
    of('of nothing', [], ops[name], name === 'any' ? 0 : 1),
  ],
}));

export const reduceCases: readonly Case[] = [...sums, ...extremes, logSumExp, ...variances, ...truths];
