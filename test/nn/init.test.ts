import { Generator, manualSeed, nn, zeros } from '../../lib';
import { ShapeError, ValueError } from '../../lib/errors';
import { onEachBackend } from '../helpers/backends';

const { init } = nn;
const made = (shape: number[], dtype: 'float32' | 'float64' = 'float64'): nn.Parameter =>
  new nn.Parameter(zeros(shape, { dtype }));
const numbers = (x: nn.Parameter): number[] => Array.from(x.dataSync(), Number);

/** The distribution function of the normal distribution, by Simpson's rule from 0. */
function normalCdf(x: number): number {
  const steps = 2000;
  const density = (t: number): number => Math.exp((-t * t) / 2) / Math.sqrt(2 * Math.PI);
  let sum = density(0) + density(x);
  for (let i = 1; i < steps; i++) sum += density((i * x) / steps) * (i % 2 === 1 ? 4 : 2);
  return 0.5 + (sum * x) / steps / 3;
}

onEachBackend('initialisations', () => {
  beforeEach(() => void manualSeed(4));

  test.each([
    [0, 1, -2, 2],
    [1, 0.5, 0, 1.2],
    [0, 1, 3, 5],
    [-1, 2, -9, 9],
  ])('truncNormal with mean %d, std %d between %d and %d', (mean, std, a, b) => {
    const values = numbers(init.truncNormal(made([20_000]), { mean, std, a, b }) as nn.Parameter).sort((x, y) => x - y);
    expect(values[0]).toBeGreaterThanOrEqual(a);
    expect(values.at(-1)).toBeLessThanOrEqual(b);
    const [low, high] = [a, b].map((x) => normalCdf((x - mean) / std)) as [number, number];
    // Kolmogorov and Smirnov: 1.95 / √n is passed once in 1000 seeds.
    let distance = 0;
    for (let i = 0; i < values.length; i += 97) {
      const expected = (normalCdf((values[i]! - mean) / std) - low) / (high - low);
      distance = Math.max(distance, Math.abs(expected - i / values.length));
    }
    expect(distance).toBeLessThan(1.95 / Math.sqrt(values.length));
  });

  test('truncNormal takes float32, and a generator', () => {
    const draw = (): number[] =>
      numbers(init.truncNormal(made([50], 'float32'), { generator: new Generator(3) }) as nn.Parameter);
    expect(draw()).toEqual(draw());
    expect(new Set(draw()).size).toBeGreaterThan(45);
  });

  test.each([[[5, 5]], [[3, 8]], [[8, 3]], [[4, 2, 3, 2]], [[7, 1]]])('orthogonal %j', (shape) => {
    const parameter = init.orthogonal(made(shape), { gain: 2 });
    const [rows, columns] = [shape[0]!, parameter.size / shape[0]!];
    const values = numbers(parameter as nn.Parameter);
    const at = (i: number, j: number): number => values[i * columns + j]!;
    const isWide = rows <= columns;
    const [count, length] = isWide ? [rows, columns] : [columns, rows];
    for (let i = 0; i < count; i++)
      for (let j = 0; j < count; j++) {
        let dot = 0;
        for (let k = 0; k < length; k++) dot += isWide ? at(i, k) * at(j, k) : at(k, i) * at(k, j);
        expect(Math.abs(dot - (i === j ? 4 : 0))).toBeLessThan(1e-13);
      }
  });

  test('eye and dirac are identities', () => {
    expect(numbers(init.eye(made([2, 3])) as nn.Parameter)).toEqual([1, 0, 0, 0, 1, 0]);
    const conv = new nn.Conv2d(4, 4, [3, 5], { padding: [1, 2], groups: 2, bias: false });
    init.dirac(conv.weight, { groups: 2 });
    const image = new nn.Parameter(zeros([1, 4, 3, 3]));
    init.normal(image);
    expect([...conv.forward(image).dataSync()]).toEqual([...image.dataSync()]);
    // As PyTorch: channels without a partner stay 0.
    expect(numbers(init.dirac(made([2, 3, 2])) as nn.Parameter)).toEqual([0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
  });

  test('sparse leaves the share of each column at 0', () => {
    const values = numbers(init.sparse(made([10, 7]), 0.33, { std: 2 }) as nn.Parameter);
    for (let column = 0; column < 7; column++)
      expect(values.filter((value, i) => i % 7 === column && value === 0)).toHaveLength(4);
    expect(Math.max(...values)).toBeGreaterThan(0.5);
  });

  test('gains of convolutions are 1', () => {
    for (const name of ['linear', 'conv1d', 'conv3d', 'convTranspose2d'] as const)
      expect(init.calculateGain(name)).toBe(1);
  });

  test.each([
    ['eye of 3 dims', () => init.eye(made([1, 1, 1])), ShapeError],
    ['dirac of 2 dims', () => init.dirac(made([2, 2])), ShapeError],
    ['dirac with groups that do not divide', () => init.dirac(made([3, 2, 1]), { groups: 2 }), ValueError],
    ['orthogonal of 1 dim', () => init.orthogonal(made([4])), ShapeError],
    ['orthogonal with NaN', () => init.orthogonal(made([4, 4]), { gain: NaN }), ValueError],
    ['sparse of 1 dim', () => init.sparse(made([4]), 0.1), ShapeError],
    ['sparsity above 1', () => init.sparse(made([4, 4]), 1.1), ValueError],
    ['truncNormal with a above b', () => init.truncNormal(made([4]), { a: 1, b: 1 }), ValueError],
    ['truncNormal with std 0', () => init.truncNormal(made([4]), { std: 0 }), ValueError],
  ])('refuses %s', (_what, fill, error) => expect(fill).toThrow(error));
});
