import { inspect } from 'node:util';
import * as ops from '../../lib/ops';
import { formatTensor } from '../../lib/tensor/print';
import { Variable } from '../../lib/tensor/tensor';

describe('printing', () => {
  test.each([
    ['a scalar', ops.tensor(1.5), 'tensor(1.5000)'],
    ['whole numbers', ops.tensor([1, -20, 3]), 'tensor([  1., -20.,   3.])'],
    ['fractions', ops.tensor([0.5, -0.25]), 'tensor([ 0.5000, -0.2500])'],
    ['numbers of different sizes', ops.tensor([1e-5, 1]), 'tensor([1.0000e-05, 1.0000e+00])'],
    ['NaN and infinities', ops.tensor([NaN, Infinity, -Infinity, 1]), 'tensor([ nan,  inf, -inf,   1.])'],
    ['integers', ops.tensor(Int32Array.of(7, 100)), 'tensor([  7, 100], dtype=int32)'],
    ['bools', ops.tensor([true, false]), 'tensor([ true, false], dtype=bool)'],
    ['int64', ops.tensor([2n ** 60n]), 'tensor([1152921504606846976], dtype=int64)'],
    ['float64', ops.tensor(Float64Array.of(1)), 'tensor([1.], dtype=float64)'],
    ['a gradient', ops.tensor([1], { requiresGrad: true }), 'tensor([1.], requiresGrad=true)'],
    ['nothing', ops.tensor([]), 'tensor([])'],
    ['nothing of some shape', ops.tensor([[], []]), 'tensor([], shape=[2, 0])'],
    ['a number', ops.full([], 2), 'tensor(2.)'],
  ])('%s', (_name, tensor, expected) => {
    expect(String(tensor)).toBe(expected);
  });

  test('matrices and beyond', () => {
    expect(
      String(
        ops.tensor([
          [1, 2],
          [3, 4],
        ]),
      ),
    ).toBe('tensor([[1., 2.],\n        [3., 4.]])');
    expect(String(ops.tensor([[[1]], [[2]]]))).toBe('tensor([[[1.]],\n\n        [[2.]]])');
  });

  test('long rows wrap', () => {
    const lines = String(ops.tensor(new Float32Array(60))).split('\n');
    expect(lines.length).toBeGreaterThan(1);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(81);
  });

  test('more than 1,000 elements are summarised', () => {
    expect(String(ops.arange(1001))).toBe('tensor([   0,    1,    2, ...,  998,  999, 1000], dtype=int32)');
    const matrix = String(ops.tensor(new Float32Array(100 * 100), { shape: [100, 100] }));
    expect(matrix.split('\n')).toHaveLength(7);
    expect(matrix).toContain('[0., 0., 0., ..., 0., 0., 0.],\n        ...,\n');
  });

  test('what is pending is not computed', () => {
    const pending = ops.add(ops.tensor([1, 2]), 1);
    expect(String(pending)).toBe('tensor(<pending>, shape=[2])');
    expect(pending.storage).toBeNull();
    expect(inspect(pending)).toBe(String(pending));
  });

  test('printing a variable is not seeing its version', () => {
    const variable = new Variable(ops.tensor([1, 2]), { requiresGrad: true });
    variable.replace(ops.tensor([3, 4]));
    const { captured } = variable.current;
    expect(String(variable)).toBe('tensor([3., 4.], requiresGrad=true)');
    expect(variable.current.captured).toBe(captured);
  });

  test('all numbers of a dtype can be formatted', () => {
    const print = (values: number[]): string =>
      formatTensor({ shape: [values.length], dtype: 'float32', requiresGrad: false, data: Float32Array.from(values) });
    expect(print([1e30, 0])).toBe('tensor([1.0000e+30, 0.0000e+00])');
    expect(print([NaN])).toBe('tensor([nan])');
    expect(print([-0])).toBe('tensor([-0.])');
  });
});
