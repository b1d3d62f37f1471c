import { backends } from './backends';
import { dense, elements, runKernel } from './builder';
import { expectEqual, expectWithin, Numbers, roundoff } from './numbers';

describe.each(backends)('softmax on %s', (_name, backend) => {
  describe.each(['float32', 'float64'] as const)('%s', (dtype) => {
    it.each([1, 2, 10, 15, 16, 17, 1000])('over %i elements', (n) => {
      const x = new Numbers(n).reals(dtype, [3, 5, n], -30, 30);
      const xs = elements(x);
      const outputs = [{ dtype, shape: x.shape }];
      const [probabilities] = runKernel(backend, { kernel: 'softmax', inputs: [x], outputs });
      const [logarithms] = runKernel(backend, { kernel: 'logSoftmax', inputs: [x], outputs });
      const sums = Array.from({ length: 15 }, (_, row) => {
        const values = xs.slice(row * n, (row + 1) * n);
        const most = Math.max(...values);
        return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
      });
      const expected = xs.map((value, i) => value - sums[Math.floor(i / n)]!);
      const bound = 60 * roundoff[dtype];
      expectWithin(logarithms!, expected, (i) => bound * (1 + Math.abs(expected[i]!)));
      expectWithin(probabilities!, expected.map(Math.exp), (i) => 60 * bound * Math.exp(expected[i]!) + 1e-38);
    });

    it('is stable, and NaN where the result is not defined', () => {
      const x = dense(dtype, [5, 2], [1e4, -1e4, -Infinity, 0, -Infinity, -Infinity, NaN, 0, Infinity, 0]);
      const outputs = [{ dtype, shape: x.shape }];
      const probabilities = runKernel(backend, { kernel: 'softmax', inputs: [x], outputs })[0]!;
      expectEqual(probabilities.slice(0, 9), [1, 0, 0, 1, NaN, NaN, NaN, NaN, NaN]);
      const logarithms = runKernel(backend, { kernel: 'logSoftmax', inputs: [x], outputs })[0]!;
      expectEqual(logarithms.slice(0, 9), [0, -2e4, -Infinity, 0, NaN, NaN, NaN, NaN, NaN]);
    });

    it('gives a row the same bits whatever stands beside it', () => {
      const row = new Numbers(5).reals(dtype, [1, 37]);
      const alone = runKernel(backend, { kernel: 'softmax', inputs: [row], outputs: [{ dtype, shape: [1, 37] }] })[0]!;
      const many = dense(dtype, [9, 37], row.values);
      const together = runKernel(backend, {
        kernel: 'softmax',
        inputs: [many],
        outputs: [{ dtype, shape: [9, 37] }],
      })[0]!;
      for (let i = 0; i < 9; i++) expectEqual(together.slice(i * 37, (i + 1) * 37), alone);
    });

    it('takes empty arrays', () => {
      for (const shape of [
        [0, 5],
        [5, 0],
      ])
        for (const kernel of ['softmax', 'logSoftmax'] as const)
          expectEqual(
            runKernel(backend, { kernel, inputs: [dense(dtype, shape, [0])], outputs: [{ dtype, shape }] })[0]!,
            [],
          );
    });
  });
});
