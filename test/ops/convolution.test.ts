import {
  abs,
  backendInfo,
  cast,
  compile,
  conv2d,
  conv2dInputGrad,
  conv2dWeightGrad,
  randn,
  setConvolution,
  TraceError,
  ValueError,
  type Tensor,
} from '../../lib';
import { onEachBackend } from '../helpers/backends';

/** Large enough for Winograd's algorithm to pay. */
const [x, weight, g] = [randn([4, 32, 16, 16]), randn([32, 32, 3, 3]), randn([4, 32, 16, 16])];
const padding = { padding: 1 };

interface Case {
  readonly name: string;
  readonly run: (x: Tensor, weight: Tensor, g: Tensor) => Tensor;
  /** Products in a sum, at most. */
  readonly terms: number;
}

const cases: readonly Case[] = [
  { name: 'forward', run: (a, w) => conv2d(a, w, null, padding), terms: 32 * 9 },
  { name: 'input gradient', run: (_, w, c) => conv2dInputGrad(c, w, [16, 16], padding), terms: 32 * 9 },
  { name: 'weight gradient', run: (a, _, c) => conv2dWeightGrad(c, a, [3, 3], padding), terms: 4 * 256 },
];

onEachBackend('setConvolution', () => {
  afterEach(() => setConvolution({ winograd: 'auto' }));

  test.each(cases)('$name: both settings are within the bound of the direct sum', ({ run, terms }) => {
    const wide = [x, weight, g].map((t) => cast(t, 'float64'));
    const exact = run(wide[0]!, wide[1]!, wide[2]!).dataSync();
    const magnitudes = run(abs(wide[0]!), abs(wide[1]!), abs(wide[2]!)).dataSync() as Float64Array;
    const bound = (terms + 2) * 2 ** -23 * magnitudes.reduce((most, value) => Math.max(most, value), 0);
    const results = (['auto', 'off'] as const).map((winograd) => {
      setConvolution({ winograd });
      return run(x, weight, g).dataSync();
    });
    for (const result of results)
      for (let i = 0; i < exact.length; i++) expect(Math.abs(Number(result[i]) - Number(exact[i]))).toBeLessThan(bound);
    // Only the native backend has the algorithm.
    const same = results[0]!.every((value, i) => value === results[1]![i]);
    expect(same).toBe(backendInfo().backend === 'portable');
  });

  test('is part of what a compiled function depends on', () => {
    const run = compile((a: Tensor) => conv2d(a, weight, null, padding));
    const transformed = run(x).dataSync();
    setConvolution({ winograd: 'off' });
    expect(run(x).dataSync()).toEqual(conv2d(x, weight, null, padding).dataSync());
    expect(compile.explain(run).recordings).toHaveLength(2);
    expect(compile.explain(run).recordings[1]).toContain('winograd');
    setConvolution({ winograd: 'auto' });
    expect(run(x).dataSync()).toEqual(transformed);
  });

  test('refuses other values, and a change inside a compiled function', () => {
    expect(() => setConvolution({ winograd: 'on' as never })).toThrow(ValueError);
    expect(() => setConvolution({ winograd: 'on' as never })).toThrow(/'auto' or 'off', got on/);
    const run = compile((a: Tensor) => {
      setConvolution({ winograd: 'off' });
      return a;
    });
    expect(() => run(x)).toThrow(TraceError);
  });
});
