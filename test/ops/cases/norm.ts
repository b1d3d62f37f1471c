import * as ops from '../../../lib/ops';
import { build, NDArray, randomArray, reduce } from '../../helpers/ndarray';
import type { Case, Sample } from './case';
import { average, total, varianceOf } from './reduce';

const shapes: readonly (readonly [title: string, shape: number[], gradient: boolean])[] = [
  ['images', [2, 3, 2, 2], true],
  ['vectors', [4, 2], true],
  ['sequences', [2, 2, 3], true],
  ['one channel', [3, 1, 2], true],
  ['one element a channel', [1, 2, 1], true],
  ['more pixels', [5, 7, 11, 13], false],
];

const otherDims = (shape: readonly number[]): number[] => shape.map((_, dim) => dim).filter((dim) => dim !== 1);

/** [2, C] from two functions of the values of a channel. */
function perChannel(x: NDArray, f: (values: number[]) => number, g: (values: number[]) => number): NDArray {
  const dims = otherDims(x.shape);
  return new NDArray([2, x.shape[1]!], [...reduce(x, dims, false, f).data, ...reduce(x, dims, false, g).data]);
}

const sizes = (values: number[]): number => total(values.map(Math.abs));

/** Statistics as a batch has them, but away from it, so that nothing cancels. */
function statistics(channels: number): NDArray {
  return build([2, channels], ([i, c]) => (i === 0 ? 0.2 * (c! - 1) : 0.7 + 0.3 * c!));
}

const statisticsSamples: Sample[] = shapes.map(([title, shape, gradient]) => ({
  title,
  inputs: [randomArray(shape, 90)],
  run: (x) => ops.batchNormStatistics(x),
  reference: (x) => perChannel(x, average, (values) => varianceOf(values, 0)),
  errors: (x) =>
    perChannel(
      x,
      (values) => 4 + sizes(values),
      (values) => 8 + 4 * sizes(values),
    ),
  gradient,
}));

const farFromZero: Sample = {
  title: 'far from 0: squares would cancel',
  inputs: [randomArray([8, 2, 4], 91).map((x) => Math.round(64 * x) / 64 + 4096)],
  run: (x) => ops.batchNormStatistics(x),
  reference: (x) => perChannel(x, average, (values) => varianceOf(values, 0)),
  // The mean's own rounding is its eps; the variance then moves by far less.
  errors: (x) =>
    perChannel(
      x,
      () => 3 * 4096,
      () => 200,
    ),
  gradient: false,
};

const eps = 1e-3;

const normalised = (x: NDArray, s: NDArray, weight: NDArray, bias: NDArray): NDArray =>
  build(x.shape, (index) => {
    const c = index[1]!;
    const scale = weight.get([c]) / Math.sqrt(s.get([1, c]) + eps);
    return (x.get(index) - s.get([0, c])) * scale + bias.get([c]);
  });

const batchNormSamples: Sample[] = [...shapes, ['no images', [0, 2, 3], true] as const].map(
  ([title, shape, gradient]) => ({
    title,
    inputs: [randomArray(shape, 92), statistics(shape[1]), randomArray([shape[1]], 93), randomArray([shape[1]], 94)],
    run: (x, s, weight, bias) => ops.batchNorm(x, s, weight, bias, { eps }),
    reference: normalised,
    errors: (x) => x.map(() => 64),
    gradient,
  }),
);

const gradSumsSamples: Sample[] = shapes.map(([title, shape, gradient]) => {
  const products = (g: NDArray, x: NDArray, s: NDArray): NDArray =>
    build(shape, (index) => g.get(index) * (x.get(index) - s.get([0, index[1]!])));
  return {
    title,
    inputs: [randomArray(shape, 95), randomArray(shape, 96), statistics(shape[1]!)],
    run: (g, x, s) => ops.batchNormGradSums(g, x, s),
    reference: (g, x, s) => {
      const channels = shape[1]!;
      const sums = reduce(g, otherDims(shape), false, total).data;
      return new NDArray([2, channels], [...sums, ...reduce(products(g, x, s), otherDims(shape), false, total).data]);
    },
    errors: (g, x, s) =>
      new NDArray(
        [2, shape[1]!],
        [g, products(g, x, s)].flatMap((values) => [
          ...reduce(values, otherDims(shape), false, (group) => 4 + (8 + group.length) * sizes(group)).data,
        ]),
      ),
    gradient,
  };
});

const rowShapes: readonly (readonly [title: string, shape: [number, number], gradient: boolean])[] = [
  ['rows', [3, 4], true],
  ['one row', [1, 5], true],
  ['pairs', [4, 2], true],
  ['longer rows', [7, 100], false],
];

/** Each row of x as the normalised one, with 1 / √(variance + eps). */
function normalisedRows(x: NDArray): { values: number[]; inverse: number }[] {
  return Array.from({ length: x.shape[0]! }, (_, r) => {
    const row = Array.from({ length: x.shape[1]! }, (__, i) => x.get([r, i]));
    const inverse = 1 / Math.sqrt(varianceOf(row, 0) + eps);
    return { values: row.map((value) => (value - average(row)) * inverse), inverse };
  });
}

const layerNormSamples: Sample[] = [...rowShapes, ['no rows', [0, 3], true] as const].map(
  ([title, shape, gradient]) => ({
    title,
    inputs: [randomArray([...shape], 97), randomArray([shape[1]], 98), randomArray([shape[1]], 99)],
    run: (x, weight, bias) => ops.layerNorm(x, weight, bias, { eps }),
    reference: (x, weight, bias) => {
      const rows = normalisedRows(x);
      return build(x.shape, ([r, i]) => rows[r!]!.values[i!]! * weight.get([i!]) + bias.get([i!]));
    },
    errors: (x) => x.map(() => 64),
    gradient,
  }),
);

const layerNormInputGradSamples: Sample[] = rowShapes.map(([title, shape, gradient]) => ({
  title,
  inputs: [randomArray(shape, 100), randomArray(shape, 101), randomArray([shape[1]], 102)],
  run: (g, x, weight) => ops.layerNormInputGrad(g, x, weight, { eps }),
  reference: (g, x, weight) => {
    const rows = normalisedRows(x).map(({ values, inverse }, r) => {
      const scaled = values.map((_, i) => g.get([r, i]) * weight.get([i]));
      const [mean, along] = [average(scaled), average(scaled.map((value, i) => value * values[i]!))];
      return scaled.map((value, i) => inverse * (value - mean - values[i]! * along));
    });
    return build(x.shape, ([r, i]) => rows[r!]![i!]!);
  },
  errors: (_, x) => {
    const rows = normalisedRows(x);
    return build(x.shape, ([r]) => 64 * (1 + rows[r!]!.inverse));
  },
  gradient,
}));

const layerNormWeightGradsSamples: Sample[] = rowShapes.map(([title, shape, gradient]) => ({
  title,
  inputs: [randomArray(shape, 103), randomArray(shape, 104)],
  run: (g, x) => ops.layerNormWeightGrads(g, x, { eps }),
  reference: (g, x) => {
    const rows = normalisedRows(x);
    const column = (of: (r: number) => number): number => total(rows.map((_, r) => of(r)));
    return build([2, shape[1]], ([k, i]) => column((r) => g.get([r, i!]) * (k === 0 ? rows[r]!.values[i!]! : 1)));
  },
  errors: () => build([2, shape[1]], () => 64 * shape[0]),
  gradient,
}));

export const normCases: readonly Case[] = [
  { name: 'layerNorm', samples: layerNormSamples },
  { name: 'layerNormInputGrad', samples: layerNormInputGradSamples },
  { name: 'layerNormWeightGrads', samples: layerNormWeightGradsSamples },
  { name: 'batchNormStatistics', samples: [...statisticsSamples, farFromZero] },
  { name: 'batchNorm', samples: batchNormSamples },
  { name: 'batchNormGradSums', samples: gradSumsSamples },
];
