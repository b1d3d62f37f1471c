import '../../lib/autodiff';
import * as ops from '../../lib/ops';
import type { NestedArray } from '../../lib/ops';
import type { DType } from '../../lib/tensor/dtype';
import { onEachBackend } from '../helpers/backends';

describe('tensor', () => {
  test.each<[NestedArray, DType, number[], (number | bigint)[]]>([
    [3, 'float32', [], [3]],
    [[1, 2], 'float32', [2], [1, 2]],
    [[[1], [2]], 'float32', [2, 1], [1, 2]],
    [[], 'float32', [0], []],
    [[[], []], 'float32', [2, 0], []],
    [true, 'bool', [], [1]],
    [[true, false], 'bool', [2], [1, 0]],
    [[1n, -2n], 'int64', [2], [1n, -2n]],
    [new Float32Array([0.5]), 'float32', [1], [0.5]],
    [new Float64Array([0.1]), 'float64', [1], [0.1]],
    [new Int32Array([7]), 'int32', [1], [7]],
    [new Uint8Array([255]), 'int32', [1], [255]],
    [new BigInt64Array([5n]), 'int64', [1], [5n]],
  ])('%p is %s', (data, dtype, shape, values) => {
    const x = ops.tensor(data);
    expect([x.dtype, x.shape, Array.from(x.dataSync() as Float32Array)]).toEqual([dtype, shape, values]);
  });

  test.each<[NestedArray, DType, (number | bigint)[]]>([
    [[1, 0, -3], 'int32', [1, 0, -3]],
    [[1, 0, NaN], 'bool', [1, 0, 1]],
    [[1, 2], 'int64', [1n, 2n]],
    [[0.1], 'float64', [0.1]],
    [new Float64Array([1.5, 1e39]), 'float32', [1.5, Infinity]],
    [new Int32Array([3]), 'int64', [3n]],
    [[1n], 'float32', [1]],
  ])('%p as %s', (data, dtype, values) => {
    const x = ops.tensor(data, { dtype });
    expect([x.dtype, Array.from(x.dataSync() as Float32Array)]).toEqual([dtype, values]);
  });

  test('copies what it is given', () => {
    const data = Float32Array.of(1, 2);
    const x = ops.tensor(data);
    data[0] = 9;
    expect(x.dataSync()).toEqual(Float32Array.of(1, 2));
  });

  test('takes a shape', () => {
    expect(ops.tensor([1, 2, 3, 4, 5, 6], { shape: [3, 2] }).shape).toEqual([3, 2]);
  });
});

onEachBackend('filled tensors', () => {
  test('full, zeros, ones and what is like another', () => {
    const values = (x: ReturnType<typeof ops.full>) => [x.dtype, x.shape, Array.from(x.dataSync() as Float32Array)];
    expect(values(ops.full([2], 7))).toEqual(['float32', [2], [7, 7]]);
    expect(values(ops.full([2], true))).toEqual(['bool', [2], [1, 1]]);
    expect(values(ops.full([], 2, { dtype: 'int64' }))).toEqual(['int64', [], [2n]]);
    expect(values(ops.full([1, 2], NaN))).toEqual(['float32', [1, 2], [NaN, NaN]]);
    expect(values(ops.zeros([0, 2]))).toEqual(['float32', [0, 2], []]);
    expect(values(ops.ones([2], { dtype: 'int32' }))).toEqual(['int32', [2], [1, 1]]);
    const x = ops.tensor(new Float64Array([1, 2]));
    expect(values(ops.zerosLike(x))).toEqual(['float64', [2], [0, 0]]);
    expect(values(ops.onesLike(x, { dtype: 'bool' }))).toEqual(['bool', [2], [1, 1]]);
    expect(values(ops.full([2], 3, { requiresGrad: true }))).toEqual(['float32', [2], [3, 3]]);
  });

  test('arange, linspace and eye', () => {
    const values = (x: ReturnType<typeof ops.full>) => [x.dtype, Array.from(x.dataSync() as Float32Array)];
    expect(values(ops.arange(3))).toEqual(['int32', [0, 1, 2]]);
    expect(values(ops.arange(1, 2, { step: 0.5 }))).toEqual(['float32', [1, 1.5]]);
    expect(values(ops.arange(3, 0, { step: -2 }))).toEqual(['int32', [3, 1]]);
    expect(values(ops.arange(3, 1))).toEqual(['int32', []]);
    expect(values(ops.arange(2, { dtype: 'float64' }))).toEqual(['float64', [0, 1]]);
    expect(values(ops.linspace(0, 1, 5))).toEqual(['float32', [0, 0.25, 0.5, 0.75, 1]]);
    expect(values(ops.linspace(2, 5, 1))).toEqual(['float32', [2]]);
    expect(values(ops.linspace(2, 5, 0))).toEqual(['float32', []]);
    const last = ops.linspace(0.1, 0.7, 4, { dtype: 'float64' }).dataSync();
    expect([last[0], last[3]]).toEqual([0.1, 0.7]);
    expect(values(ops.eye(2, { columns: 3 }))).toEqual(['float32', [1, 0, 0, 0, 1, 0]]);
  });

  test('a leaf that requires a gradient gets it, random ones too', () => {
    const leaves = [
      ops.tensor([1, 2], { requiresGrad: true }),
      ops.ones([2], { requiresGrad: true }),
      ops.randn([2], { requiresGrad: true }),
      ops.uniform([2], 1, 2, { requiresGrad: true }),
    ];
    for (const leaf of leaves) {
      ops.sum(ops.mul(leaf, 3)).backward();
      expect(leaf.grad!.dataSync()).toEqual(Float32Array.of(3, 3));
    }
  });
});
