import { backends } from './backends';
import { BackendError } from '../../../lib/errors';
import { opcodeIds } from '../../../lib/graph/program/elementwise';
import { broadcast, dense, elements, type Operand, permuted, type Result, runKernel, sizeOf, sliced } from './builder';
import { expectEqual, expectWithin, Numbers, roundoff } from './numbers';

// Looking up a global costs a microsecond inside jest.
const { abs } = Math;

/** The product and, for error bounds, the product of the magnitudes. */
function reference(a: Operand, b: Operand): { product: number[]; magnitude: number[] } {
  const rank = a.shape.length;
  const [m, k, n] = [a.shape[rank - 2]!, a.shape[rank - 1]!, b.shape[rank - 1]!];
  const [as, bs] = [Float64Array.from(elements(a)), Float64Array.from(elements(b))];
  const product: number[] = [];
  const magnitude: number[] = [];
  for (let batch = 0; batch < sizeOf(a.shape.slice(0, -2)); batch++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        let size = 0;
        for (let l = 0; l < k; l++) {
          const term = as[(batch * m + i) * k + l]! * bs[(batch * k + l) * n + j]!;
          sum += term;
          size += abs(term);
        }
        product.push(sum);
        magnitude.push(size);
      }
  return { product, magnitude };
}

const transposed = (operand: Operand): Operand => {
  const dims = operand.shape.map((_, dim) => dim);
  return permuted(operand, [...dims.slice(0, -2), dims.length - 1, dims.length - 2]);
};

describe.each(backends)('matmul on %s', (_name, backend) => {
  function multiply(a: Operand, b: Operand): number[] {
    const shape = [...a.shape.slice(0, -1), b.shape[b.shape.length - 1]!];
    return runKernel(backend, { kernel: 'matmul', inputs: [a, b], outputs: [{ dtype: a.dtype, shape }] })[0]!;
  }

  describe.each(['float32', 'float64'] as const)('%s', (dtype) => {
    it('is exact on small integers, for every size around the blocks', () => {
      const numbers = new Numbers(1);
      const sizes = [1, 2, 3, 4, 5, 8, 9, 16, 17, 33];
      for (const m of sizes)
        for (const n of sizes)
          for (const k of [1, 5, 17]) {
            const a = numbers.integers(dtype, [m, k]);
            const b = numbers.integers(dtype, [k, n]);
            expectEqual(multiply(a, b), reference(a, b).product);
          }
    });

    it.each([
      [3, 255, 6],
      [14, 256, 32],
      [29, 257, 33],
      [65, 513, 67],
      [1, 1000, 300],
      [300, 1000, 1],
    ])('is exact on small integers for %i x %i x %i, in all layouts', (m, k, n) => {
      const numbers = new Numbers(2);
      const plain = [numbers.integers(dtype, [m, k]), numbers.integers(dtype, [k, n])] as const;
      const turned = [
        transposed(numbers.integers(dtype, [k, m])),
        transposed(numbers.integers(dtype, [n, k])),
      ] as const;
      for (const a of [plain[0], turned[0]])
        for (const b of [plain[1], turned[1]]) expectEqual(multiply(a, b), reference(a, b).product);
    });

    it('is exact for many rows and few columns: blocks of rows that are read where they lie', () => {
      const numbers = new Numbers(11);
      for (const [m, k, n] of [
        [600, 64, 64],
        [1300, 40, 65],
        [1100, 64, 40],
      ] as const) {
        const a = numbers.integers(dtype, [m, k]);
        const b = numbers.integers(dtype, [k, n]);
        expectEqual(multiply(a, b), reference(a, b).product);
      }
    });

    it('is exact for many rows and columns, which are packed for all parts at once', () => {
      const numbers = new Numbers(12);
      const [a, b] = [numbers.integers(dtype, [563, 259]), numbers.integers(dtype, [259, 515])];
      expectEqual(multiply(a, b), reference(a, b).product);
    });

    it('multiplies batches, broadcast and strided', () => {
      const numbers = new Numbers(3);
      const a = numbers.integers(dtype, [2, 3, 5, 7]);
      const b = numbers.integers(dtype, [2, 3, 7, 4]);
      const shared = broadcast(numbers.integers(dtype, [1, 3, 7, 4]), [2, 3, 7, 4]);
      const skipping = sliced(sliced(numbers.integers(dtype, [2, 3, 7, 9]), 3, 1, 2), 2, 0, 1);
      const outer = permuted(numbers.integers(dtype, [5, 3, 2, 7]), [2, 1, 0, 3]);
      for (const left of [a, outer])
        for (const right of [b, shared, skipping]) expectEqual(multiply(left, right), reference(left, right).product);
      const repeated = broadcast(numbers.integers(dtype, [2, 3, 5, 1]), [2, 3, 5, 7]);
      expectEqual(multiply(repeated, b), reference(repeated, b).product);
    });

    it.each([
      [7, 300, 9],
      [64, 64, 64],
      [2, 1000, 130],
      [100, 50, 3],
    ])('stays within the error bound for %i x %i x %i', (m, k, n) => {
      const numbers = new Numbers(4);
      const [a, b] = [numbers.reals(dtype, [m, k]), numbers.reals(dtype, [k, n])];
      const { product, magnitude } = reference(a, b);
      expectWithin(multiply(a, b), product, (i) => (k + 2) * roundoff[dtype] * magnitude[i]!);
    });

    it('gives a row the same bits whatever stands beside it', () => {
      const numbers = new Numbers(5);
      const row = numbers.reals(dtype, [1, 600]);
      const b = numbers.reals(dtype, [600, 45]);
      const alone = multiply(row, b);
      for (const m of [2, 5, 64]) {
        const together = multiply(dense(dtype, [m, 600], row.values), b);
        for (let i = 0; i < m; i++) expectEqual(together.slice(i * 45, (i + 1) * 45), alone);
      }
    });

    it('propagates NaN and infinity, and only where they belong', () => {
      const a = new Numbers(6).integers(dtype, [9, 9], 1, 2);
      const b = new Numbers(7).integers(dtype, [9, 9], 1, 2);
      const withNaN = { ...a, values: a.values.map((value, i) => (i === 30 ? NaN : i === 50 ? Infinity : value)) };
      expectEqual(multiply(withNaN, b), reference(withNaN, b).product);
    });

    it('takes empty matrices', () => {
      expectEqual(multiply(dense(dtype, [2, 0], [0]), dense(dtype, [0, 3], [0])), [0, 0, 0, 0, 0, 0]);
      expectEqual(multiply(dense(dtype, [0, 2], [0]), dense(dtype, [2, 3], [1])), []);
      expectEqual(multiply(dense(dtype, [2, 2], [1]), dense(dtype, [2, 0], [0])), []);
      expectEqual(multiply(dense(dtype, [0, 2, 2], [0]), dense(dtype, [0, 2, 2], [0])), []);
    });
  });
});

describe.each(backends)('the epilogue of matmul on %s', (_name, backend) => {
  const { copy, mul } = opcodeIds;
  /** A 2 x 2 product, byte code of one step, and what reads registers in place of a and b. */
  const call = (attributes: number[], results: Result[], inputs: Operand[] = []): (() => number[][]) => {
    const [a, b] = [dense('float32', [2, 3], [1, 2, 3]), dense('float32', [3, 2], [1, -1])];
    return () => runKernel(backend, { kernel: 'matmul', inputs: [a, b, ...inputs], outputs: results, attributes });
  };
  const result: Result = { dtype: 'float32', shape: [2, 2] };
  const other = dense('float32', [2, 2], [10, 20, 30, 40]);

  it('reads the product as register 0 and further inputs behind it', () => {
    expect(call([1, 0, 3, 1, mul, 0, 2, 0, 1, -1, 2, 0], [result], [other])()).toEqual([[60, -120, 180, -240]]);
  });

  it.each<[string, number[], Result[], Operand[]]>([
    ['a register that is not there', [1, 0, 2, 1, mul, 0, 1, 0, 7, -1, 1, 0], [result], []],
    ['an output that no step writes', [1, 0, 3, 1, mul, 0, 1, 0, 0, -1, 2, 0], [result], []],
    ['too few attributes', [1, 0, 2, 1], [result], []],
    ['another size', [1, 0, 2, 1, mul, 0, 1, 0, 0, -1, 1, 0], [{ dtype: 'float32', shape: [3, 2] }], []],
    ['inputs of another shape', [1, 0, 3, 1, mul, 0, 2, 0, 1, -1, 2, 0], [result], [dense('float32', [2], [1])]],
    ['another dtype', [1, 0, 2, 1, copy, 0, 1, 0, -1, -1, 1, 0], [{ dtype: 'float64', shape: [2, 2] }], []],
    ['a folded output', [1, 0, 2, 1, mul, 0, 1, 0, 0, -1, 1, 1], [{ dtype: 'float32', shape: [] }], []],
    ['a scalar that the program lacks', [1, 1, 3, 1, 0, mul, 0, 2, 0, 1, -1, 2, 0, 0], [result], []],
  ])('is refused: %s', (_what, attributes, results, inputs) => {
    expect(call(attributes, results, inputs)).toThrow(BackendError);
  });
});
