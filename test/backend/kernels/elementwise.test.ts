import type { Opcode } from '../../../lib/graph/program/elementwise';
import { dtypes, type DType } from '../../../lib/tensor/dtype';
import { backends } from './backends';
import {
  type Operand,
  broadcast,
  chainCall,
  dense,
  elements,
  permuted,
  runKernel,
  runStorages,
  sliced,
} from './builder';
import { erfReference } from './erf-reference';
import { expectEqual, expectWithin, Numbers, roundoff } from './numbers';

const floats = ['float32', 'float64'] as const;
const specials = [0, -0, 1, -1, 0.5, -0.5, 1.5, 2.5, -2.5, 3.7, -3.7, 1e10, -1e10, 88, -88, Infinity, -Infinity, NaN];

/** What an opcode means, in double, and how far from it a result may be: in roundoffs, relative to it. */
const meanings: { [O in Opcode]?: { of: (x: number, y: number) => number; roundoffs: number } } = {
  add: { of: (x, y) => x + y, roundoffs: 0 },
  sub: { of: (x, y) => x - y, roundoffs: 0 },
  mul: { of: (x, y) => x * y, roundoffs: 0 },
  div: { of: (x, y) => x / y, roundoffs: 0 },
  neg: { of: (x) => -x, roundoffs: 0 },
  abs: { of: (x) => Math.abs(x), roundoffs: 0 },
  sign: { of: (x) => Math.sign(x), roundoffs: 0 },
  maximum: { of: (x, y) => (Number.isNaN(x) || Number.isNaN(y) ? NaN : x > y ? x : y), roundoffs: 0 },
  minimum: { of: (x, y) => (Number.isNaN(x) || Number.isNaN(y) ? NaN : x < y ? x : y), roundoffs: 0 },
  pow: { of: (x, y) => (x === 1 ? 1 : x === -1 && Math.abs(y) === Infinity ? 1 : x ** y), roundoffs: 8 },
  exp: { of: Math.exp, roundoffs: 4 },
  expm1: { of: Math.expm1, roundoffs: 8 },
  log: { of: Math.log, roundoffs: 8 },
  log1p: { of: Math.log1p, roundoffs: 8 },
  sqrt: { of: Math.sqrt, roundoffs: 0 },
  rsqrt: { of: (x) => 1 / Math.sqrt(x), roundoffs: 4 },
  sin: { of: Math.sin, roundoffs: 8 },
  cos: { of: Math.cos, roundoffs: 8 },
  tanh: { of: Math.tanh, roundoffs: 8 },
  sigmoid: { of: (x) => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x))), roundoffs: 8 },
  softplus: { of: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), roundoffs: 8 },
  erf: { of: erfReference, roundoffs: 8 },
  floor: { of: Math.floor, roundoffs: 0 },
  ceil: { of: Math.ceil, roundoffs: 0 },
  round: {
    of: (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.sign(x) * Math.round(Math.abs(x))),
    roundoffs: 0,
  },
  trunc: { of: Math.trunc, roundoffs: 0 },
  relu: { of: (x) => (x <= 0 ? 0 : x), roundoffs: 0 },
};

const comparisons: { [O in Opcode]?: (x: number, y: number) => boolean } = {
  eq: (x, y) => x === y,
  ne: (x, y) => x !== y,
  lt: (x, y) => x < y,
  le: (x, y) => x <= y,
  gt: (x, y) => x > y,
  ge: (x, y) => x >= y,
};

function pairs(values: readonly number[]): [number[], number[]] {
  return [values.flatMap((x) => values.map(() => x)), values.flatMap(() => values)];
}

function rounded(dtype: DType, values: readonly number[]): number[] {
  return dtype === 'float32' ? values.map(Math.fround) : [...values];
}

describe.each(backends)('elementwise on %s', (_name, backend) => {
  function binary(opcode: Opcode, x: Operand, y: Operand, result: DType = x.dtype): number[] {
    const call = chainCall({
      inputs: [x, y],
      registers: 3,
      steps: [[opcode, x.dtype, 2, 0, 1]],
      results: [[2, result]],
      shape: x.shape,
    });
    return runKernel(backend, call)[0]!;
  }

  function unary(opcode: Opcode, x: Operand, result: DType = x.dtype): number[] {
    const call = chainCall({
      inputs: [x],
      registers: 2,
      steps: [[opcode, x.dtype, 1, 0]],
      results: [[1, result]],
      shape: x.shape,
    });
    return runKernel(backend, call)[0]!;
  }

  const cases = floats.flatMap((dtype) => Object.keys(meanings).map((opcode) => [opcode as Opcode, dtype] as const));

  it.each(cases)('%s of %s', (opcode, dtype) => {
    const { of, roundoffs } = meanings[opcode]!;
    const numbers = new Numbers(1);
    const random = Array.from({ length: 3000 }, (_, i) => numbers.between(-1, 1) * 2 ** (i % 12) * 0.01);
    const other = Array.from({ length: 3000 }, (_, i) => numbers.between(-1, 1) * 2 ** (i % 5));
    const isBinary = of.length === 2;
    const [left, right] = isBinary ? pairs(specials) : [specials, specials];
    const x = dense(dtype, [left.length + 3000], [...left, ...random]);
    const y = dense(dtype, [right.length + 3000], [...right, ...other]);
    const actual = isBinary ? binary(opcode, x, y) : unary(opcode, x);
    const [xs, ys] = [elements(x), elements(y)];
    const expected = rounded(
      dtype,
      xs.map((value, i) => of(value, ys[i]!)),
    );
    expectWithin(
      actual,
      expected,
      (i) => roundoffs * roundoff[dtype] * Math.abs(expected[i]!) + (roundoffs > 0 ? 1.2e-38 : 0),
    );
  });

  it.each(floats)('is stable at both ends in %s', (dtype) => {
    const x = dense(dtype, [6], [-1e4, 1e4, -100, 100, -30, 30]);
    const bound = (expected: number[]) => (i: number) => 8 * roundoff[dtype] * Math.abs(expected[i]!) + 1e-38;
    const sigmoids = [0, 1, Math.exp(-100), 1, Math.exp(-30) / (1 + Math.exp(-30)), 1 / (1 + Math.exp(-30))];
    expectWithin(
      unary('sigmoid', x),
      sigmoids,
      dtype === 'float32' ? (i) => bound(sigmoids)(i) + 1e-43 : bound(sigmoids),
    );
    const softpluses = [0, 1e4, Math.exp(-100), 100, Math.log1p(Math.exp(-30)), 30 + Math.log1p(Math.exp(-30))];
    expectWithin(unary('softplus', x), softpluses, bound(softpluses));
  });

  it('wraps int32', () => {
    const values = [0, 1, -1, 7, -7, 46341, 65537, 2147483647, -2147483648, 1000003];
    const [left, right] = pairs(values);
    const x = dense('int32', [left.length], left);
    const y = dense('int32', [right.length], right);
    const exact = (f: (a: bigint, b: bigint) => bigint): number[] =>
      left.map((a, i) => Number(BigInt.asIntN(32, f(BigInt(a), BigInt(right[i]!)))));
    expectEqual(
      binary('add', x, y),
      exact((a, b) => a + b),
    );
    expectEqual(
      binary('sub', x, y),
      exact((a, b) => a - b),
    );
    expectEqual(
      binary('mul', x, y),
      exact((a, b) => a * b),
    );
    expectEqual(
      binary('maximum', x, y),
      exact((a, b) => (a > b ? a : b)),
    );
    expectEqual(
      binary('minimum', x, y),
      exact((a, b) => (a < b ? a : b)),
    );
    expectEqual(
      unary('neg', x),
      exact((a) => -a),
    );
    expectEqual(
      unary('abs', x),
      exact((a) => (a < 0n ? -a : a)),
    );
    expectEqual(
      unary('sign', x),
      exact((a) => (a < 0n ? -1n : a > 0n ? 1n : 0n)),
    );
  });

  const comparable = ['float32', 'float64', 'int32', 'bool'] as const;
  const comparisonCases = comparable.flatMap((dtype) =>
    Object.keys(comparisons).map((o) => [o as Opcode, dtype] as const),
  );

  it.each(comparisonCases)('%s of %s', (opcode, dtype) => {
    const values = dtype === 'bool' ? [0, 1] : dtype === 'int32' ? [0, 1, -1, 2147483647, -2147483648] : specials;
    const [left, right] = pairs(values);
    const actual = binary(opcode, dense(dtype, [left.length], left), dense(dtype, [right.length], right), 'bool');
    const [xs, ys] = [rounded(dtype, left), rounded(dtype, right)];
    expectEqual(
      actual,
      xs.map((x, i) => Number(comparisons[opcode]!(x, ys[i]!))),
    );
  });

  it('combines bools', () => {
    const x = dense('bool', [4], [0, 0, 1, 1]);
    const y = dense('bool', [4], [0, 1, 0, 1]);
    expectEqual(binary('logicalAnd', x, y), [0, 0, 0, 1]);
    expectEqual(binary('logicalOr', x, y), [0, 1, 1, 1]);
    expectEqual(unary('logicalNot', y), [1, 0, 1, 0]);
  });

  const samples: { readonly [D in DType]: readonly (number | bigint)[] } = {
    float32: [0, 1.5, -1.5, 2.9, -2.9, 1e10, -1e10, 1e20, -1e20, Infinity, -Infinity, NaN, 2147483520],
    float64: [0, 1.5, -1.5, 2147483646.9, 1e10, -1e10, 1e20, -1e20, Infinity, -Infinity, NaN, 0.1],
    int32: [0, 1, -1, 2147483647, -2147483648],
    bool: [0, 1],
    int64: [0n, 1n, -1n, 2n ** 31n, 2n ** 32n + 5n, -(2n ** 33n) - 7n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n)],
  };
  const names = Object.keys(dtypes) as DType[];
  const casts: { readonly [D in DType]: Opcode } = {
    float32: 'castFloat32',
    float64: 'castFloat64',
    int32: 'castInt32',
    bool: 'castBool',
    int64: 'castInt64',
  };

  function castReference(value: number | bigint, to: DType): number | bigint {
    if (to === 'bool') return Number(value) !== 0 ? 1 : 0;
    if (to === 'float32') return Math.fround(Number(value));
    if (to === 'float64') return Number(value);
    const bits = to === 'int32' ? 32 : 64;
    const limit = 2n ** BigInt(bits - 1);
    if (Number.isNaN(value)) return 0;
    if (value >= limit) return limit - 1n;
    if (value <= -limit) return -limit;
    return typeof value === 'bigint' ? value : BigInt(Math.trunc(value));
  }

  it.each(names.flatMap((from) => names.map((to) => [from, to] as const)))('casts %s to %s', (from, to) => {
    const x = dense(from, [samples[from].length], samples[from]);
    const steps = [[casts[to], from, 1, 0]] as const;
    const call = chainCall({ inputs: [x], registers: 2, steps, results: [[1, to]], shape: x.shape });
    const exact = from === 'float32' ? elements(x) : samples[from];
    const actual = Array.from(runStorages(backend, call)[0]!.data, String);
    expect(actual).toEqual(exact.map((value) => String(castReference(value, to))));
  });

  it.each(names)('copies and chooses %s', (dtype) => {
    const x = dense(dtype, [5], samples[dtype].slice(0, 5));
    const y = dense(dtype, [5], [...samples[dtype]].reverse());
    const condition = dense('bool', [5], [1, 0, 0, 1, 0]);
    const copy = chainCall({
      inputs: [x],
      registers: 2,
      steps: [['copy', dtype, 1, 0]],
      results: [[1, dtype]],
      shape: [5],
    });
    expectEqual(runKernel(backend, copy)[0]!, elements(x));
    const where = chainCall({
      inputs: [condition, x, y],
      registers: 4,
      steps: [['where', dtype, 3, 0, 1, 2]],
      results: [[3, dtype]],
      shape: [5],
    });
    const [xs, ys] = [elements(x), elements(y)];
    expectEqual(
      runKernel(backend, where)[0]!,
      xs.map((value, i) => (i === 0 || i === 3 ? value : ys[i]!)),
    );
  });

  it.each([
    ['float32', 'int32'],
    ['float64', 'bool'],
    ['int64', 'float32'],
    ['bool', 'int64'],
  ] as const)('reads strided %s and %s', (first, second) => {
    const numbers = new Numbers(3);
    const shape = [3, 5, 7, 11];
    const base = numbers.integers(first, [11, 7, 5, 3], 0, 1);
    const x = permuted(base, [3, 2, 1, 0]);
    const y = broadcast(numbers.integers(second, [3, 1, 7, 1], 0, 1), shape);
    const z = sliced(sliced(numbers.integers('float32', [6, 5, 7, 24]), 0, 1, 2), 3, 2, 2);
    const scalar = broadcast(numbers.integers('int32', [1, 1, 1, 1]), shape);
    expect([x.shape, z.shape]).toEqual([shape, shape]);
    const call = chainCall({
      inputs: [x, y, z, scalar],
      registers: 9,
      steps: [
        ['castFloat64', first, 4, 0],
        ['castFloat64', second, 5, 1],
        ['mul', 'float64', 4, 4, 5],
        ['castFloat64', 'float32', 6, 2],
        ['add', 'float64', 4, 4, 6],
        ['castFloat64', 'int32', 7, 3],
        ['sub', 'float64', 8, 4, 7],
      ],
      results: [[8, 'float64']],
      shape,
    });
    const [xs, ys, zs, s] = [elements(x), elements(y), elements(z), elements(scalar)];
    expectEqual(
      runKernel(backend, call)[0]!,
      xs.map((value, i) => value * ys[i]! + zs[i]! - s[i]!),
    );
  });

  it.each([0, 1, 511, 512, 513, 1500])('takes %i elements through several steps and outputs', (n) => {
    const numbers = new Numbers(4);
    const x = numbers.reals('float32', [n]);
    const y = numbers.reals('float32', [n]);
    // Adam's moments: m = 0.9 m + 0.1 g, v = 0.99 v + 0.01 g g, with the factors as scalars.
    const call = chainCall({
      inputs: [x, y],
      scalars: [
        [1, 'float32'],
        [0, 'float32'],
        [1, 'int32'],
      ],
      registers: 9,
      steps: [
        ['mul', 'float32', 5, 0, 2],
        ['mul', 'float32', 6, 1, 3],
        ['add', 'float32', 5, 5, 6],
        ['gt', 'float32', 7, 5, 2],
        ['castInt32', 'bool', 6, 7],
        ['add', 'int32', 8, 6, 4],
      ],
      results: [
        [8, 'int32'],
        [7, 'bool'],
      ],
      shape: [n],
      values: [0.1, 2.7],
    });
    const f = Math.fround;
    const [xs, ys] = [elements(x), elements(y)];
    const bools = xs.map((a, i) => (f(f(a * f(2.7)) + f(ys[i]! * f(0.1))) > f(2.7) ? 1 : 0));
    const [integers, flags] = runKernel(backend, call);
    expectEqual(flags!, bools);
    expectEqual(
      integers!,
      bools.map((b) => b + 2),
    );
  });
});
