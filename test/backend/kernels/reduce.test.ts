import type { KernelName } from '../../../lib/graph/program/kernels';
import type { DType } from '../../../lib/tensor/dtype';
import { backends } from './backends';
import { dense, elements, type Operand, permuted, runKernel, sizeOf, sliced } from './builder';
import { expectEqual, expectWithin, Numbers, roundoff } from './numbers';

const floats = ['float32', 'float64'] as const;

/** The elements that are reduced to each result. */
function rowsOf(operand: Operand, kept: number): number[][] {
  const all = elements(operand);
  const size = sizeOf(operand.shape.slice(kept));
  return Array.from({ length: sizeOf(operand.shape.slice(0, kept)) }, (_, row) =>
    all.slice(row * size, (row + 1) * size),
  );
}

function argBest(row: readonly number[], isBetter: (a: number, b: number) => boolean): number {
  const firstNaN = row.findIndex((value) => Number.isNaN(value));
  if (firstNaN >= 0) return firstNaN;
  return row.reduce((best, value, i) => (isBetter(value, row[best]!) ? i : best), 0);
}

const best = (row: readonly number[], isBetter: (a: number, b: number) => boolean): number =>
  row[argBest(row, isBetter)]!;
const greater = (a: number, b: number): boolean => a > b;
const less = (a: number, b: number): boolean => a < b;

function logSumExp(row: readonly number[]): number {
  const most = row.reduce((a, b) => (Number.isNaN(a) || Number.isNaN(b) ? NaN : Math.max(a, b)), -Infinity);
  if (!Number.isFinite(most)) return most;
  return most + Math.log(row.reduce((sum, x) => sum + Math.exp(x - most), 0));
}

function variance(row: readonly number[], correction: number): number {
  const mean = row.reduce((sum, x) => sum + x / row.length, 0);
  return row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / Math.max(0, row.length - correction);
}

/** Inputs [kept..., reduced...] of many layouts; the number is that of the kept dims. */
function layouts(make: (shape: readonly number[]) => Operand): [Operand, number][] {
  return [
    [make([]), 0],
    [make([5]), 0],
    [make([5]), 1],
    [make([1000]), 0],
    [make([7, 300]), 1],
    [make([3, 1, 4, 17]), 2],
    [permuted(make([300, 7]), [1, 0]), 1],
    [permuted(make([5, 6, 7, 8]), [1, 0, 2, 3]), 1],
    [permuted(make([5, 6, 7, 8]), [3, 1, 2, 0]), 2],
    [sliced(make([40, 33]), 1, 1, 2), 1],
    [permuted(make([40000, 2]), [1, 0]), 1],
  ];
}

describe.each(backends)('reductions on %s', (_name, backend) => {
  function reduce(kernel: KernelName, input: Operand, kept: number, dtype: DType, more: number[] = []): number[] {
    const outputs = [{ dtype, shape: input.shape.slice(0, kept) }];
    return runKernel(backend, { kernel, inputs: [input], outputs, attributes: [kept, ...more] })[0]!;
  }

  describe.each([...floats, 'int32'] as const)('%s', (dtype) => {
    it('gives exact sums, extrema and their places on small integers', () => {
      const numbers = new Numbers(1);
      for (const [input, kept] of layouts((shape) => numbers.integers(dtype, shape, -50, 50))) {
        const rows = rowsOf(input, kept);
        expectEqual(
          reduce('sum', input, kept, dtype),
          rows.map((row) => row.reduce((a, b) => a + b, 0)),
        );
        expectEqual(
          reduce('max', input, kept, dtype),
          rows.map((row) => best(row, greater)),
        );
        expectEqual(
          reduce('min', input, kept, dtype),
          rows.map((row) => best(row, less)),
        );
        expectEqual(
          reduce('argmax', input, kept, 'int32'),
          rows.map((row) => argBest(row, greater)),
        );
        expectEqual(
          reduce('argmin', input, kept, 'int32'),
          rows.map((row) => argBest(row, less)),
        );
      }
    });

    it('sums nothing to 0 and gives nothing for no rows', () => {
      expectEqual(reduce('sum', dense(dtype, [3, 0], [0]), 1, dtype), [0, 0, 0]);
      expectEqual(reduce('sum', dense(dtype, [0, 3], [0]), 1, dtype), []);
      expectEqual(reduce('max', dense(dtype, [0, 3], [0]), 1, dtype), []);
    });
  });

  it('wraps sums of int32', () => {
    const input = dense('int32', [2, 700], [2147483647, 5, 2147483000]);
    const expected = rowsOf(input, 1).map((row) =>
      Number(
        BigInt.asIntN(
          32,
          row.reduce((a, b) => a + BigInt(b), 0n),
        ),
      ),
    );
    expectEqual(reduce('sum', input, 1, 'int32'), expected);
  });

  describe.each(floats)('%s', (dtype) => {
    it('sums, with an error that grows with the sum of magnitudes', () => {
      const numbers = new Numbers(2);
      for (const [input, kept] of layouts((shape) => numbers.reals(dtype, shape))) {
        const rows = rowsOf(input, kept);
        const bound = (i: number): number => 40 * roundoff[dtype] * rows[i]!.reduce((sum, x) => sum + Math.abs(x), 0);
        expectWithin(
          reduce('sum', input, kept, dtype),
          rows.map((row) => row.reduce((a, b) => a + b, 0)),
          bound,
        );
      }
    });

    it('takes the variance, also far from zero', () => {
      const numbers = new Numbers(3);
      for (const shift of [0, 1000])
        for (const [input, kept] of layouts((shape) => numbers.reals(dtype, shape, shift - 1, shift + 1)))
          for (const correction of [0, 1]) {
            const expected = rowsOf(input, kept).map((row) => variance(row, correction));
            // Deviations from the mean carry the mean's rounding, which adds in squares.
            const bound = (i: number): number => 200 * roundoff[dtype] * (1 + shift / 100) * Math.max(1, expected[i]!);
            expectWithin(reduce('variance', input, kept, dtype, [correction]), expected, bound);
          }
    });

    it('has no variance without degrees of freedom', () => {
      expectEqual(reduce('variance', dense(dtype, [2, 1], [3, 4]), 1, dtype, [0]), [0, 0]);
      expectEqual(reduce('variance', dense(dtype, [2, 1], [3, 4]), 1, dtype, [1]), [NaN, NaN]);
      expectEqual(reduce('variance', dense(dtype, [2, 0], [0]), 1, dtype, [0]), [NaN, NaN]);
      expectEqual(reduce('variance', dense(dtype, [1, 2], [3, 4]), 1, dtype, [2]), [Infinity]);
    });

    it('takes logSumExp at any magnitude', () => {
      const numbers = new Numbers(4);
      for (const shift of [0, -1e4, 1e4])
        for (const [input, kept] of layouts((shape) => numbers.reals(dtype, shape, shift - 20, shift + 20))) {
          const expected = rowsOf(input, kept).map(logSumExp);
          const bound = (i: number): number => 30 * roundoff[dtype] * (1 + Math.abs(expected[i]!));
          expectWithin(reduce('logSumExp', input, kept, dtype), expected, bound);
        }
    });

    it('takes logSumExp of infinities and of nothing', () => {
      const rows = [
        [-Infinity, -Infinity],
        [-Infinity, 3],
        [Infinity, 3],
        [Infinity, -Infinity],
        [NaN, 1],
        [NaN, -Infinity],
      ];
      const actual = reduce('logSumExp', dense(dtype, [6, 2], rows.flat()), 1, dtype);
      expectWithin(actual, [-Infinity, 3, Infinity, Infinity, NaN, NaN], () => 1e-6);
      expectEqual(reduce('logSumExp', dense(dtype, [2, 0], [0]), 1, dtype), [-Infinity, -Infinity]);
    });

    it('lets NaN win, and infinities stay', () => {
      const positions = [0, 1, 17, 299, 300, 511, 700];
      for (const at of positions) {
        const values = Array.from({ length: 701 }, (_, i) =>
          i === at ? NaN : i === 3 ? Infinity : i === 4 ? -Infinity : i % 7,
        );
        values[650] = NaN;
        const input = dense(dtype, [701], values);
        const strided = permuted(
          dense(
            dtype,
            [701, 2],
            values.flatMap((x) => [x, x]),
          ),
          [1, 0],
        );
        for (const kernel of ['sum', 'max', 'min'] as const) {
          expectEqual(reduce(kernel, input, 0, dtype), [NaN]);
          expectEqual(reduce(kernel, strided, 1, dtype), [NaN, NaN]);
        }
        for (const kernel of ['argmax', 'argmin'] as const) {
          expectEqual(reduce(kernel, input, 0, 'int32'), [Math.min(at, 650)]);
          expectEqual(reduce(kernel, strided, 1, 'int32'), [Math.min(at, 650), Math.min(at, 650)]);
        }
      }
      const infinite = dense(dtype, [2, 2], [-Infinity, -Infinity, Infinity, 5]);
      expectEqual(reduce('max', infinite, 1, dtype), [-Infinity, Infinity]);
      expectEqual(reduce('min', infinite, 1, dtype), [-Infinity, 5]);
      expectEqual(reduce('argmax', infinite, 1, 'int32'), [0, 0]);
      expectEqual(reduce('sum', infinite, 1, dtype), [-Infinity, Infinity]);
    });
  });

  it('takes the first of ties', () => {
    const input = dense('float32', [600], [1, 3, 3, 0, 0]);
    expectEqual(reduce('argmax', input, 0, 'int32'), [1]);
    expectEqual(reduce('argmin', input, 0, 'int32'), [3]);
  });
});
