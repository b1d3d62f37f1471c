import { manualSeed, nn, noGrad, ones, randn, stats, tensor, zeros } from '../../lib';
import { ShapeError, ValueError } from '../../lib/errors';
import type { TensorBase } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';

const numbers = (x: TensorBase): number[] => [...x.capture().dataSync()].map(Number);
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
function squares(values: readonly number[]): number {
  const center = mean(values);
  return values.reduce((sum, x) => sum + (x - center) ** 2, 0);
}

function expectClose(actual: readonly number[], expected: readonly number[], digits = 5): void {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, digits));
}

onEachBackend('layers', () => {
  beforeEach(() => void manualSeed(1));

  test('Linear computes x Wᵀ + b', () => {
    const layer = new nn.Linear(2, 3);
    layer.loadStateDict({
      weight: tensor([
        [1, 2],
        [3, 4],
        [5, 6],
      ]),
      bias: tensor([0.5, 0, -1]),
    });
    expect(numbers(layer.forward(tensor([[1, 10]])))).toEqual([21.5, 43, 64]);
    expect(layer.forward(ones([4, 5, 2])).shape).toEqual([4, 5, 3]);
    expect(() => layer.forward(ones([4, 3]))).toThrow(/linear.*\[4, 3\].*\[3, 2\]/);
  });

  test('layers start as in PyTorch: uniform in ±1/√fanIn', () => {
    const fan = (layer: nn.Linear | nn.Conv2d, bound: number): void => {
      for (const parameter of layer.parameters()) {
        const values = numbers(parameter);
        expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound);
        // The variance of a uniform distribution is bound² / 3; 10 % is above 4 standard errors for the weights.
        if (values.length > 1000) expect(squares(values) / values.length / (bound ** 2 / 3)).toBeCloseTo(1, 0.9);
      }
    };
    fan(new nn.Linear(64, 128), 1 / 8);
    fan(new nn.Conv2d(16, 32, 3), 1 / 12);
    fan(new nn.Conv2d(16, 32, [1, 4], { groups: 4 }), 1 / 4);
  });

  test('manualSeed fixes the weights', () => {
    const first = numbers(new nn.Linear(4, 4).weight);
    const second = numbers(new nn.Linear(4, 4).weight);
    manualSeed(1);
    expect(numbers(new nn.Linear(4, 4).weight)).toEqual(first);
    expect(second).not.toEqual(first);
  });

  test('weights are drawn once, however often they are read', () => {
    const layer = new nn.Linear(3, 3);
    const before = numbers(layer.forward(ones([1, 3])));
    const { recomputed } = stats();
    expect(numbers(layer.forward(ones([1, 3])))).toEqual(before);
    expect(stats().recomputed).toBe(recomputed);
  });

  test('Conv2d, pools and Flatten give the shapes of PyTorch', () => {
    const x = zeros([2, 4, 9, 7]);
    const shape = (layer: nn.Layer): readonly number[] => layer.forward(x).shape;
    expect(shape(new nn.Conv2d(4, 6, 3, { stride: 2, padding: [1, 0], dilation: [2, 1], groups: 2 }))).toEqual([
      2, 6, 4, 3,
    ]);
    expect(shape(new nn.MaxPool2d(2))).toEqual([2, 4, 4, 3]);
    expect(shape(new nn.AvgPool2d([3, 2], { stride: 1, padding: [1, 0] }))).toEqual([2, 4, 9, 6]);
    expect(shape(new nn.AdaptiveAvgPool2d([2, 3]))).toEqual([2, 4, 2, 3]);
    expect(shape(new nn.Flatten())).toEqual([2, 252]);
    expect(shape(new nn.Identity())).toEqual([2, 4, 9, 7]);
  });

  test.each([
    ['inFeatures 0', () => new nn.Linear(0, 1)],
    ['outFeatures 1.5', () => new nn.Linear(1, 1.5)],
    ['stride 0', () => new nn.Conv2d(1, 1, 3, { stride: 0 })],
    ['padding -1', () => new nn.Conv2d(1, 1, 3, { padding: -1 })],
    ['groups that do not divide', () => new nn.Conv2d(4, 6, 3, { groups: 3 })],
    ['a kernel of three numbers', () => new nn.Conv2d(1, 1, [1, 2, 3] as never)],
    ['a pool of 0', () => new nn.MaxPool2d(0)],
    ['p above 1', () => new nn.Dropout({ p: 1.1 })],
    ['NaN for p', () => new nn.Dropout({ p: NaN })],
    ['momentum below 0', () => new nn.BatchNorm2d(1, { momentum: -0.1 })],
    ['eps below 0', () => new nn.BatchNorm2d(1, { eps: -1 })],
  ])('refuses %s', (_what, make) => expect(make).toThrow(ValueError));

  test.each([
    [new nn.ReLU(), (x: number) => Math.max(x, 0)],
    [new nn.LeakyReLU({ negativeSlope: 0.2 }), (x: number) => (x > 0 ? x : 0.2 * x)],
    [new nn.Sigmoid(), (x: number) => 1 / (1 + Math.exp(-x))],
    [new nn.Tanh(), Math.tanh],
    [new nn.SiLU(), (x: number) => x / (1 + Math.exp(-x))],
    [new nn.Softplus(), (x: number) => Math.log1p(Math.exp(x))],
  ])('%s', (layer, formula) => {
    const x = [-2, -0.5, 0, 0.5, 3];
    expectClose(numbers(layer.forward(tensor(x))), x.map(formula));
  });

  test('Softmax and LogSoftmax take a dim', () => {
    const x = tensor([
      [1, 2],
      [3, 5],
    ]);
    const p = 1 / (1 + Math.exp(2));
    expectClose(numbers(new nn.Softmax(0).forward(x)), [p, 1 / (1 + Math.exp(3)), 1 - p, 1 / (1 + Math.exp(-3))]);
    expectClose(numbers(new nn.LogSoftmax(0).forward(x)).map(Math.exp), numbers(new nn.Softmax(0).forward(x)));
  });

  test('Dropout drops in training, scales what stays, and does nothing in evaluation', () => {
    const layer = new nn.Dropout({ p: 0.25 });
    const x = ones([100, 100]);
    const values = numbers(layer.forward(x));
    const kept = values.filter((value) => value !== 0);
    for (const value of new Set(kept)) expect(value).toBeCloseTo(4 / 3, 6);
    // Five standard deviations of a binomial.
    expect(Math.abs(kept.length - 7500)).toBeLessThan(5 * Math.sqrt(10000 * 0.25 * 0.75));
    expect(numbers(layer.forward(x))).not.toEqual(values);
    expect(new Set(numbers(layer.eval().forward(x)))).toEqual(new Set([1]));
  });

  describe('BatchNorm2d', () => {
    // [3, 2, 1, 2]
    const batch = [
      [
        [1, 2],
        [10, 30],
      ],
      [
        [3, 4],
        [20, 60],
      ],
      [
        [8, 0],
        [5, 7],
      ],
    ].map((image) => image.map((row) => [row]));
    const channels = [
      [1, 2, 3, 4, 8, 0],
      [10, 30, 20, 60, 5, 7],
    ];

    test('normalises by the biased variance, and tracks the unbiased one', () => {
      const layer = new nn.BatchNorm2d(2, { momentum: 0.3 });
      const y = numbers(layer.forward(tensor(batch)));
      const scale = channels.map((values) => 1 / Math.sqrt(squares(values) / 6 + 1e-5));
      const expected = batch.flatMap((image) =>
        image.flatMap(([row], c) => row!.map((x) => (x - mean(channels[c]!)) * scale[c]!)),
      );
      expectClose(y, expected);
      expectClose(
        numbers(layer.runningMean!),
        channels.map((values) => 0.3 * mean(values)),
      );
      expectClose(
        numbers(layer.runningVar!),
        channels.map((values) => 0.7 + (0.3 * squares(values)) / 5),
        3,
      );
      expect(layer.numBatchesTracked!.itemSync()).toBe(1);
    });

    test('counts each forward once, whatever is computed and how often', async () => {
      const layer = new nn.BatchNorm2d(2);
      const y = layer.forward(tensor(batch));
      const loss = y.square().mean();
      await loss.item();
      loss.backward();
      await layer.weight!.grad!.data();
      await y.data();
      expect(layer.numBatchesTracked!.itemSync()).toBe(1);
      expectClose(
        numbers(layer.runningMean!),
        channels.map((values) => 0.1 * mean(values)),
      );
      noGrad(() => layer.forward(tensor(batch))).dataSync();
      expect(layer.numBatchesTracked!.itemSync()).toBe(2);
    });

    test('averages over all batches with momentum null', () => {
      const layer = new nn.BatchNorm2d(2, { momentum: null });
      const other = randn([3, 2, 1, 2]);
      layer.forward(tensor(batch)).dataSync();
      layer.forward(other).dataSync();
      const second = numbers(other);
      const expected = channels.map((values, c) => {
        const own = second.filter((_, i) => Math.floor(i / 2) % 2 === c);
        return (mean(values) + mean(own)) / 2;
      });
      expectClose(numbers(layer.runningMean!), expected, 4);
    });

    test('uses the running statistics in evaluation, and leaves them alone', () => {
      const layer = new nn.BatchNorm2d(1, { eps: 0 });
      layer.loadStateDict({
        weight: tensor([3]),
        bias: tensor([1]),
        running_mean: tensor([2]),
        running_var: tensor([4]),
        num_batches_tracked: tensor(5n),
      });
      expectClose(numbers(layer.eval().forward(tensor([[[[2, 6]]]]))), [1, 7]);
      expect(numbers(layer.runningMean!)).toEqual([2]);
      expect(layer.numBatchesTracked!.itemSync()).toBe(5);
    });

    test('without running statistics uses those of the batch in evaluation too', () => {
      const layer = new nn.BatchNorm2d(1, { trackRunningStats: false, affine: false, eps: 0 });
      expect([...layer.parameters(), ...layer.buffers()]).toEqual([]);
      expectClose(numbers(layer.eval().forward(tensor([[[[1, 3]]]]))), [-1, 1]);
    });

    test('refuses a single value a channel in training, and other shapes', () => {
      const layer = new nn.BatchNorm2d(2);
      expect(() => layer.forward(zeros([1, 2, 1, 1]))).toThrow(/more than one value per channel/);
      expect(layer.eval().forward(zeros([1, 2, 1, 1])).shape).toEqual([1, 2, 1, 1]);
      expect(() => layer.forward(zeros([4, 2]))).toThrow(ShapeError);
      expect(() => layer.forward(zeros([4, 3, 2, 2]))).toThrow(ShapeError);
      expect(() => layer.train().forward(zeros([0, 2, 2, 2]))).toThrow(ShapeError);
    });

    test('its gradient is that of the formula', async () => {
      const layer = new nn.BatchNorm2d(2);
      const x = tensor(batch, { requiresGrad: true });
      const g = randn([3, 2, 1, 2]);
      layer.forward(x).mul(g).sum().backward();
      const cotangents = numbers(g);
      const actual = [...(await x.grad!.data())].map(Number);
      channels.forEach((values, c) => {
        const own = cotangents.filter((_, i) => Math.floor(i / 2) % 2 === c);
        const deviation = Math.sqrt(squares(values) / 6 + 1e-5);
        const normal = values.map((v) => (v - mean(values)) / deviation);
        const along = mean(own.map((v, i) => v * normal[i]!));
        const expected = own.map((v, i) => (v - mean(own) - normal[i]! * along) / deviation);
        expectClose(
          actual.filter((_, i) => Math.floor(i / 2) % 2 === c),
          expected,
          4,
        );
      });
    });
  });

  test('BatchNorm1d takes [N, C] and [N, C, L]', () => {
    const layer = new nn.BatchNorm1d(2);
    expect(layer.forward(randn([4, 2])).shape).toEqual([4, 2]);
    expect(layer.forward(randn([4, 2, 3])).shape).toEqual([4, 2, 3]);
    expect(() => layer.forward(randn([4, 2, 3, 1]))).toThrow(ShapeError);
  });
});

onEachBackend('init', () => {
  const weight = (): nn.Parameter => new nn.Parameter(zeros([64, 32, 3, 3]));

  test('fans count inputs and outputs of a kernel', () => {
    expect(nn.init.calculateFans([64, 32, 3, 3])).toEqual({ fanIn: 288, fanOut: 576 });
    expect(() => nn.init.calculateFans([3])).toThrow(ShapeError);
  });

  test.each([
    ['xavierNormal', (w: nn.Parameter) => nn.init.xavierNormal(w, { gain: 2 }), 2 * Math.sqrt(2 / 864)],
    ['xavierUniform', (w: nn.Parameter) => nn.init.xavierUniform(w), Math.sqrt(2 / 864)],
    [
      'kaimingNormal',
      (w: nn.Parameter) => nn.init.kaimingNormal(w, { mode: 'fanOut', nonlinearity: 'relu' }),
      Math.sqrt(2 / 576),
    ],
    ['kaimingUniform', (w: nn.Parameter) => nn.init.kaimingUniform(w, { a: 1 }), Math.sqrt(1 / 288)],
    ['normal', (w: nn.Parameter) => nn.init.normal(w, { mean: 3, std: 0.5 }), 0.5],
    ['uniform', (w: nn.Parameter) => nn.init.uniform(w, { low: -1, high: 2 }), Math.sqrt(9 / 12)],
  ])('%s has the standard deviation of its paper', (_name, fill, std) => {
    const values = numbers(fill(weight()));
    // The relative standard error with 18,432 values is below 0.6 %.
    expect(Math.abs(Math.sqrt(squares(values) / values.length) / std - 1)).toBeLessThan(0.03);
  });

  test('gains', () => {
    expect(nn.init.calculateGain('relu')).toBeCloseTo(Math.SQRT2, 15);
    expect(nn.init.calculateGain('tanh')).toBeCloseTo(5 / 3, 15);
    expect(nn.init.calculateGain('leakyRelu', 0.2)).toBeCloseTo(Math.sqrt(2 / 1.04), 15);
    expect(() => nn.init.calculateGain('cube' as 'relu')).toThrow(ValueError);
    expect(() => nn.init.kaimingNormal(weight(), { mode: 'fan' as 'fanIn' })).toThrow(ValueError);
  });

  test('constant, ones and zeros fill', () => {
    const parameter = new nn.Parameter(zeros([2]));
    expect(numbers(nn.init.constant(parameter, 2.5))).toEqual([2.5, 2.5]);
    expect(numbers(nn.init.ones(parameter))).toEqual([1, 1]);
    expect(numbers(nn.init.zeros(parameter))).toEqual([0, 0]);
  });
});
