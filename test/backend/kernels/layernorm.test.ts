import { backends } from './backends';
import { dense, elements, runKernel } from './builder';
import { expectEqual, expectWithin, Numbers, roundoff } from './numbers';

const shapes = [
  [1, 1],
  [5, 3],
  [17, 40],
  [3, 1000],
  [700, 33],
] as const;
const eps = 1e-3;

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The rows of an array [R, D]. */
function rowsOf(values: readonly number[], [r, d]: readonly [number, number]): number[][] {
  return Array.from({ length: r }, (_, row) => values.slice(row * d, (row + 1) * d));
}

function normalized(row: readonly number[]): { values: number[]; inverse: number } {
  const mean = meanOf(row);
  const inverse = 1 / Math.sqrt(meanOf(row.map((value) => (value - mean) ** 2)) + eps);
  return { values: row.map((value) => (value - mean) * inverse), inverse };
}

describe.each(backends)('layer normalisation on %s', (_name, backend) => {
  describe.each(['float32', 'float64'] as const)('%s', (dtype) => {
    const run = (kernel: 'layerNorm' | 'layerNormInputGrad' | 'layerNormWeightGrads') => {
      return (inputs: ReturnType<typeof dense>[], shape: readonly number[]): number[] =>
        runKernel(backend, { kernel, inputs, outputs: [{ dtype, shape }], attributes: [eps] })[0]!;
    };

    it.each(shapes)('normalises the rows of [%i, %i]', (...shape) => {
      const numbers = new Numbers(1);
      const [x, weight, bias] = [
        numbers.reals(dtype, shape),
        numbers.reals(dtype, [shape[1]]),
        numbers.reals(dtype, [shape[1]]),
      ];
      const [w, b] = [elements(weight), elements(bias)];
      const expected = rowsOf(elements(x), shape).flatMap((row) =>
        normalized(row).values.map((value, i) => value * w[i]! + b[i]!),
      );
      expectWithin(run('layerNorm')([x, weight, bias], shape), expected, () => (200 + shape[1]) * roundoff[dtype]);
    });

    it.each(shapes)('gives the gradient for rows of [%i, %i]', (...shape) => {
      const numbers = new Numbers(2);
      const [g, x, weight] = [
        numbers.reals(dtype, shape),
        numbers.reals(dtype, shape),
        numbers.reals(dtype, [shape[1]]),
      ];
      const w = elements(weight);
      const gradients = rowsOf(elements(g), shape);
      let largest = 0;
      const expected = rowsOf(elements(x), shape).flatMap((row, r) => {
        const { values, inverse } = normalized(row);
        largest = Math.max(largest, inverse);
        const v = gradients[r]!.map((value, i) => value * w[i]!);
        const [mean, along] = [meanOf(v), meanOf(v.map((value, i) => value * values[i]!))];
        return v.map((value, i) => inverse * (value - mean - values[i]! * along));
      });
      const actual = run('layerNormInputGrad')([g, x, weight], shape);
      expectWithin(actual, expected, () => (400 + shape[1]) * largest * roundoff[dtype]);
    });

    it.each(shapes)('gives the gradients for weight and bias over [%i, %i]', (...shape) => {
      const [r, d] = shape;
      const numbers = new Numbers(3);
      const [g, x] = [numbers.reals(dtype, shape), numbers.reals(dtype, shape)];
      const gradients = rowsOf(elements(g), shape);
      const rows = rowsOf(elements(x), shape).map((row) => normalized(row).values);
      const column = (i: number, of: (row: number) => number): number =>
        rows.reduce((sum, _, row) => sum + of(row) * gradients[row]![i]!, 0);
      const products = Array.from({ length: d }, (_, i) => column(i, (row) => rows[row]![i]!));
      const sums = Array.from({ length: d }, (_, i) => column(i, () => 1));
      const actual = run('layerNormWeightGrads')([g, x], [2, d]);
      expectWithin(actual, [...products, ...sums], () => 10 * (r + d + 40) * roundoff[dtype]);
    });

    it('propagates NaN within its row only, and sums nothing to 0', () => {
      const x = dense(dtype, [2, 2], [1, NaN, 3, 3]);
      const [ones, zeros] = [dense(dtype, [2], [1, 1]), dense(dtype, [2], [0, 0])];
      expectEqual(run('layerNorm')([x, ones, zeros], [2, 2]), [NaN, NaN, 0, 0]);
      const none = dense(dtype, [0, 2], []);
      expectEqual(run('layerNormWeightGrads')([none, none], [2, 2]), [0, 0, 0, 0]);
    });
  });
});
