import { tensor, Variable, type Tensor } from '../../lib';
import { classifyCriticalPoint } from '../../lib/landscape';
import { Linear, Sequential, Tanh } from '../../lib/nn';
import { mseLoss } from '../../lib/nn/losses/functional';
import { manualSeed, randn } from '../../lib/ops/random';
import { onEachBackend } from '../helpers/backends';

type Function = (x: Tensor, y: Tensor) => Tensor;

const at = (a: number, b: number, dtype: 'float32' | 'float64' = 'float64'): [Variable, Variable] => [
  new Variable(tensor(a, { dtype }), { requiresGrad: true }),
  new Variable(tensor(b, { dtype }), { requiresGrad: true }),
];
const classify = (f: Function, [x, y]: [Variable, Variable], options = {}) =>
  classifyCriticalPoint(() => f(x.capture(), y.capture()), [x, y], options);

/** Points whose kind follows from the formula, by the first derivatives that are not zero. */
const known: [string, Function, string, string][] = [
  ['x² + y²', (x, y) => x.square().add(y.square()), 'minimum', 'curvature'],
  ['-x² - 3y²', (x, y) => x.square().neg().sub(y.square().mul(3)), 'maximum', 'curvature'],
  ['x² - y²', (x, y) => x.square().sub(y.square()), 'saddle', 'curvature'],
  ['xy', (x, y) => x.mul(y), 'saddle', 'curvature'],
  ['x³ - 3xy²', (x, y) => x.pow(3).sub(x.mul(y.square()).mul(3)), 'saddle', 'higher-order'],
  ['x² + y³', (x, y) => x.square().add(y.pow(3)), 'saddle', 'higher-order'],
  ['x² - y⁴', (x, y) => x.square().sub(y.pow(4)), 'saddle', 'higher-order'],
  ['-x² + y⁴', (x, y) => y.pow(4).sub(x.square()), 'saddle', 'higher-order'],
  ['x² + y⁴', (x, y) => x.square().add(y.pow(4)), 'degenerate', 'curvature'],
  ['x²', (x, y) => x.square().add(y.mul(0)), 'degenerate', 'curvature'],
  ['0', (x, y) => x.mul(0).add(y.mul(0)), 'degenerate', 'curvature'],
  ['x + y²', (x, y) => x.add(y.square()), 'not-critical', 'gradient'],
  // Beyond the point where it bends down again it says nothing of the origin.
  ['y² + x⁴ - x⁶', (x, y) => y.square().add(x.pow(4)).sub(x.pow(6)), 'degenerate', 'curvature'],
];

onEachBackend('classifyCriticalPoint', () => {
  test.each(known)('%s at the origin', async (_, f, kind, evidence) => {
    for (const exactUpTo of [128, 0]) {
      const found = await classify(f, at(0, 0), { exactUpTo });
      expect([found.kind, found.evidence]).toEqual([kind, evidence]);
      expect(found.explanation).toContain(kind === 'not-critical' ? 'not a critical point' : kind);
    }
    const single = await classify(f, at(0, 0, 'float32'));
    expect(single.kind).toBe(kind);
  });
});

test('eigenvalues and directions are those of the closed form', async () => {
  // [[2, 3], [3, -4]] has the eigenvalues -1 ± √18.
  const found = await classify((x, y) => x.square().add(x.mul(y).mul(3)).sub(y.square().mul(2)), at(0, 0));
  const expected = [-1 - Math.sqrt(18), -1 + Math.sqrt(18)];
  found.eigenvalues.forEach((value, i) =>
    expect(Math.abs(value - expected[i]!)).toBeLessThanOrEqual(1e-6 * Math.abs(expected[i]!)),
  );
  expect(found.isComplete).toBe(true);
  for (const [i, direction] of found.directions.entries()) {
    const [a, b] = await Promise.all(direction.map((part) => part.item()));
    expect(Math.abs(2 * a! + 3 * b! - expected[i]! * a!)).toBeLessThan(1e-12);
    expect(Math.hypot(a!, b!)).toBeCloseTo(1, 12);
  }
});

test('linear networks at the origin: two layers a strict saddle, three a degenerate one', async () => {
  manualSeed(0);
  const x = randn([32, 3]);
  const y = randn([32, 2]);
  const zero = (...sizes: number[]): Variable[] =>
    sizes.slice(1).map(
      (size, i) =>
        new Variable(tensor(new Array(size * sizes[i]!).fill(0), { shape: [sizes[i]!, size] }), {
          requiresGrad: true,
        }),
    );
  const lossOf = (weights: Variable[]) => (): Tensor =>
    mseLoss(
      weights.reduce<Tensor>((h, weight) => h.matmul(weight.capture()), x),
      y,
    );
  const two = zero(3, 4, 2);
  expect(await classifyCriticalPoint(lossOf(two), two)).toMatchObject({ kind: 'saddle', evidence: 'curvature' });
  const three = zero(3, 4, 4, 2);
  const found = await classifyCriticalPoint(lossOf(three), three);
  expect(found).toMatchObject({ kind: 'saddle', evidence: 'higher-order' });
  expect(found.eigenvalues.every((value) => value === 0)).toBe(true);
  expect(await classifyCriticalPoint(lossOf(three), three, { samples: 0 })).toMatchObject({ kind: 'degenerate' });
  for (const weight of three) expect((await weight.data()).every((value) => value === 0)).toBe(true);
});

test('a network that is not at a critical point, by Lanczos', async () => {
  manualSeed(0);
  const model = new Sequential(new Linear(8, 16), new Tanh(), new Linear(16, 1));
  const [x, y] = [randn([32, 8]), randn([32, 1])];
  const found = await classifyCriticalPoint(() => mseLoss(model.forward(x), y), model.parameters());
  expect(found).toMatchObject({ kind: 'not-critical', evidence: 'gradient', isComplete: false });
  expect(found.eigenvalues).toHaveLength(2);
});

test('numbers are printed with their exponents whole', async () => {
  // |x³ - 3xy²| is at most the cube of the distance.
  const { explanation } = await classify((x, y) => x.pow(3).sub(x.mul(y.square()).mul(3)), at(0, 0));
  const [, rise, distance] = /rises by (\S+) and .* within ([^;]+);/.exec(explanation)!;
  expect(Number(rise)).toBeGreaterThan(0);
  expect(Number(rise)).toBeLessThanOrEqual(1.01 * Number(distance) ** 3);
});

describe('what is refused', () => {
  const point = at(0, 0);
  const square: Function = (x, y) => x.square().add(y.square());
  test.each([
    [{ samples: -1 }, /samples is an integer/],
    [{ curvatureTolerance: -1 }, /curvatureTolerance is at least 0/],
    [{ gradientTolerance: NaN }, /gradientTolerance is at least 0/],
  ])('%o', async (options, message) => expect(classify(square, point, options)).rejects.toThrow(message));
  test('a loss that is infinite', async () =>
    expect(classify((x, y) => x.log().add(y), point)).rejects.toThrow(/loss is -Infinity/));
});
