import '../../lib/autodiff';
import * as ops from '../../lib/ops';
import { permutation, philox, unit53 } from '../../lib/tensor/philox';
import { onEachBackend } from '../helpers/backends';

const generator = (): ops.Generator => new ops.Generator(2 ** 40 + 7);
const wordsOf = (offset: number, block: number): number[] => {
  const words = new Uint32Array(4);
  philox(2 ** 40 + 7, offset, block, words);
  return Array.from(words);
};

describe('Philox', () => {
  // Test vectors that Salmon et al. publish with Random123 (kat_vectors, philox4x32 10).
  test.each([[0, 0, 0, [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]]])(
    'seed %i, offset %i, block %i',
    (seed, offset, block, expected) => {
      const words = new Uint32Array(4);
      philox(seed, offset, block, words);
      expect(Array.from(words)).toEqual(expected);
    },
  );
});

onEachBackend('random numbers', () => {
  test('uniform is the words of Philox', () => {
    const { data } = { data: ops.rand([7], { generator: generator() }).dataSync() };
    const expected = Array.from({ length: 7 }, (_, i) => (wordsOf(0, i >> 2)[i & 3]! >>> 8) / 2 ** 24);
    expect(Array.from(data as Float32Array)).toEqual(expected);
    const wide = ops.rand([5], { generator: generator(), dtype: 'float64' }).dataSync();
    const wideExpected = Array.from({ length: 5 }, (_, i) => {
      const words = wordsOf(0, i >> 1);
      return unit53(words[2 * (i & 1)]!, words[2 * (i & 1) + 1]!);
    });
    expect(Array.from(wide as Float64Array)).toEqual(wideExpected);
  });

  test('normal is Box and Muller of them', () => {
    const data = ops.randn([9], { generator: generator(), dtype: 'float64' }).dataSync() as Float64Array;
    data.forEach((value, i) => {
      const [a, b, c, d] = wordsOf(0, i >> 1) as [number, number, number, number];
      const radius = Math.sqrt(-2 * Math.log(1 - unit53(a, b)));
      const angle = 2 * Math.PI * unit53(c, d);
      const expected = radius * (i % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
      // Sine and cosine of an angle up to 2 pi, whose own rounding moves them by its eps.
      expect(Math.abs(value - expected)).toBeLessThanOrEqual(16 * 2 ** -52 * radius);
    });
    const rounded = ops.randn([9], { generator: generator() }).dataSync();
    expect(Array.from(rounded as Float32Array)).toEqual(Array.from(data, Math.fround));
  });

  test('permutation is Fisher and Yates', () => {
    const expected = new Int32Array(50);
    permutation(2 ** 40 + 7, 0, 50, expected);
    const order = ops.randperm(50, { generator: generator() }).dataSync();
    expect(order).toEqual(expected);
    expect(Array.from(order as Int32Array).sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
  });

  test('moments are those of the distributions', () => {
    const n = 100_000;
    const u = ops.uniform([n], -1, 3, { generator: generator(), dtype: 'float64' });
    const z = ops.normal([n], 2, 0.5, { generator: generator(), dtype: 'float64' });
    // Five standard errors of mean and variance.
    expect(Math.abs(u.mean().itemSync() - 1)).toBeLessThan(5 * Math.sqrt(16 / 12 / n));
    expect(Math.abs(u.variance().itemSync() - 16 / 12)).toBeLessThan(5 * Math.sqrt(256 / 180 / n));
    expect(Math.abs(z.mean().itemSync() - 2)).toBeLessThan(5 * Math.sqrt(0.25 / n));
    expect(Math.abs(z.variance().itemSync() - 0.25)).toBeLessThan(5 * Math.sqrt(2 / n) * 0.25);
    const kept = ops.dropout(ops.ones([n]), 0.3, { generator: generator() });
    expect(Math.abs(kept.ne(0).to('float64').mean().itemSync() - 0.7)).toBeLessThan(5 * Math.sqrt(0.21 / n));
    const coins = ops.bernoulli(ops.full([n], 0.2), { generator: generator() });
    expect(Math.abs(coins.mean().itemSync() - 0.2)).toBeLessThan(5 * Math.sqrt(0.16 / n));
  });

  test('a seed fixes everything, whatever is computed first', () => {
    const g = generator();
    const first = ops.rand([4], { generator: g });
    const second = ops.randn([4], { generator: g });
    const other = generator();
    const again = [ops.rand([4], { generator: other }), ops.randn([4], { generator: other })];
    expect(second.dataSync()).toEqual(again[1]!.dataSync());
    expect(first.dataSync()).toEqual(again[0]!.dataSync());
  });

  test('two random nodes of one program differ, one node read twice does not', () => {
    const g = generator();
    const [a, b] = [ops.rand([4], { generator: g }), ops.rand([4], { generator: g })];
    expect(ops.any(ops.ne(a, b)).itemSync()).toBe(1);
    expect(ops.sub(ops.mul(a, 2), ops.add(a, a)).dataSync()).toEqual(new Float32Array(4));
  });

  test('state goes on where it was', () => {
    const g = generator();
    ops.rand([1], { generator: g });
    const { state } = g;
    const expected = ops.rand([3], { generator: g }).dataSync();
    const resumed = new ops.Generator();
    resumed.state = state;
    expect(ops.rand([3], { generator: resumed }).dataSync()).toEqual(expected);
    expect(resumed.offset).toBe(2);
  });

  test('manualSeed seeds what has no generator', () => {
    ops.manualSeed(11);
    const first = ops.rand([3]).dataSync();
    ops.rand([3]);
    ops.manualSeed(11);
    expect(ops.rand([3]).dataSync()).toEqual(first);
    expect(ops.rand([3], { generator: new ops.Generator(11) }).dataSync()).toEqual(first);
  });

  test('dropout passes the gradient where it passed the value', () => {
    const x = ops.ones([50], { requiresGrad: true });
    const y = ops.dropout(x, 0.5, { generator: generator() });
    y.sum().backward();
    expect(x.grad!.dataSync()).toEqual(y.dataSync());
  });
});
