import { full, manualSeed, nn, randn, tensor, zeros } from '../../lib';
import { DTypeError, ShapeError, ValueError } from '../../lib/errors';
import * as F from '../../lib/nn/functional';
import type { TensorBase } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';
import { testRecorded } from './recorded-layers';

testRecorded('pool');

const numbers = (x: TensorBase): number[] => [...x.capture().dataSync()].map(Number);

onEachBackend('pool layers', () => {
  beforeEach(() => void manualSeed(1));

  test('unpooling puts back what pooling took', () => {
    const x = tensor([[1, 7, 3, 4, 9]]);
    const [values, indices] = new nn.MaxPool1d(2).forwardWithIndices(x);
    expect(numbers(values)).toEqual([7, 4]);
    expect(numbers(indices)).toEqual([1, 3]);
    expect(numbers(new nn.MaxUnpool1d(2).forward(values, indices))).toEqual([0, 7, 0, 4]);
    expect(numbers(new nn.MaxUnpool1d(2).forward(values, indices, { outputSize: [5] }))).toEqual([0, 7, 0, 4, 0]);
  });

  test('a place that overlapping windows name twice keeps its number', () => {
    const [values, indices] = F.maxPool1dWithIndices(tensor([[1, 7, 3]]), 2, { stride: 1 });
    expect(numbers(indices)).toEqual([1, 1]);
    expect(numbers(F.maxUnpool1d(values, indices, 2, { stride: 1 }))).toEqual([0, 7, 0]);
  });

  test('ties go to the first, NaN wins, and padding never does', () => {
    const [values, indices] = F.maxPool3dWithIndices(full([1, 2, 2, 2], -5), 2, { padding: 1, stride: 2 });
    expect(new Set(numbers(values))).toEqual(new Set([-5]));
    expect(numbers(indices)).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(numbers(F.maxPool3dWithIndices(full([1, 2, 2, 2], 1), 2)[1])).toEqual([0]);
    expect(numbers(F.maxPool1d(tensor([[1, NaN, 2]]), 3))).toEqual([NaN]);
    expect(numbers(F.adaptiveMaxPool1d(tensor([[-Infinity, -Infinity, 1]]), 2))).toEqual([-Infinity, 1]);
  });

  test('fractional pooling draws its windows anew, and gives values and indices of the same', () => {
    const x = randn([2, 3, 9, 11]);
    const layer = new nn.FractionalMaxPool2d(2, { outputRatio: 0.6 });
    const [values, indices] = layer.forwardWithIndices(x);
    expect(values.shape).toEqual([2, 3, 5, 6]);
    const pixels = numbers(x);
    numbers(indices).forEach((index, i) => expect(pixels[Math.floor(i / 30) * 99 + index]).toBe(numbers(values)[i]));
    const drawn = Array.from({ length: 4 }, () => numbers(layer.forward(x)).join());
    expect(new Set(drawn).size).toBeGreaterThan(1);
  });

  test('says what it is', () => {
    expect(new nn.MaxPool3d(2, { ceilMode: true }).toString()).toBe(
      'MaxPool3d(kernelSize=[2, 2, 2], stride=[2, 2, 2], padding=[0, 0, 0], dilation=[1, 1, 1], ceilMode=true)',
    );
    expect(new nn.AdaptiveMaxPool2d([3, null]).toString()).toBe('AdaptiveMaxPool2d(outputSize=[3, null])');
  });

  test.each([
    ['images for a 1d pool', /maxPool1d: takes \[N, C, L\]/, () => F.maxPool1d(zeros([1, 2, 3, 4]), 2)],
    ['a window that does not fit', /avgPool3d: a window of 3/, () => F.avgPool3d(zeros([1, 2, 3, 4]), 3)],
    ['an empty input', /adaptiveMaxPool1d: nothing/, () => F.adaptiveMaxPool1d(zeros([1, 2, 0]), 3)],
    [
      'too large an output',
      /fractionalMaxPool2d.*need more/,
      () => F.fractionalMaxPool2d(zeros([1, 1, 4, 4]), 2, { outputSize: 4 }),
    ],
    [
      'samples of another shape',
      /randomSamples is \[1, 2, 2\]/,
      () => F.fractionalMaxPool2d(zeros([2, 4, 4]), 2, { outputSize: 2, randomSamples: zeros([2]) }),
    ],
    [
      'an outputSize that no pool had',
      /maxUnpool1d: outputSize.*\[4\].*\[6\]/,
      () => F.maxUnpool1d(zeros([1, 2]), zeros([1, 2], { dtype: 'int32' }), 2, { outputSize: [6] }),
    ],
  ])('refuses %s', (_what, message, act) => {
    expect(act).toThrow(ShapeError);
    expect(act).toThrow(message);
  });

  test.each([
    ['padding above half of the window', () => F.maxPool1d(zeros([1, 2, 9]), 3, { padding: 2 })],
    ['a divisor of 0', () => new nn.AvgPool2d(2, { divisorOverride: 0 })],
    ['a norm of 0', () => new nn.LPPool1d(0, 2)],
    ['both sizes and ratios', () => new nn.FractionalMaxPool3d(2, { outputSize: 2, outputRatio: 0.5 })],
    ['a ratio of 1', () => F.fractionalMaxPool2d(zeros([1, 4, 4]), 2, { outputRatio: 1 })],
    ['an outputSize of 0', () => new nn.AdaptiveAvgPool3d([1, 0, null])],
  ])('refuses %s', (_what, act) => expect(act).toThrow(ValueError));

  test('refuses indices that are no integers, and finds those outside', () => {
    expect(() => F.maxUnpool1d(zeros([1, 2]), zeros([1, 2]), 2)).toThrow(DTypeError);
    const outside = F.maxUnpool1d(zeros([1, 1]), tensor(Int32Array.of(2), { shape: [1, 1] }), 2);
    expect(() => outside.dataSync()).toThrow(/2/);
  });
});
