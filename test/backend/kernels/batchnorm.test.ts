import { backends } from './backends';
import { dense, elements, runKernel } from './builder';
import { expectEqual, expectWithin, Numbers, roundoff } from './numbers';

const shapes = [
  [1, 1, 1],
  [5, 3, 1],
  [4, 7, 5],
  [33, 17, 1],
  [2, 3, 1000],
  [64, 5, 49],
] as const;

/** The elements of every channel of an array [N,C,S]. */
function channelsOf(values: readonly number[], [n, c, s]: readonly [number, number, number]): number[][] {
  return Array.from({ length: c }, (_, channel) =>
    Array.from({ length: n * s }, (_, i) => values[(Math.floor(i / s) * c + channel) * s + (i % s)]!),
  );
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

describe.each(backends)('batch normalisation on %s', (_name, backend) => {
  describe.each(['float32', 'float64'] as const)('%s', (dtype) => {
    it.each(shapes)('takes statistics of [%i, %i, %i], also far from zero', (...shape) => {
      for (const shift of [0, 1000]) {
        const x = new Numbers(1).reals(dtype, shape, shift - 1, shift + 1);
        const channels = channelsOf(elements(x), shape);
        const means = channels.map(meanOf);
        const variances = channels.map((values, c) => meanOf(values.map((value) => (value - means[c]!) ** 2)));
        const outputs = [{ dtype, shape: [2, shape[1]] }];
        const actual = runKernel(backend, { kernel: 'batchNormStatistics', inputs: [x], outputs })[0]!;
        const unit = roundoff[dtype];
        expectWithin(actual.slice(0, shape[1]), means, () => 50 * unit * (1 + shift));
        expectWithin(actual.slice(shape[1]), variances, () => 100 * unit * (1 + shift / 100));
      }
    });

    it.each(shapes)('normalises [%i, %i, %i]', (...shape) => {
      const [, c, s] = shape;
      const numbers = new Numbers(2);
      const x = numbers.reals(dtype, shape);
      const statistics = numbers.reals(dtype, [2, c], 0.1, 1);
      const [weight, bias] = [numbers.reals(dtype, [c]), numbers.reals(dtype, [c])];
      const [xs, st, ws, bs] = [elements(x), elements(statistics), elements(weight), elements(bias)];
      const expected = xs.map((value, i) => {
        const channel = Math.floor(i / s) % c;
        return (value - st[channel]!) * (ws[channel]! / Math.sqrt(st[c + channel]! + 1e-5)) + bs[channel]!;
      });
      const inputs = [x, statistics, weight, bias];
      const actual = runKernel(backend, {
        kernel: 'batchNorm',
        inputs,
        outputs: [{ dtype, shape }],
        attributes: [1e-5],
      });
      expectWithin(actual[0]!, expected, () => 200 * roundoff[dtype]);
    });

    it.each(shapes)('sums gradients over [%i, %i, %i]', (...shape) => {
      const [, c] = shape;
      const numbers = new Numbers(3);
      const [g, x, statistics] = [
        numbers.reals(dtype, shape),
        numbers.reals(dtype, shape),
        numbers.reals(dtype, [2, c]),
      ];
      const [gs, xs] = [channelsOf(elements(g), shape), channelsOf(elements(x), shape)];
      const means = elements(statistics);
      const sums = gs.map((values) => values.reduce((sum, value) => sum + value, 0));
      const products = gs.map((values, channel) =>
        values.reduce((sum, value, i) => sum + value * (xs[channel]![i]! - means[channel]!), 0),
      );
      const outputs = [{ dtype, shape: [2, c] }];
      const actual = runKernel(backend, { kernel: 'batchNormGradSums', inputs: [g, x, statistics], outputs })[0]!;
      const terms = shape[0] * shape[2];
      expectWithin(actual, [...sums, ...products], () => 20 * roundoff[dtype] * (terms + 10));
    });

    it('propagates NaN within its channel only', () => {
      const x = dense(dtype, [2, 2, 2], [1, NaN, 3, 4, 5, 6, 3, 4]);
      const outputs = [{ dtype, shape: [2, 2] }];
      const actual = runKernel(backend, { kernel: 'batchNormStatistics', inputs: [x], outputs })[0]!;
      expectEqual(actual, [NaN, 3.5, NaN, 0.25]);
    });
  });
});
