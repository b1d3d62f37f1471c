import * as ops from '../../../lib/ops';
import type { Tensor } from '../../../lib/tensor/tensor';
import { build, NDArray, randomArray } from '../../helpers/ndarray';
import type { Case, Sample } from './case';

/** Nothing is computed, so the numbers must be exact. */
function moving(
  title: string,
  shapes: readonly (readonly number[])[],
  run: (...inputs: Tensor[]) => Tensor,
  reference: (...inputs: NDArray[]) => NDArray,
): Sample {
  return { title, inputs: shapes.map((shape, i) => randomArray(shape, 20 + i)), run, reference, ulps: 0 };
}

const same = (shape: readonly number[]) => (x: NDArray) => new NDArray(shape, x.data);

const identities: Case[] = [
  { name: 'alias', samples: [moving('a matrix', [[2, 3]], ops.alias, (x) => x)] },
  {
    name: 'barrier',
    samples: [
      moving(
        'behind another matrix',
        [
          [2, 3],
          [4, 1],
        ],
        (x, other) => ops.barrier(x, [other]),
        (x) => x,
      ),
      moving(
        'of a transpose, behind a result',
        [[2, 3]],
        (x) => ops.barrier(ops.transpose(x, 0, 1), [ops.exp(x)]),
        (x) => build([3, 2], ([i, j]) => x.get([j!, i!])),
      ),
      moving(
        'nothing, behind nothing',
        [[0, 3]],
        (x) => ops.barrier(x, []),
        (x) => x,
      ),
    ],
  },
  { name: 'detach', samples: [{ ...moving('a matrix', [[2, 3]], ops.detach, (x) => x), gradient: false }] },
  {
    name: 'checkRange',
    samples: [
      moving(
        'within',
        [[2, 3]],
        (x) => ops.checkRange(x, -10, 10),
        (x) => x,
      ),
      moving(
        'of a transpose',
        [[2, 3]],
        (x) => ops.checkRange(ops.transpose(x, 0, 1), -Infinity, 10),
        (x) => build([3, 2], ([i, j]) => x.get([j!, i!])),
      ),
      moving(
        'nothing',
        [[0, 3]],
        (x) => ops.checkRange(x, 0, 0),
        (x) => x,
      ),
      moving(
        'a scalar',
        [[]],
        (x) => ops.checkRange(x, -10, 10),
        (x) => x,
      ),
      moving(
        'many',
        [[70, 1000]],
        (x) => ops.checkRange(x, -10, 10),
        (x) => x,
      ),
    ].map((sample) => ({ ...sample, gradient: sample.title !== 'many' })),
  },
];

const reshape: Case = {
  name: 'reshape',
  samples: [
    moving('split and joined', [[4, 6]], (x) => ops.reshape(x, [2, 2, 3, 2]), same([2, 2, 3, 2])),
    moving('one size inferred', [[4, 6]], (x) => ops.reshape(x, [3, -1]), same([3, 8])),
    moving('ones come and go', [[1, 4, 1]], (x) => ops.reshape(x, [2, 1, 2]), same([2, 1, 2])),
    moving('to a scalar', [[1, 1]], (x) => ops.reshape(x, []), same([])),
    moving('nothing', [[0, 3]], (x) => ops.reshape(x, [2, 0, 5]), same([2, 0, 5])),
    moving(
      'of a transpose, which strides cannot say',
      [[2, 3]],
      (x) => ops.reshape(ops.transpose(x, 0, 1), [6]),
      (x) => build([6], ([i]) => x.get([i! % 2, Math.floor(i! / 2)])),
    ),
    moving('flatten', [[2, 3, 2]], (x) => ops.flatten(x, { startDim: 1 }), same([2, 6])),
    moving('squeeze', [[2, 1, 3, 1]], (x) => ops.squeeze(x), same([2, 3])),
    moving('squeeze one', [[2, 1, 3, 1]], (x) => ops.squeeze(x, { dim: -1 }), same([2, 1, 3])),
    moving('unsqueeze', [[2, 3]], (x) => ops.unsqueeze(x, 1), same([2, 1, 3])),
  ],
};

function permuted(x: NDArray, dims: readonly number[]): NDArray {
  return build(
    dims.map((dim) => x.shape[dim]!),
    (index) => {
      const source = new Array<number>(dims.length);
      dims.forEach((dim, i) => (source[dim] = index[i]!));
      return x.get(source);
    },
  );
}

const permute: Case = {
  name: 'permute',
  samples: [
    moving(
      'three dims',
      [[2, 3, 4]],
      (x) => ops.permute(x, [2, 0, -2]),
      (x) => permuted(x, [2, 0, 1]),
    ),
    moving(
      'nothing',
      [[2, 0]],
      (x) => ops.permute(x, [1, 0]),
      (x) => permuted(x, [1, 0]),
    ),
    moving(
      'transpose',
      [[2, 3, 4]],
      (x) => ops.transpose(x, 0, -1),
      (x) => permuted(x, [2, 1, 0]),
    ),
    moving(
      't',
      [[2, 3]],
      (x) => ops.t(x),
      (x) => permuted(x, [1, 0]),
    ),
    moving(
      'movedim',
      [[2, 3, 4]],
      (x) => ops.movedim(x, 0, 2),
      (x) => permuted(x, [1, 2, 0]),
    ),
  ],
};

const expand: Case = {
  name: 'expand',
  samples: [
    moving(
      'a column',
      [[3, 1]],
      (x) => ops.expand(x, [2, -1, 4]),
      (x) => build([2, 3, 4], (i) => x.broadcastGet(i)),
    ),
    moving(
      'a scalar',
      [[]],
      (x) => ops.expand(x, [2, 2]),
      (x) => build([2, 2], (i) => x.broadcastGet(i)),
    ),
    moving(
      'to nothing',
      [[1, 3]],
      (x) => ops.expand(x, [0, 3]),
      () => new NDArray([0, 3], []),
    ),
  ],
};

/** Python's x[start:end:step] for indices that need no clipping. */
function sliced(x: NDArray, starts: readonly number[], steps: readonly number[], shape: readonly number[]): NDArray {
  return build(shape, (index) => x.get(index.map((i, dim) => starts[dim]! + i * steps[dim]!)));
}

const slice: Case = {
  name: 'slice',
  samples: [
    moving(
      'with steps',
      [[5, 7]],
      (x) =>
        ops.slice(x, [
          [1, 4],
          [-6, null, 2],
        ]),
      (x) => sliced(x, [1, 1], [1, 2], [3, 3]),
    ),
    moving(
      'clipped',
      [[5]],
      (x) => ops.slice(x, [[-100, 100, 3]]),
      (x) => sliced(x, [0], [3], [2]),
    ),
    moving(
      'a step beyond the end',
      [[5]],
      (x) => ops.slice(x, [[1, null, 2 ** 40]]),
      (x) => sliced(x, [1], [1], [1]),
    ),
    moving(
      'nothing',
      [[5, 2]],
      (x) => ops.slice(x, [[4, 2]]),
      () => new NDArray([0, 2], []),
    ),
    moving(
      'of a slice',
      [[9]],
      (x) => ops.slice(ops.slice(x, [[1, 9, 2]]), [[1, 4, 2]]),
      (x) => sliced(x, [3], [4], [2]),
    ),
    moving(
      'narrow',
      [[4, 3]],
      (x) => ops.narrow(x, 0, 1, 2),
      (x) => sliced(x, [1, 0], [1, 1], [2, 3]),
    ),
    moving(
      'select',
      [[4, 3]],
      (x) => ops.select(x, 1, -1),
      (x) => build([4], ([i]) => x.get([i!, 2])),
    ),
    moving(
      'split',
      [[5, 2]],
      (x) => ops.split(x, [2, 3])[1]!,
      (x) => sliced(x, [2, 0], [1, 1], [3, 2]),
    ),
    moving(
      'chunk',
      [[5]],
      (x) => ops.chunk(x, 3)[2]!,
      (x) => sliced(x, [4], [1], [1]),
    ),
    moving(
      'unstack',
      [[2, 3]],
      (x) => ops.unstack(x, { dim: 1 })[1]!,
      (x) => build([2], ([i]) => x.get([i!, 1])),
    ),
  ],
};

function padded(x: NDArray, before: readonly number[], shape: readonly number[], value: number): NDArray {
  return build(shape, (index) => {
    const source = index.map((i, dim) => i - before[dim]!);
    return source.every((i, dim) => i >= 0 && i < x.shape[dim]!) ? x.get(source) : value;
  });
}

const pad: Case = {
  name: 'pad',
  samples: [
    moving(
      'two dims',
      [[2, 3]],
      (x) => ops.pad(x, [1, 0, 0, 2]),
      (x) => padded(x, [0, 1], [4, 4], 0),
    ),
    moving(
      'another value',
      [[3]],
      (x) => ops.pad(x, [2, 1], { value: -Infinity }),
      (x) => padded(x, [2], [6], -Infinity),
    ),
    moving(
      'nothing',
      [[0]],
      (x) => ops.pad(x, [1, 1], { value: 7 }),
      () => new NDArray([2], [7, 7]),
    ),
  ].map((sample) => ({ ...sample, gradient: sample.title !== 'another value' })),
};

function joined(arrays: readonly NDArray[], dim: number): NDArray {
  const total = arrays.reduce((sum, { shape }) => sum + shape[dim]!, 0);
  return build(arrays[0]!.shape.with(dim, total), (index) => {
    let position = index[dim]!;
    for (const array of arrays) {
      if (position < array.shape[dim]!) return array.get(index.with(dim, position));
      position -= array.shape[dim]!;
    }
    throw new Error('beyond the end');
  });
}

const concat: Case = {
  name: 'concat',
  samples: [
    moving(
      'rows',
      [
        [2, 3],
        [1, 3],
        [0, 3],
      ],
      (...xs) => ops.concat(xs),
      (...xs) => joined(xs, 0),
    ),
    moving(
      'columns',
      [
        [2, 3],
        [2, 1],
      ],
      (...xs) => ops.concat(xs, { dim: -1 }),
      (...xs) => joined(xs, 1),
    ),
    moving(
      'the same twice',
      [[2, 2]],
      (x) => ops.concat([x, x]),
      (x) => joined([x, x], 0),
    ),
    moving(
      'stack',
      [
        [2, 3],
        [2, 3],
      ],
      (...xs) => ops.stack(xs, { dim: 1 }),
      (a, b) => build([2, 2, 3], ([i, j, k]) => (j === 0 ? a : b).get([i!, k!])),
    ),
  ],
};

export const shapeCases: readonly Case[] = [...identities, reshape, permute, expand, slice, pad, concat];
