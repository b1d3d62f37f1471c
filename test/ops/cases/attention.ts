import * as ops from '../../../lib/ops';
import type { Tensor } from '../../../lib/tensor/tensor';
import { broadcastShape, build, NDArray, randomArray } from '../../helpers/ndarray';
import type { Case, Sample } from './case';

interface Options {
  readonly scale?: number;
  readonly isCausal?: boolean;
}

/** The weights and scores of all queries by loops; a query that sees nothing has NaN. */
function weightsOf(q: NDArray, k: NDArray, mask: NDArray | null, isBool: boolean, options: Options, batch: number[]) {
  const { scale = 0.7, isCausal = false } = options;
  const [queries, keys, width] = [q.shape.at(-2)!, k.shape.at(-2)!, q.shape.at(-1)!];
  const scores = build([...batch, queries, keys], (index) => {
    const [l, s] = index.slice(-2) as [number, number];
    let score = 0;
    for (let e = 0; e < width; e++) score += at(q, index, l, e) * at(k, index, s, e) * scale;
    const seen = mask === null ? 1 : mask.broadcastGet(index);
    if (isBool && seen === 0) score = -Infinity;
    else if (!isBool && mask !== null) score += seen;
    return isCausal && s > l ? -Infinity : score;
  });
  return build(
    [...batch, queries, keys],
    byRow((start) => {
      const row = Array.from({ length: keys }, (_, s) => scores.get([...start, s]));
      const most = Math.max(...row);
      const terms = row.map((score) => Math.exp(score - most));
      const total = terms.reduce((a, b) => a + b, 0);
      return terms.map((term) => term / total);
    }),
  );
}

/** For `build`, which goes row by row: each row is computed once, when it begins. */
function byRow(compute: (start: number[]) => readonly number[]): (index: readonly number[]) => number {
  let row: readonly number[] = [];
  return (index) => {
    if (index.at(-1) === 0) row = compute(index.slice(0, -1));
    return row[index.at(-1)!]!;
  };
}

/** Element (i, j) of the matrix that broadcasting puts at a place of a batch, whose index ends with two more. */
function at(x: NDArray, index: readonly number[], i: number, j: number): number {
  const outer = index.slice(0, -2);
  const batch = x.shape.slice(0, -2);
  const missing = outer.length - batch.length;
  return x.get([...batch.map((size, dim) => (size === 1 ? 0 : outer[dim + missing]!)), i, j]);
}

const batchOf = (...xs: NDArray[]): number[] => broadcastShape(...xs.map((x) => x.shape.slice(0, -2)));

function attentionOf(isBool: boolean, options: Options) {
  return (q: NDArray, k: NDArray, v: NDArray, mask: NDArray | null = null): NDArray => {
    const batch = batchOf(q, k, v);
    const weights = weightsOf(q, k, mask, isBool, options, batch);
    return build([...batch, q.shape.at(-2)!, v.shape.at(-1)!], (index) => {
      const [l, j] = index.slice(-2) as [number, number];
      let sum = 0;
      for (let s = 0; s < k.shape.at(-2)!; s++) sum += weights.get([...index.slice(0, -2), l, s]) * at(v, index, s, j);
      return sum;
    });
  };
}

/** The three gradients by the chain rule, element by element. */
function gradOf(isBool: boolean, options: Options) {
  return (g: NDArray, q: NDArray, k: NDArray, v: NDArray, mask: NDArray | null = null): NDArray => {
    const { scale = 0.7 } = options;
    const batch = batchOf(g, q, k, v);
    const weights = weightsOf(q, k, mask, isBool, options, batch);
    const [queries, keys] = [q.shape.at(-2)!, k.shape.at(-2)!];
    const [width, valueWidth] = [q.shape.at(-1)!, v.shape.at(-1)!];
    const sum = (length: number, term: (i: number) => number): number =>
      Array.from({ length }, (_, i) => term(i)).reduce((a, b) => a + b, 0);
    const ofWeights = build([...batch, queries, keys], (index) =>
      sum(valueWidth, (j) => at(g, index, index.at(-2)!, j) * at(v, index, index.at(-1)!, j)),
    );
    const ofScores = build(
      [...batch, queries, keys],
      byRow((start) => {
        const pairs = Array.from({ length: keys }, (_, s) => {
          const index = [...start, s];
          return [weights.get(index), ofWeights.get(index)] as const;
        });
        const mean = pairs.reduce((total, [weight, grad]) => total + weight * grad, 0);
        return pairs.map(([weight, grad]) => weight * (grad - mean));
      }),
    );
    const length = (queries + keys) * width + keys * valueWidth;
    return build([...batch, length], (index) => {
      const outer = index.slice(0, -1);
      const place = [...outer, 0, 0];
      let i = index.at(-1)!;
      if (i < queries * width) {
        const [l, e] = [Math.floor(i / width), i % width];
        return scale * sum(keys, (s) => ofScores.get([...outer, l, s]) * at(k, place, s, e));
      }
      i -= queries * width;
      if (i < keys * width) {
        const [s, e] = [Math.floor(i / width), i % width];
        return scale * sum(queries, (l) => ofScores.get([...outer, l, s]) * at(q, place, l, e));
      }
      i -= keys * width;
      const [s, j] = [Math.floor(i / valueWidth), i % valueWidth];
      return sum(queries, (l) => weights.get([...outer, l, s]) * at(g, place, l, j));
    });
  };
}

interface Shapes {
  readonly title: string;
  readonly q: number[];
  readonly k: number[];
  readonly v: number[];
  readonly mask?: NDArray;
  readonly isBool?: boolean;
  readonly options?: Options;
  readonly gradient?: boolean;
}

/** Ones and zeros; every row begins with a one, as a query that sees nothing is NaN. */
const seen = (shape: number[], seed: number): NDArray => {
  const numbers = randomArray(shape, seed, 0, 1);
  return build(shape, (index) => (index.at(-1) === 0 || numbers.get(index) > 0.5 ? 1 : 0));
};

const shapes: readonly Shapes[] = [
  { title: 'a matrix each', q: [3, 4], k: [5, 4], v: [5, 2] },
  { title: 'a batch', q: [2, 3, 2], k: [2, 4, 2], v: [2, 4, 3] },
  { title: 'causal', q: [2, 4, 2], k: [2, 4, 2], v: [2, 4, 2], options: { isCausal: true } },
  { title: 'causal, fewer keys', q: [5, 2], k: [3, 2], v: [3, 1], options: { isCausal: true } },
  { title: 'causal, more keys', q: [2, 2], k: [4, 2], v: [4, 2], options: { isCausal: true, scale: -1.5 } },
  { title: 'a bool mask', q: [2, 3, 2], k: [2, 4, 2], v: [2, 4, 2], mask: seen([3, 4], 80), isBool: true },
  { title: 'a mask for each', q: [2, 3, 2], k: [2, 4, 2], v: [2, 4, 2], mask: seen([2, 1, 4], 81), isBool: true },
  { title: 'numbers that are added', q: [2, 2, 2], k: [2, 3, 2], v: [2, 3, 2], mask: randomArray([2, 3], 82) },
  { title: 'a number for each query', q: [3, 2], k: [2, 2], v: [2, 2], mask: randomArray([3, 1], 83) },
  { title: 'batches that broadcast', q: [2, 1, 2, 2], k: [3, 3, 2], v: [1, 3, 2] },
  { title: 'one query, one key', q: [1, 1], k: [1, 1], v: [1, 1] },
  { title: 'no queries', q: [0, 2], k: [3, 2], v: [3, 2] },
  { title: 'no keys', q: [2, 2], k: [0, 2], v: [0, 3] },
  { title: 'no width', q: [2, 0], k: [3, 0], v: [3, 2] },
  { title: 'no width of values', q: [2, 2], k: [3, 2], v: [3, 0] },
  { title: 'no batch', q: [0, 2, 2], k: [0, 3, 2], v: [0, 3, 2] },
  { title: 'edges of tiles', q: [2, 59, 17], k: [2, 131, 17], v: [2, 131, 33], gradient: false },
  { title: 'tiles, causal', q: [70, 5], k: [140, 5], v: [140, 3], options: { isCausal: true }, gradient: false },
];

/**
 * In units of epsilon: a score's error is E + 3 times the sum of its magnitudes, which the exponential passes on to the
 * weights as a relative one; sums over S weights add S + 8 more, of numbers up to 2.
 */
const errorOf = ({ q, k }: Shapes): number => 8 * ((q.at(-1)! + 3) * 3 * q.at(-1)! + k.at(-2)! + 8);

const inputsOf = ({ q, k, v, mask }: Shapes): NDArray[] => [
  randomArray(q, 84),
  randomArray(k, 85),
  randomArray(v, 86),
  ...(mask ? [mask] : []),
];
const dtypesOf = (inputs: number, isBool: boolean): ('float' | 'bool')[] =>
  Array.from({ length: inputs }, (_, i) => (isBool && i === inputs - 1 ? 'bool' : 'float'));
const attrsOf = ({ scale = 0.7, isCausal = false }: Options = {}): ops.AttentionAttrs => ({ scale, isCausal });

const attentionSamples = shapes.map((each): Sample => {
  const { title, options = {}, isBool = false, gradient } = each;
  const inputs = inputsOf(each);
  return {
    title,
    inputs,
    dtypes: dtypesOf(inputs.length, isBool),
    run: (q, k, v, mask?: Tensor) => ops.attention(q, k, v, mask ?? null, attrsOf(options)),
    reference: (q, k, v, mask) => attentionOf(isBool, options)(q, k, v, mask),
    errors: (q, k, v) => build([...batchOf(q, k, v), q.shape.at(-2)!, v.shape.at(-1)!], () => errorOf(each)),
    gradient,
  };
});

const gradSamples = shapes.map((each): Sample => {
  const { title, q, v, options = {}, isBool = false, gradient } = each;
  const [first, ...others] = inputsOf(each);
  const batch = batchOf(first!, ...others.slice(0, 2));
  const inputs = [randomArray([...batch, q.at(-2)!, v.at(-1)!], 87), first!, ...others];
  return {
    title,
    inputs,
    dtypes: dtypesOf(inputs.length, isBool),
    run: (g, x, y, z, mask?: Tensor) => ops.attentionGrad(g, x, y, z, mask ?? null, attrsOf(options)),
    reference: (g, x, y, z, mask) => gradOf(isBool, options)(g, x, y, z, mask),
    // Sums over queries or keys of products with numbers up to 2, and with gradients of weights up to 8 Ev.
    errors: (g, x, y, z) =>
      build(
        [...batchOf(g, x, y, z), [x, y, z].reduce((length, { shape }) => length + shape.at(-2)! * shape.at(-1)!, 0)],
        () => errorOf(each) * (q.at(-2)! + 1) * (1 + 8 * v.at(-1)!),
      ),
    gradient,
  };
});

const nan = (title: string, q: number[], k: number[], v: number[], options: Options, expected: number[]): Sample => ({
  title,
  inputs: [new NDArray([2, 1], q), new NDArray([2, 1], k), new NDArray([2, 1], v)],
  run: (x, y, z) => ops.attention(x, y, z, null, attrsOf(options)),
  reference: () => new NDArray([2, 1], expected),
  errors: () => new NDArray([2, 1], [8, 8]),
  gradient: false,
});

/** A weight of 0 does not make 0 of everything, also where the kernel could leave out what is not seen. */
const infiniteButUnseen: Sample = {
  title: 'an infinite value that is not seen',
  inputs: [
    [1, 2],
    [1, 1],
    [1, 1],
    [3, Infinity],
  ].map((values) => new NDArray([2, 1], values)),
  run: (g, q, k, v) => ops.attentionGrad(g, q, k, v, null, attrsOf({ isCausal: true })),
  reference: gradOf(false, { isCausal: true }),
  errors: () => new NDArray([6], new Array<number>(6).fill(8)),
  gradient: false,
};

export const attentionCases: readonly Case[] = [
  {
    name: 'attention',
    samples: [
      ...attentionSamples,
      nan('an infinite score', [Infinity, 0], [1, 1], [3, 3], {}, [NaN, 3]),
      nan('a NaN in a query', [NaN, 0], [1, 1], [3, 3], {}, [NaN, 3]),
      nan('a NaN in a key', [1, 1], [1, NaN], [3, 3], {}, [NaN, NaN]),
      nan('a NaN in a key that is not seen', [1, 1], [1, NaN], [3, 3], { isCausal: true }, [3, NaN]),
      nan('a value of weight 0', [1, 1], [1, 1], [3, Infinity], { isCausal: true }, [NaN, Infinity]),
      nan('scores of -Infinity', [1, 1], [-Infinity, 1], [1, 3], {}, [3, 3]),
      nan('nothing but -Infinity', [1, 1], [-Infinity, -Infinity], [1, 3], {}, [NaN, NaN]),
      nan('large scores', [1e4, 1], [1, 0], [1, 3], { scale: 1 }, [1, (1 * Math.E + 3) / (Math.E + 1)]),
    ],
  },
  { name: 'attentionGrad', samples: [...gradSamples, infiniteButUnseen] },
];
