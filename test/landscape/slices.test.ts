import { tensor, Variable, type Tensor } from '../../lib';
import {
  interpolate,
  lineSlice,
  planeSlice,
  projectPath,
  randomDirections,
  sharpness,
  surfaces,
} from '../../lib/landscape';
import { Conv2d, Flatten, Linear, Sequential } from '../../lib/nn';
import { Generator, manualSeed } from '../../lib/ops/random';
import { onEachBackend } from '../helpers/backends';

const float64 = (values: readonly number[]): Tensor => tensor([...values], { dtype: 'float64' });
const variable = (values: readonly number[]): Variable => new Variable(float64(values), { requiresGrad: true });
const numbers = async (x: Tensor | Variable): Promise<number[]> => [...((await x.data()) as Float64Array)];
const norm = (values: readonly number[]): number => Math.hypot(...values);

onEachBackend('slices', () => {
  test('interpolate is the loss on the line between two points', async () => {
    const x = variable([5, 5]);
    const loss = (): Tensor => surfaces.rosenbrock.loss(x.capture());
    const found = await interpolate(loss, [x], [float64([-1, 1])], [float64([1, 1])], { points: 5 });
    expect([...found.alpha]).toEqual([0, 0.25, 0.5, 0.75, 1]);
    const expected = [-1, -0.5, 0, 0.5, 1].map((a) => (1 - a) ** 2 + 100 * (1 - a ** 2) ** 2);
    found.loss.forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 10));
    expect(await numbers(x)).toEqual([5, 5]);
  });

  test('a plane: rows are the second direction', async () => {
    const x = variable([1, 2]);
    const loss = (): Tensor => surfaces.saddle.loss(x.capture());
    const progress: number[] = [];
    const found = await planeSlice(loss, [x], [[float64([1, 0])], [float64([0, 1])]], {
      points: 3,
      ranges: [
        [-1, 1],
        [0, 2],
      ],
      onProgress: ({ done }) => progress.push(done),
    });
    expect(found.loss.map((row) => [...row])).toEqual(
      [0, 1, 2].map((b) => [0, 1, 2].map((a) => a ** 2 - (2 + b) ** 2)),
    );
    expect(progress).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const line = await lineSlice(loss, [x], [float64([0, 1])], { range: [0, 2], points: 3 });
    expect([...line.loss]).toEqual([-3, -8, -15]);
  });

  test('the path is projected on its principal components', async () => {
    // Points on an ellipse in a plane of three dimensions, with the last one in the middle of it.
    const [u, v] = [
      [2 / 3, 2 / 3, 1 / 3],
      [-2 / 3, 1 / 3, 2 / 3],
    ] as const;
    const at = (a: number, b: number): Tensor[] => [float64([0, 1, 2].map((i) => 7 + a * u[i]! + b * v[i]!))];
    const angles = Array.from({ length: 8 }, (_, i) => (i * Math.PI) / 4);
    const points = [...angles.map((t) => at(3 * Math.cos(t), Math.sin(t))), at(0, 0)];
    const x = variable([0, 0, 0]);
    const found = await projectPath([x], points);
    expect(found.explained[0]).toBeCloseTo(0.9, 10);
    expect(found.explained[1]).toBeCloseTo(0.1, 10);
    const [first, second] = [await numbers(found.directions[0][0]!), await numbers(found.directions[1][0]!)];
    for (const [direction, expected] of [
      [first, u],
      [second, v],
    ] as const) {
      expect(norm(direction)).toBeCloseTo(1, 10);
      expect(Math.abs(direction.reduce((sum, value, i) => sum + value * expected[i]!, 0))).toBeCloseTo(1, 10);
    }
    for (const [i, [a, b]] of found.coordinates.entries()) {
      const point = await numbers(points[i]![0]!);
      point.forEach((value, d) => expect(7 + a * first[d]! + b * second[d]!).toBeCloseTo(value, 9));
    }
  });

  test('sharpness of a quadratic is that of its steepest axis', async () => {
    const x = variable([1e-3, 1e-3]);
    const found = await sharpness(() => surfaces.ravine.loss(x.capture()), [x], { radius: 0.5, steps: 8 });
    // ½ · 100 · 0.5² from the middle, and the start is next to it.
    expect(found.highest).toBeGreaterThan(12.4);
    expect(found.highest).toBeLessThan(50 * 0.502 ** 2);
    expect(found.sharpness).toBe(found.highest - found.loss);
    const tiny = new Variable(tensor([1e-26]), { requiresGrad: true });
    const there = await sharpness(() => tiny.capture().square().sum(), [tiny], { steps: 1 });
    expect(there.highest).toBeCloseTo(0.0025, 7);
    const still = variable([0, 0]);
    expect((await sharpness(() => surfaces.ravine.loss(still.capture()), [still])).sharpness).toBe(0);
  });
});

test('filter normalisation gives every filter the length of its weights', async () => {
  manualSeed(0);
  const model = new Sequential(new Conv2d(2, 3, 3), new Flatten(), new Linear(12, 4));
  const params = [...model.parameters()];
  const [byFilter, other] = (await randomDirections(params)) as [Tensor[], Tensor[]];
  const [byLayer] = (await randomDirections(params, { normalize: 'layer', count: 1 })) as [Tensor[]];
  expect(await numbers(byFilter[0]!)).not.toEqual(await numbers(other[0]!));
  for (const [i, parameter] of params.entries()) {
    const [weights, filters, layer] = [
      await numbers(parameter),
      await numbers(byFilter[i]!),
      await numbers(byLayer[i]!),
    ];
    if (parameter.rank < 2) {
      expect([...filters, ...layer].every((value) => value === 0)).toBe(true);
      continue;
    }
    const size = weights.length / parameter.shape[0]!;
    const ratio = (of: number[], start: number, end: number): number =>
      norm(of.slice(start, end)) / norm(weights.slice(start, end));
    // Lengths of up to 18 float32 elements.
    for (let start = 0; start < weights.length; start += size)
      expect(ratio(filters, start, start + size)).toBeCloseTo(1, 5);
    expect(ratio(layer, 0, weights.length)).toBeCloseTo(1, 5);
    expect(ratio(layer, 0, size)).not.toBeCloseTo(1, 3);
  }
  const again = await randomDirections(params, { generator: new Generator(0) });
  expect(await numbers(again[0]![0]!)).toEqual(await numbers(byFilter[0]!));
});

describe('what is refused', () => {
  const x = variable([1, 1]);
  const loss = (): Tensor => x.capture().sum();
  const direction = [float64([1, 0])];
  test.each<[string, () => Promise<unknown>, RegExp]>([
    ['a direction of another shape', () => lineSlice(loss, [x], [tensor([1])]), /has shape \[1\]/],
    ['one point', () => lineSlice(loss, [x], direction, { points: 1 }), /points is an integer of at least 2/],
    ['an empty range', () => lineSlice(loss, [x], direction, { range: [1, 1] }), /range is two finite numbers/],
    ['one direction of a plane', () => planeSlice(loss, [x], [direction]), /two directions/],
    ['a path of two points', () => projectPath([x], [direction, direction]), /three points/],
    ['a path on a line', () => projectPath([x], [direction, direction, [float64([0, 0])]]), /on a line/],
    ['an unknown normalisation', () => randomDirections([x], { normalize: 'weights' as never }), /normalize is one of/],
    ['no radius', () => sharpness(loss, [x], { radius: 0 }), /radius is positive/],
    ['an aborted signal', () => lineSlice(loss, [x], direction, { signal: AbortSignal.abort() }), /aborted/],
  ])('%s', async (_, run, message) => expect(run()).rejects.toThrow(message));
});
