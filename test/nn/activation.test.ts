import { full, manualSeed, nn, tensor, zeros } from '../../lib';
import { ShapeError, ValueError } from '../../lib/errors';
import * as F from '../../lib/nn/functional';
import type { TensorBase } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';
import { testRecorded } from './recorded-layers';

testRecorded('activation');

const numbers = (x: TensorBase): number[] => [...x.capture().dataSync()].map(Number);

onEachBackend('activations', () => {
  beforeEach(() => void manualSeed(1));

  test('rrelu draws a slope for each element in training, and takes their mean otherwise', () => {
    const x = full([2000], -1, { requiresGrad: true });
    const layer = new nn.RReLU({ lower: 0.2, upper: 0.6 });
    const y = layer.forward(x);
    y.sum().backward();
    const slopes = numbers(y).map((value) => -value);
    expect(Math.min(...slopes)).toBeGreaterThanOrEqual(0.2);
    expect(Math.max(...slopes)).toBeLessThanOrEqual(0.6 + 1e-6);
    // Five standard errors of the mean of 2,000 draws.
    expect(Math.abs(slopes.reduce((sum, slope) => sum + slope, 0) / 2000 - 0.4)).toBeLessThan(
      (5 * 0.4) / Math.sqrt(12 * 2000),
    );
    expect(numbers(x.grad!)).toEqual(slopes);
    expect(numbers(layer.eval().forward(tensor([-1, 2])))).toEqual([Math.fround(-0.4), 2]);
  });

  test('gradients at the corners are those of PyTorch', () => {
    const corners = [-3, -1, 0, 1, 3, 6];
    const slopes = (f: (x: TensorBase) => TensorBase): number[] => {
      const x = tensor(corners, { dtype: 'float64', requiresGrad: true });
      f(x).sum().backward();
      return numbers(x.grad!);
    };
    // Recorded from PyTorch 1.13.
    expect(slopes(F.relu6)).toEqual([0, 0, 0, 1, 1, 0]);
    expect(slopes(F.hardtanh)).toEqual([0, 0, 1, 0, 0, 0]);
    expect(slopes(F.hardsigmoid)).toEqual([0, 1 / 6, 1 / 6, 1 / 6, 0, 0]);
    const expected = [-0.5, 1 / 6, 0.5, 5 / 6, 1, 1];
    slopes(F.hardswish).forEach((slope, i) => expect(slope).toBeCloseTo(expected[i]!, 14));
    expect(slopes((x) => F.threshold(x, 1, 5))).toEqual([0, 0, 0, 0, 1, 1]);
    expect(slopes((x) => F.hardshrink(x, { lambda: 1 }))).toEqual([1, 0, 0, 0, 1, 1]);
    expect(slopes((x) => F.softshrink(x, { lambda: 1 }))).toEqual([1, 0, 0, 0, 1, 1]);
  });

  test('gumbelSoftmax draws each class as often as softmax says', () => {
    const logits = tensor([[0, 1, -1]], { requiresGrad: true });
    const many = logits.expand([5000, 3]);
    const samples = F.gumbelSoftmax(many, { tau: 0.7, hard: true });
    const counts = numbers(samples.sum({ dim: 0 }));
    const shares = numbers(F.softmax(tensor([0, 1, -1]), 0));
    // Five standard deviations of a binomial.
    counts.forEach((count, i) =>
      expect(Math.abs(count - 5000 * shares[i]!)).toBeLessThan(5 * Math.sqrt(5000 * shares[i]! * (1 - shares[i]!))),
    );
    samples.select(1, 0).sum().backward();
    const slopes = numbers(logits.grad!);
    expect(slopes[0]).toBeGreaterThan(0);
    expect(slopes[0]! + slopes[1]! + slopes[2]!).toBeCloseTo(0, 2);
    const soft = numbers(F.gumbelSoftmax(many, { dim: 0 }).sum({ dim: 0 }));
    for (const total of soft) expect(total).toBeCloseTo(1, 4);
    expect(() => F.gumbelSoftmax(many, { tau: 0 })).toThrow(ValueError);
  });

  test('PReLU learns its slope', () => {
    const layer = new nn.PReLU({ numParameters: 2 });
    expect([...layer.stateDict().keys()]).toEqual(['weight']);
    layer
      .forward(tensor([[-3, -5]]))
      .sum()
      .backward();
    expect(numbers(layer.weight.grad!)).toEqual([-3, -5]);
  });

  test('values far away stay finite, and so do gradients', () => {
    for (const name of [
      'celu',
      'elu',
      'selu',
      'softplus',
      'logSigmoid',
      'mish',
      'silu',
      'gelu',
      'tanhshrink',
    ] as const) {
      const x = tensor([-1e4, 1e4], { requiresGrad: true });
      F[name](x).sum().backward();
      for (const slope of numbers(x.grad!)) expect(Math.abs(slope)).toBeLessThanOrEqual(1.76);
    }
  });

  test.each([
    ['an odd dim', /glu: dim 1.*\[2, 3\]/, () => F.glu(zeros([2, 3]))],
    ['other channels', /prelu: weight is \[1\] or \[3\]/, () => F.prelu(zeros([2, 3]), zeros([2]))],
    ['a matrix', /Softmax2d: takes/, () => new nn.Softmax2d().forward(zeros([2, 3]))],
  ])('refuses %s', (_what, message, act) => {
    expect(act).toThrow(ShapeError);
    expect(act).toThrow(message);
  });

  test.each([
    ['lambda below 0', () => new nn.Softshrink({ lambda: -1 })],
    ['beta of 0', () => F.softplus(zeros([1]), { beta: 0 })],
    ['alpha of 0', () => F.celu(zeros([1]), { alpha: 0 })],
    ['lower above upper', () => new nn.RReLU({ lower: 0.5, upper: 0.2 })],
    ['limits in disorder', () => new nn.Hardtanh({ minValue: 1, maxValue: 1 })],
    ['an unknown approximation', () => new nn.GELU({ approximate: 'erf' as 'tanh' })],
    ['NaN for a threshold', () => new nn.Threshold(NaN, 0)],
    ['no parameters', () => new nn.PReLU({ numParameters: 0 })],
  ])('refuses %s', (_what, act) => expect(act).toThrow(ValueError));
});
