import { grad, hessian, tensor, Variable } from '../../lib';
import { classifyCriticalPoint, surfaces, type Surface } from '../../lib/landscape';

const all = Object.entries<Surface>(surfaces);
const points = all.flatMap(([name, surface]) => surface.criticalPoints.map((known) => ({ name, surface, known })));
const vector = (values: readonly number[]) => tensor([...values], { dtype: 'float64' });

test.each(points)('$name at $known.point: value, gradient, eigenvalues', ({ surface, known }) => {
  const at = vector(known.point);
  const scale = Math.max(1, ...known.point.map(Math.abs)) ** 4;
  expect(Math.abs(surface.loss(at).itemSync() - known.value)).toBeLessThan(1e-12 * scale * Math.max(1, known.value));
  const gradient = grad((x) => surface.loss(x))(at).dataSync() as Float64Array;
  expect(Math.hypot(...gradient)).toBeLessThan(1e-9);
  // The trace and the sum of squares fix two eigenvalues, and for the others here they say as much.
  if (known.eigenvalues === undefined) return;
  const h = [...(hessian((x) => surface.loss(x), at).dataSync() as Float64Array)];
  const n = known.point.length;
  const sums = [
    h.reduce((sum, value, i) => sum + (i % (n + 1) === 0 ? value : 0), 0),
    h.reduce((sum, value) => sum + value ** 2, 0),
  ];
  const expected = [1, 2].map((power) => known.eigenvalues!.reduce((sum, value) => sum + value ** power, 0));
  sums.forEach((value, i) =>
    expect(Math.abs(value - expected[i]!)).toBeLessThanOrEqual(1e-6 * Math.abs(expected[i]!) + 1e-12),
  );
});

test.each(points)('$name at $known.point is a $known.kind', async ({ surface, known }) => {
  const x = new Variable(vector(known.point), { requiresGrad: true });
  const found = await classifyCriticalPoint(() => surface.loss(x.capture()), [x], { gradientTolerance: 1e-8 });
  if (known.isDegenerate !== true) expect([found.kind, found.evidence]).toEqual([known.kind, 'curvature']);
  else if (known.kind === 'saddle') expect(found.kind).toBe('saddle');
  // That a flat valley of minima is no saddle is what samples can show, and no more.
  else expect(found.kind).toBe('degenerate');
  known.eigenvalues?.forEach((value, i) =>
    expect(Math.abs(found.eigenvalues[i]! - value)).toBeLessThanOrEqual(1e-6 * Math.abs(value) + found.tolerance),
  );
});

test('degenerate saddles are told by higher orders, strict ones by curvature', async () => {
  const classify = (surface: Surface) => {
    const x = new Variable(vector(surface.criticalPoints[0]!.point), { requiresGrad: true });
    return classifyCriticalPoint(() => surface.loss(x.capture()), [x]);
  };
  for (const surface of [surfaces.monkeySaddle, surfaces.threeLayerNetwork])
    expect(await classify(surface)).toMatchObject({ kind: 'saddle', evidence: 'higher-order' });
  for (const surface of [surfaces.saddle, surfaces.twoLayerNetwork])
    expect(await classify(surface)).toMatchObject({ kind: 'saddle', evidence: 'curvature' });
});

test.each(all)(
  '%s: start and points have its dimensions, points are in the picture',
  (_, { start, domain, criticalPoints }) => {
    for (const { point } of criticalPoints) {
      expect(point).toHaveLength(start.length);
      domain.forEach(([least, most], i) => {
        expect(point[i]).toBeGreaterThanOrEqual(least);
        expect(point[i]).toBeLessThanOrEqual(most);
      });
    }
  },
);
