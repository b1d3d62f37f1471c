import { dtypeNames, type DType } from '../../../lib/tensor/dtype';
import { backends } from './backends';
import {
  dense,
  denseStrides,
  elements,
  KernelError,
  type Operand,
  permuted,
  runKernel,
  runStorages,
  sizeOf,
  sliced,
} from './builder';
import { expectEqual, Numbers } from './numbers';

const arithmetic = ['float32', 'float64', 'int32'] as const;

function some(dtype: DType, shape: readonly number[]): Operand {
  return new Numbers(sizeOf(shape) + 1).integers(dtype, shape, dtype === 'bool' ? 0 : -9, dtype === 'bool' ? 1 : 9);
}

/** Calls `visit` with the place of every element of an index tensor and the place in x that it means. */
function eachIndexed(
  x: readonly number[],
  index: Operand,
  dim: number,
  visit: (at: number, place: number) => void,
): void {
  const [strides, indexStrides] = [denseStrides(x), denseStrides(index.shape)];
  elements(index).forEach((value, at) => {
    const place = index.shape.reduce((sum, size, d) => {
      const coordinate = d === dim ? value : Math.floor(at / indexStrides[d]!) % size;
      return sum + coordinate * strides[d]!;
    }, 0);
    visit(at, place);
  });
}

const indexCases: [x: number[], index: number[], dim: number][] = [
  [[7], [12], 0],
  [[5, 6], [5, 1], 1],
  [[5, 6], [4, 6], 0],
  [[3, 4, 5], [3, 9, 2], 1],
  [[3, 4, 70], [2, 4, 70], 0],
  [[3, 4, 5], [3, 0, 5], 1],
];

describe.each(backends)('indexing on %s', (_name, backend) => {
  it.each(dtypeNames)('gathers %s', (dtype) => {
    for (const [shape, indexShape, dim] of indexCases) {
      const x = some(dtype, shape);
      const index = new Numbers(2).integers('int32', indexShape, 0, shape[dim]! - 1);
      const xs = elements(x);
      const expected: number[] = [];
      eachIndexed(shape, index, dim, (at, place) => (expected[at] = xs[place]!));
      const outputs = [{ dtype, shape: indexShape }];
      expectEqual(
        runKernel(backend, { kernel: 'gather', inputs: [x, index], outputs, attributes: [dim] })[0]!,
        expected,
      );
    }
  });

  it.each(arithmetic)('adds %s at indices', (dtype) => {
    for (const [shape, indexShape, dim] of indexCases) {
      const x = some(dtype, shape);
      const index = new Numbers(3).integers('int32', indexShape, 0, shape[dim]! - 1);
      const source = some(dtype, indexShape);
      const expected = elements(x);
      const added = elements(source);
      eachIndexed(shape, index, dim, (at, place) => (expected[place]! += added[at]!));
      const outputs = [{ dtype, shape }];
      const call = { kernel: 'scatterAdd' as const, inputs: [x, index, source], outputs, attributes: [dim] };
      expectEqual(runKernel(backend, call)[0]!, expected);
    }
  });

  it('adds in the order of the indices', () => {
    // In float32, (1 + 2^24) - 2^24 is 0 and (2^24 - 2^24) + 1 is 1.
    const x = dense('float32', [2], [0]);
    const index = dense('int32', [6], [0, 0, 0, 1, 1, 1]);
    const source = dense('float32', [6], [1, 2 ** 24, -(2 ** 24), 2 ** 24, -(2 ** 24), 1]);
    const outputs = [{ dtype: 'float32' as const, shape: [2] }];
    const call = { kernel: 'scatterAdd' as const, inputs: [x, index, source], outputs, attributes: [0] };
    expectEqual(runKernel(backend, call)[0]!, [0, 1]);
    const g = { ...source, shape: [6, 1], strides: [1, 1] };
    const table = [{ dtype: 'float32' as const, shape: [2, 1] }];
    expectEqual(runKernel(backend, { kernel: 'embeddingGrad', inputs: [g, index], outputs: table })[0]!, [0, 1]);
  });

  it.each(dtypeNames)('looks up rows of %s', (dtype) => {
    for (const width of [0, 1, 5, 100])
      for (const shape of [[], [9], [2, 3]]) {
        const weight = some(dtype, [11, width]);
        const index = new Numbers(4).integers('int32', shape, 0, 10);
        const ws = elements(weight);
        const expected = elements(index).flatMap((row) => ws.slice(row * width, (row + 1) * width));
        const outputs = [{ dtype, shape: [...shape, width] }];
        expectEqual(runKernel(backend, { kernel: 'embedding', inputs: [weight, index], outputs })[0]!, expected);
      }
  });

  it.each(['float32', 'float64'] as const)('adds gradients of %s to rows', (dtype) => {
    for (const [count, width] of [
      [0, 3],
      [40, 1],
      [30, 17],
      [5, 0],
    ] as const) {
      const g = some(dtype, [count, width]);
      const index = new Numbers(5).integers('int32', [count], 0, 6);
      const gs = elements(g);
      const expected = new Array<number>(7 * width).fill(0);
      elements(index).forEach((row, i) => {
        for (let column = 0; column < width; column++) expected[row * width + column]! += gs[i * width + column]!;
      });
      const outputs = [{ dtype, shape: [7, width] }];
      expectEqual(runKernel(backend, { kernel: 'embeddingGrad', inputs: [g, index], outputs })[0]!, expected);
    }
  });

  it.each([
    [-1, 0],
    [10, 3],
    [2147483647, 5],
    [-2147483648, 11],
  ])('refuses index %i at position %i', (bad, position) => {
    const index = dense(
      'int32',
      [12],
      Array.from({ length: 12 }, (_, i) => (i === position ? bad : i % 10)),
    );
    const float = (shape: readonly number[]) => ({ dtype: 'float32' as const, shape });
    const [x, table] = [dense('float32', [10], [1]), dense('float32', [10, 3], [1])];
    const source = dense('float32', [12], [1]);
    const g = dense('float32', [12, 3], [1]);
    for (const call of [
      { kernel: 'gather' as const, inputs: [x, index], outputs: [float([12])], attributes: [0] },
      { kernel: 'scatterAdd' as const, inputs: [x, index, source], outputs: [float([10])], attributes: [0] },
      { kernel: 'embedding' as const, inputs: [table, index], outputs: [float([12, 3])] },
      { kernel: 'embeddingGrad' as const, inputs: [g, index], outputs: [float([10, 3])] },
    ]) {
      let thrown: unknown;
      try {
        runKernel(backend, call);
      } catch (error) {
        thrown = error;
      }
      const failure = thrown instanceof KernelError ? thrown.failure : null;
      expect(failure).toMatchObject({ kind: 'value', instruction: 0, cause: -1 });
      expect(failure!.message).toBe(`index ${bad} at position ${position} is out of range [0, 10)`);
    }
  });

  it.each(dtypeNames)('concatenates %s', (dtype) => {
    const a = some(dtype, [3, 4, 5]);
    const b = permuted(some(dtype, [5, 6, 3]), [2, 1, 0]);
    const c = sliced(some(dtype, [3, 9, 5]), 1, 1, 4);
    const empty = dense(dtype, [3, 0, 5], [0]);
    const parts = [a, b, empty, c];
    const expected: number[] = [];
    for (let i = 0; i < 3; i++)
      for (const part of parts) {
        const size = part.shape[1]! * 5;
        expected.push(...elements(part).slice(i * size, (i + 1) * size));
      }
    const outputs = [{ dtype, shape: [3, 12, 5] }];
    expectEqual(runKernel(backend, { kernel: 'concat', inputs: parts, outputs, attributes: [1] })[0]!, expected);
    const wide = [some(dtype, [2, 100]), some(dtype, [3, 100])];
    const stacked = [{ dtype, shape: [5, 100] }];
    const actual = runKernel(backend, { kernel: 'concat', inputs: wide, outputs: stacked, attributes: [0] })[0]!;
    expectEqual(actual, wide.flatMap(elements));
  });

  it.each(dtypeNames)('pads %s', (dtype) => {
    const value = dtype === 'bool' ? 1 : -7;
    const x = permuted(some(dtype, [4, 3]), [1, 0]);
    const [starts, steps, shape] = [
      [1, 2],
      [2, 3],
      [8, 13],
    ];
    const expected = new Array<number>(8 * 13).fill(value);
    elements(x).forEach((element, i) => (expected[(1 + Math.floor(i / 4) * 2) * 13 + 2 + (i % 4) * 3] = element));
    const attributes = [value, ...starts, ...steps];
    const outputs = [{ dtype, shape }];
    expectEqual(runKernel(backend, { kernel: 'pad', inputs: [x], outputs, attributes })[0]!, expected);
    const empty = dense(dtype, [0, 3], [0]);
    const filled = runKernel(backend, {
      kernel: 'pad',
      inputs: [empty],
      outputs: [{ dtype, shape: [2, 3] }],
      attributes: [value, 0, 0, 1, 1],
    })[0]!;
    expectEqual(filled, new Array<number>(6).fill(value));
    const scalar = { kernel: 'pad' as const, inputs: [dense(dtype, [], [1])], outputs: [{ dtype, shape: [] }] };
    expectEqual(runKernel(backend, { ...scalar, attributes: [value] })[0]!, [1]);
  });

  it('keeps every bit of int64', () => {
    const values = [2n ** 63n - 1n, -(2n ** 63n), 2n ** 53n + 1n, 0x7ff8000000000001n];
    const x = dense('int64', [4], values);
    const index = dense('int32', [4], [3, 2, 1, 0]);
    const outputs = [{ dtype: 'int64' as const, shape: [4] }];
    const [gathered] = runStorages(backend, { kernel: 'gather', inputs: [x, index], outputs, attributes: [0] });
    expect([...(gathered!.data as BigInt64Array)]).toEqual([...values].reverse());
    const [padded] = runStorages(backend, { kernel: 'pad', inputs: [x], outputs, attributes: [0, 0, 1] });
    expect([...(padded!.data as BigInt64Array)]).toEqual(values);
  });
});
