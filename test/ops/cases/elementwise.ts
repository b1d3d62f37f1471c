import * as ops from '../../../lib/ops';
import type { DType } from '../../../lib/tensor/dtype';
import type { Operand, Tensor } from '../../../lib/tensor/tensor';
import { NDArray, randomArray, zip } from '../../helpers/ndarray';
import type { Case, Sample } from './case';

const special = [NaN, Infinity, -Infinity, 0, -0, 1, -1, 1e4, -1e4, 0.5, -0.5, 1.5, 2.5, -2.5, 30, -30, 1e-5, -1e-5];
const specials = new NDArray([special.length], special);

interface UnaryOptions {
  low?: number;
  high?: number;
  ulps?: number;
  /** Extreme values are compared too: false where the domain excludes most of them. */
  extremes?: boolean;
  gradient?: boolean;
  dtypes?: readonly (DType | 'float')[];
}

function unary(name: string, run: (x: Operand) => Tensor, f: (x: number) => number, options: UnaryOptions = {}): Case {
  const { low = -2, high = 2, ulps = 4, gradient = true, dtypes } = options;
  const sample = (title: string, x: NDArray, checked: boolean): Sample => ({
    title,
    inputs: [x],
    dtypes,
    run: (t) => run(t),
    reference: (array) => array.map(f),
    ulps,
    gradient: checked && gradient,
  });
  return {
    name,
    samples: [
      sample('a matrix', randomArray([2, 3], 1, low, high), true),
      sample('a scalar', randomArray([], 2, low, high), true),
      sample('nothing', randomArray([0, 3], 3), true),
      sample('one', randomArray([1, 1], 4, low, high), true),
      sample('more than a block', randomArray([1031], 5, low, high), false),
      ...(options.extremes === false ? [] : [sample('extremes', specials, false)]),
    ],
  };
}

function binary(
  name: string,
  run: (a: Tensor, b: Tensor) => Tensor,
  f: (a: number, b: number) => number,
  options: UnaryOptions & { positive?: boolean } = {},
): Case {
  const { low = -2, high = 2, ulps = 4, gradient = true, dtypes, positive = false } = options;
  const sample = (title: string, a: readonly number[], b: readonly number[], checked: boolean): Sample => ({
    title,
    inputs: [randomArray(a, 6, positive ? 0.3 : low, high), randomArray(b, 7, low, high)],
    dtypes,
    run,
    reference: (x, y) => zip(f, x, y),
    ulps,
    gradient: checked && gradient,
  });
  const pairs = special.flatMap((a) => special.map((b) => [a, b] as const));
  return {
    name,
    samples: [
      sample('equal shapes', [2, 3], [2, 3], true),
      sample('a row and a column', [1, 4], [3, 1], true),
      sample('a matrix and a scalar', [2, 3], [], true),
      sample('missing dims', [2], [3, 2, 2], true),
      sample('nothing', [0, 3], [1, 3], true),
      sample('more than a block', [5, 211], [211], false),
      ...(options.extremes === false
        ? []
        : [
            {
              title: 'extremes',
              inputs: [0, 1].map(
                (i) =>
                  new NDArray(
                    [pairs.length],
                    pairs.map((pair) => pair[i]!),
                  ),
              ),
              dtypes,
              run,
              reference: (x: NDArray, y: NDArray) => zip(f, x, y),
              ulps,
              gradient: false,
            },
          ]),
    ],
  };
}

const bothNumbers = (f: (a: number, b: number) => number) => (a: number, b: number) =>
  Number.isNaN(a) || Number.isNaN(b) ? NaN : f(a, b);
const truth = (value: boolean): number => Number(value);

/** Half to even, which Math.round is not. */
function roundHalfEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : Math.ceil(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** By a series without cancellation near 0, by a continued fraction elsewhere (Abramowitz and Stegun 7.1.6, 7.1.14). */
export function erf(x: number): number {
  if (Number.isNaN(x)) return NaN;
  const size = Math.abs(x);
  if (size > 6) return Math.sign(x);
  if (size < 2.5) {
    let term = x;
    let total = x;
    for (let n = 1; n < 100; n++) {
      term *= (2 * x * x) / (2 * n + 1);
      total += term;
    }
    return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
  }
  let fraction = size;
  for (let n = 200; n > 0; n--) fraction = size + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-size * size) / Math.sqrt(Math.PI) / fraction);
}

export const sigmoid = (x: number): number => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
export const softplus = (x: number): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

const functions: Case[] = [
  unary('neg', ops.neg, (x) => -x, { ulps: 0 }),
  unary('abs', ops.abs, Math.abs, { low: 0.1, ulps: 0 }),
  unary('sign', ops.sign, Math.sign, { low: 0.1, ulps: 0 }),
  unary('exp', ops.exp, Math.exp),
  unary('expm1', ops.expm1, Math.expm1),
  unary('log', ops.log, Math.log, { low: 0.2 }),
  unary('log1p', ops.log1p, Math.log1p, { low: -0.8 }),
  unary('sqrt', ops.sqrt, Math.sqrt, { low: 0.2, ulps: 1 }),
  unary('rsqrt', ops.rsqrt, (x) => 1 / Math.sqrt(x), { low: 0.2 }),
  // Large arguments lose their fraction in float32 libraries; no promise beyond a few periods.
  unary('sin', ops.sin, Math.sin, { extremes: false }),
  unary('cos', ops.cos, Math.cos, { extremes: false }),
  unary('tanh', ops.tanh, Math.tanh),
  unary('sigmoid', ops.sigmoid, sigmoid),
  unary('softplus', ops.softplus, softplus),
  unary('erf', ops.erf, erf),
  unary('relu', ops.relu, (x) => (Number.isNaN(x) ? NaN : Math.max(x, 0)), { low: 0.1, ulps: 0 }),
  unary('floor', ops.floor, Math.floor, { low: 0.1, high: 0.9, ulps: 0 }),
  unary('ceil', ops.ceil, Math.ceil, { low: 0.1, high: 0.9, ulps: 0 }),
  unary('round', ops.round, roundHalfEven, { low: -0.4, high: 0.4, ulps: 0 }),
  unary('trunc', ops.trunc, Math.trunc, { low: 0.1, high: 0.9, ulps: 0 }),
  unary('square', ops.square, (x) => x * x),
  unary('reciprocal', ops.reciprocal, (x) => 1 / x, { low: 0.3 }),
  unary('isNaN', ops.isNaN, (x) => truth(Number.isNaN(x)), { gradient: false }),
];

const arithmetic: Case[] = [
  binary('add', ops.add, (a, b) => a + b, { ulps: 1 }),
  binary('sub', ops.sub, (a, b) => a - b, { ulps: 1 }),
  binary('mul', ops.mul, (a, b) => a * b, { ulps: 1 }),
  binary('div', ops.div, (a, b) => a / b, { ulps: 1, low: 0.4 }),
  // JavaScript's ** differs from IEEE pow where the base is 1 or -1 and the exponent is not a finite number.
  binary('pow', ops.pow, (a, b) => (a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b), {
    positive: true,
  }),
  binary('maximum', ops.maximum, bothNumbers(Math.max), { ulps: 0 }),
  binary('minimum', ops.minimum, bothNumbers(Math.min), { ulps: 0 }),
  binary('eq', ops.eq, (a, b) => truth(a === b), { gradient: false }),
  binary('ne', ops.ne, (a, b) => truth(a !== b), { gradient: false }),
  binary('lt', ops.lt, (a, b) => truth(a < b), { gradient: false }),
  binary('le', ops.le, (a, b) => truth(a <= b), { gradient: false }),
  binary('gt', ops.gt, (a, b) => truth(a > b), { gradient: false }),
  binary('ge', ops.ge, (a, b) => truth(a >= b), { gradient: false }),
  binary('logicalAnd', ops.logicalAnd, (a, b) => truth(a !== 0 && b !== 0), { gradient: false }),
  binary('logicalOr', ops.logicalOr, (a, b) => truth(a !== 0 || b !== 0), { gradient: false }),
  unary('logicalNot', ops.logicalNot, (x) => truth(x === 0), { gradient: false }),
];

const integers = { gradient: false, dtypes: ['int32', 'int32'], ulps: 0, extremes: false } as const;
const integerArithmetic: Case[] = [
  binary('add of integers', ops.add, (a, b) => Math.trunc(a) + Math.trunc(b), { ...integers, low: -1e6, high: 1e6 }),
  binary('mul of integers', ops.mul, (a, b) => Math.trunc(a) * Math.trunc(b), { ...integers, low: -1e4, high: 1e4 }),
  binary('maximum of integers', ops.maximum, (a, b) => Math.trunc(Math.max(a, b)), {
    ...integers,
    low: -1e9,
    high: 1e9,
  }),
];

const bools = new NDArray([2, 3], [1, 0, 1, 0, 0, 1]);
const where: Case = {
  name: 'where',
  samples: [
    ['equal shapes', [2, 3], [2, 3]] as const,
    ['broadcast', [3], [2, 1]] as const,
    ['scalars', [], []] as const,
  ].map(([title, a, b]) => ({
    title,
    inputs: [bools, randomArray(a, 8), randomArray(b, 9)],
    dtypes: ['bool', 'float', 'float'] as const,
    run: (test: Tensor, x: Tensor, y: Tensor) => ops.where(test, x, y),
    reference: (test: NDArray, x: NDArray, y: NDArray) => zip((t, p, q) => (t !== 0 ? p : q), test, x, y),
    ulps: 0,
  })),
};

const saturated = (x: number): number =>
  Number.isNaN(x) ? 0 : Math.trunc(Math.min(Math.max(x, -(2 ** 31)), 2 ** 31 - 1)) + 0;

// Multiples of 1/256: exact in float32, and so are differences in steps of 1/256.
const grid = randomArray([2, 3], 10, -512, 512).map((x) => Math.round(x) / 256);
const extremeNumbers = new NDArray([8], [NaN, Infinity, -Infinity, -0, 0.5, -1.7, 3e9, -3e9]);

function cast(name: string, dtype: DType, from: DType, f: (x: number) => number, gradient: boolean): Case {
  const sample = (title: string, x: NDArray, checked: boolean): Sample => ({
    title,
    inputs: [x],
    dtypes: [from],
    run: (t) => ops.cast(t, dtype),
    reference: (array) => array.map(f),
    ulps: 0,
    gradient: checked && gradient,
    step: 1 / 256,
  });
  return { name, samples: [sample('a matrix', grid, true), sample('extremes', extremeNumbers, false)] };
}

const casts: Case[] = [
  cast('castFloat32', 'float32', 'float64', Math.fround, true),
  cast('castFloat64', 'float64', 'float32', Math.fround, true),
  cast('castInt32', 'int32', 'float64', saturated, false),
  cast('castBool', 'bool', 'float64', (x) => truth(x !== 0), false),
  {
    name: 'castInt64',
    samples: [
      {
        title: 'back and forth',
        inputs: [grid],
        dtypes: ['float64'],
        run: (x) => ops.cast(ops.cast(x, 'int64'), 'float64'),
        reference: (x) => x.map((value) => Math.trunc(value) + 0),
        ulps: 0,
        gradient: false,
      },
    ],
  },
];

export const elementwiseCases: readonly Case[] = [...functions, ...arithmetic, ...integerArithmetic, where, ...casts];
