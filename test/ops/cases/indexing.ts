import * as ops from '../../../lib/ops';
import { build, NDArray, randomArray, randomIntegers } from '../../helpers/ndarray';
import type { Case, Sample } from './case';

const gathered = (x: NDArray, index: NDArray, dim: number): NDArray =>
  build(index.shape, (position) => x.get(position.with(dim, index.get(position))));

function scattered(x: NDArray, index: NDArray, src: NDArray, dim: number): NDArray {
  const sums = build(x.shape, (position) => x.get(position)).data.slice();
  const flat = (position: readonly number[]): number => position.reduce((at, i, d) => at * x.shape[d]! + i, 0);
  build(index.shape, (position) => (sums[flat(position.with(dim, index.get(position)))]! += src.get(position)));
  return new NDArray(x.shape, sums);
}

const plans: readonly (readonly [title: string, x: number[], index: number[], dim: number])[] = [
  ['rows', [3, 4], [3, 2], 1],
  ['columns', [3, 4], [5, 4], 0],
  ['an index smaller elsewhere', [3, 4], [2, 3], 0],
  ['three dims', [2, 3, 2], [2, 4, 2], 1],
  ['nothing', [2, 3], [2, 0], 1],
  ['more', [40, 50], [40, 33], 1],
];

function gatherSamples(): Sample[] {
  return plans.map(([title, x, index, dim]) => ({
    title,
    inputs: [randomArray(x, 100), randomIntegers(index, 101, 0, x[dim]! - 1)],
    dtypes: ['float', 'int32'],
    run: (data, picks) => ops.gather(data, dim, picks),
    reference: (data, picks) => gathered(data, picks, dim),
    ulps: 0,
    gradient: title !== 'more',
  }));
}

function scatterSamples(): Sample[] {
  return plans.map(([title, x, index, dim]) => ({
    title,
    inputs: [randomArray(x, 102), randomIntegers(index, 103, 0, x[dim]! - 1), randomArray(index, 104)],
    dtypes: ['float', 'int32', 'float'],
    run: (data, picks, src) => ops.scatterAdd(data, dim, picks, src),
    reference: (data, picks, src) => scattered(data, picks, src, dim),
    errors: (data, picks, src) =>
      scattered(data.map(Math.abs), picks, src.map(Math.abs), dim).map((size) => (index[dim]! + 2) * size),
    gradient: title !== 'more',
  }));
}

const rows = (weight: NDArray, index: NDArray): NDArray =>
  build([...index.shape, weight.shape[1]!], (position) =>
    weight.get([index.get(position.slice(0, -1)), position.at(-1)!]),
  );

function rowSums(g: NDArray, index: NDArray, entries: number): NDArray {
  const features = g.shape.at(-1)!;
  const sums = new Array<number>(entries * features).fill(0);
  build(g.shape, (position) => {
    const at = index.get(position.slice(0, -1)) * features + position.at(-1)!;
    return (sums[at]! += g.get(position));
  });
  return new NDArray([entries, features], sums);
}

const embeddingPlans: readonly (readonly [title: string, weight: [number, number], index: number[]])[] = [
  ['a sentence', [5, 3], [4]],
  ['a batch', [3, 2], [2, 3]],
  ['one word', [3, 2], []],
  ['nothing', [3, 2], [0]],
];

const embeddings: Case[] = [
  {
    name: 'embedding',
    samples: embeddingPlans.map(([title, weight, index]) => ({
      title,
      inputs: [randomArray(weight, 105), randomIntegers(index, 106, 0, weight[0] - 1)],
      dtypes: ['float', 'int32'],
      run: (table, picks) => ops.embedding(table, picks),
      reference: rows,
      ulps: 0,
    })),
  },
  {
    name: 'embeddingGrad',
    samples: embeddingPlans.map(([title, weight, index]) => ({
      title,
      inputs: [randomArray([...index, weight[1]], 107), randomIntegers(index, 108, 0, weight[0] - 1)],
      dtypes: ['float', 'int32'],
      run: (g, picks) => ops.embeddingGrad(g, picks, weight[0]),
      reference: (g, picks) => rowSums(g, picks, weight[0]),
      errors: (g, picks) => rowSums(g.map(Math.abs), picks, weight[0]).map((size) => 8 * size),
    })),
  },
  {
    name: 'oneHot',
    samples: [
      {
        title: 'two dims',
        inputs: [randomIntegers([2, 3], 109, 0, 3)],
        dtypes: ['int32'],
        run: (index) => ops.oneHot(index, 4),
        reference: (index) => build([2, 3, 4], ([i, j, c]) => Number(index.get([i!, j!]) === c)),
        ulps: 0,
        gradient: false,
      },
    ],
  },
];

export const indexingCases: readonly Case[] = [
  { name: 'gather', samples: gatherSamples() },
  { name: 'scatterAdd', samples: scatterSamples() },
  ...embeddings,
];
