import { tensor } from '../../lib';
import { Examination } from '../../lib/diagnose/examination';
import { readSamples } from '../../lib/diagnose/measure';
import { standingOf } from '../../lib/diagnose/standing';
import { Linear } from '../../lib/nn';

const x = tensor([
  [1, 0],
  [0, 2],
  [1, 1],
  [-1, 3],
]);
const y = tensor([[1], [4], [3], [5]]);

/** y = a x + b z without a bias, of which the first weights are given. */
async function examine(weights: readonly [number, number], budget = 10_000): Promise<Examination> {
  const model = new Linear(2, 1, { bias: false });
  model.weight.assign(tensor([weights]));
  const data = await readSamples('test', { x, y }, 'regression');
  return new Examination(model, data, data, 'regression', 0, undefined, budget, undefined);
}

// Half the second derivative of the mean square error is XᵀX / n, with X = [[3, -2], [-2, 14]].
const curvatures = [-1, 1].map((sign) => (17 + sign * Math.sqrt(17 ** 2 - 4 * (3 * 14 - 4))) / 2 / 2);

test('at the optimum of least squares: a minimum with the curvature of the normal equations', async () => {
  const standing = (await standingOf(await examine([1, 2]), { x, y }))!;
  expect(standing.kind).toBe('minimum');
  expect(standing.gradientNorm).toBeLessThan(1e-6);
  expect(standing.smallestCurvature).toBeCloseTo(curvatures[0]!, 4);
  expect(standing.largestCurvature).toBeCloseTo(curvatures[1]!, 4);
});

test('elsewhere no critical point; the model keeps its mode', async () => {
  const examination = await examine([0, 0]);
  examination.model.train();
  expect((await standingOf(examination, { x, y }))!.kind).toBe('not-critical');
  expect(examination.model.training).toBe(true);
});

test('nothing without time, or where the loss is not finite', async () => {
  expect(await standingOf(await examine([0, 0], 1e-9), { x, y })).toBeNull();
  expect(await standingOf(await examine([1e30, 0]), { x, y })).toBeNull();
});
