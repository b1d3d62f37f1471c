import { Generator, manualSeed, nn, ones, randn, zeros } from '../../lib';
import { ShapeError, ValueError } from '../../lib/errors';
import * as F from '../../lib/nn/functional';
import type { Shape } from '../../lib/tensor/shape';
import type { TensorBase } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';

const numbers = (x: TensorBase): number[] => [...x.capture().dataSync()].map(Number);

/** The numbers in rows of so many. */
const rows = (values: readonly number[], length: number): number[][] =>
  Array.from({ length: values.length / length }, (_, i) => values.slice(i * length, (i + 1) * length));

onEachBackend('dropout', () => {
  beforeEach(() => void manualSeed(1));

  test.each([
    [new nn.Dropout1d({ p: 0.2 }), [20, 50, 3], 3],
    [new nn.Dropout1d({ p: 0.2 }), [1000, 3], 3],
    [new nn.Dropout2d({ p: 0.2 }), [20, 50, 2, 3], 6],
    [new nn.Dropout2d({ p: 0.2 }), [20, 50, 4], 4],
    [new nn.Dropout3d({ p: 0.2 }), [20, 50, 1, 2, 2], 4],
    [new nn.Dropout3d({ p: 0.2 }), [1000, 2, 1, 2], 4],
  ] as [nn.Layer, Shape, number][])('%s drops whole channels of %j', (layer, shape, length) => {
    const channels = rows(numbers(layer.forward(ones(shape))), length);
    for (const channel of channels) expect(new Set(channel).size).toBe(1);
    expect(new Set(channels.flat())).toEqual(new Set([0, 1.25]));
    const dropped = channels.filter(([first]) => first === 0).length;
    // Five standard deviations of a binomial.
    expect(Math.abs(dropped - 200)).toBeLessThan(5 * Math.sqrt(1000 * 0.2 * 0.8));
    layer.eval();
    expect(new Set(numbers(layer.forward(ones(shape))))).toEqual(new Set([1]));
  });

  test('alphaDropout keeps mean 0 and variance 1, and drops to what selu tends to', () => {
    const x = randn([40000]);
    const y = numbers(F.alphaDropout(x, 0.3));
    const mean = y.reduce((sum, value) => sum + value, 0) / y.length;
    const variance = y.reduce((sum, value) => sum + (value - mean) ** 2, 0) / y.length;
    // Five standard errors, the fourth moment being below 4.
    expect(Math.abs(mean)).toBeLessThan(5 / Math.sqrt(y.length));
    expect(Math.abs(variance - 1)).toBeLessThan(5 * Math.sqrt(3 / y.length));
    const limit = -1.6732632423543772 * 1.0507009873554805;
    const a = 1 / Math.sqrt(0.7 * (1 + 0.3 * limit ** 2));
    const dropped = y.filter((value) => Math.abs(value - (a * limit - a * limit * 0.3)) < 1e-6).length;
    expect(Math.abs(dropped - 12000)).toBeLessThan(5 * Math.sqrt(40000 * 0.3 * 0.7));
  });

  test('featureAlphaDropout treats channels as one', () => {
    const layer = new nn.FeatureAlphaDropout({ p: 0.5 });
    const channels = rows(numbers(layer.forward(zeros([10, 10, 4]))), 4);
    for (const channel of channels) expect(new Set(channel).size).toBe(1);
    expect(new Set(channels.flat()).size).toBe(2);
    layer.eval();
    expect(new Set(numbers(layer.forward(ones([2, 2, 2]))))).toEqual(new Set([1]));
  });

  test('gradients pass where nothing was dropped', () => {
    const x = ones([10, 10], { requiresGrad: true });
    const y = F.dropout1d(x, 0.5);
    y.sum().backward();
    expect(numbers(x.grad!)).toEqual(numbers(y));
    const z = ones([10, 10], { requiresGrad: true });
    const w = F.alphaDropout(z, 0.5);
    w.sum().backward();
    const slope = Math.max(...numbers(z.grad!));
    const [low, high] = [Math.min(...numbers(w)), Math.max(...numbers(w))];
    expect(numbers(z.grad!)).toEqual(numbers(w).map((value) => (value === high ? slope : 0)));
    expect(low).toBeLessThan(high);
  });

  test('a generator makes it repeatable; p 0 and 1 are plain', () => {
    const draw = (): number[] => numbers(F.dropout2d(ones([4, 8, 2, 2]), 0.5, { generator: new Generator(7) }));
    expect(draw()).toEqual(draw());
    expect(new Set(numbers(F.alphaDropout(ones([9]), 0)))).toEqual(new Set([1]));
    expect(new Set(numbers(F.dropout3d(ones([1, 2, 2, 2]), 1)))).toEqual(new Set([0]));
  });

  test('refuses other dims and probabilities', () => {
    expect(() => F.dropout1d(zeros([2]))).toThrow(ShapeError);
    expect(() => F.dropout2d(zeros([2, 3]))).toThrow(/dropout2d: takes 3 or 4 dims, got \[2, 3\]/);
    expect(() => F.dropout3d(zeros([2, 3, 4]))).toThrow(ShapeError);
    expect(() => F.featureAlphaDropout(zeros([2]))).toThrow(ShapeError);
    expect(() => F.alphaDropout(zeros([2]), 1.5)).toThrow(ValueError);
    expect(() => new nn.Dropout3d({ p: -0.1 })).toThrow(/Dropout3d: p/);
  });
});
