import { backward, gradients, tensor, Variable, type Tensor } from '../../lib';
import { Linear, Dropout, BatchNorm1d, Sequential, Tanh } from '../../lib/nn';
import { crossEntropy } from '../../lib/nn/losses/functional';
import { Generator, manualSeed, randn } from '../../lib/ops/random';
import { hessian, hessianSpectrum } from '../../lib/landscape';
import { runSlices } from '../../lib/graph/program/slices';
import { symmetricEigen } from '../../lib/landscape/symmetric';
import { onEachBackend } from '../helpers/backends';

const float64 = (values: readonly number[]): Tensor => tensor([...values], { dtype: 'float64' });

/** ½ Σ λ x² in a basis that mixes all coordinates: I - 2uuᵀ on both sides. */
function quadratic(eigenvalues: readonly number[]): {
  loss: () => Tensor;
  x: Variable;
  axis: (i: number) => Float64Array;
} {
  const n = eigenvalues.length;
  const u = Float64Array.from({ length: n }, (_, i) => Math.sin(i + 1));
  const length = Math.hypot(...u);
  u.forEach((value, i) => (u[i] = value / length));
  const axis = (i: number): Float64Array => u.map((value, j) => (i === j ? 1 : 0) - 2 * u[i]! * value);
  const x = new Variable(float64(new Array<number>(n).fill(0)), { requiresGrad: true });
  const mirror = tensor(
    Array.from({ length: n }, (_, i) => [...axis(i)]),
    { dtype: 'float64' },
  );
  const lambda = float64(eigenvalues);
  return { x, axis, loss: () => mirror.matmul(x.capture()).square().mul(lambda).sum().mul(0.5) };
}

onEachBackend('hessianSpectrum', () => {
  test('extremes of a quadratic of both signs: values, vectors, residuals', async () => {
    const eigenvalues = Array.from({ length: 60 }, (_, i) => -3 + i / 4 + (i === 59 ? 40 : 0));
    const { loss, x, axis } = quadratic(eigenvalues);
    const found = await hessianSpectrum(loss, [x], { k: 2, smallest: 2, tolerance: 1e-7 });
    expect(found.converged).toBe(true);
    const pairs = [...found.largest, ...found.smallest];
    for (const [i, index] of [59, 58, 0, 1].entries()) {
      const expected = eigenvalues[index]!;
      expect(Math.abs(pairs[i]!.value - expected)).toBeLessThanOrEqual(1e-6 * Math.abs(expected));
      expect(pairs[i]!.residual).toBeLessThanOrEqual(1e-7 * Math.abs(expected) + found.bound);
      const vector = await pairs[i]!.vector[0]!.data();
      const cosine = axis(index).reduce((sum, value, j) => sum + value * Number(vector[j]), 0);
      // sin of the angle is at most residual / gap; the least gap here is 1/4.
      expect(1 - Math.abs(cosine)).toBeLessThan(1e-9);
    }
  });

  test('the restarted form finds the same with a bounded basis', async () => {
    const eigenvalues = Array.from({ length: 200 }, (_, i) => (i - 50) / 10);
    const { loss, x } = quadratic(eigenvalues);
    const found = await hessianSpectrum(loss, [x], { k: 2, tolerance: 1e-5, maxBasis: 24, maxProducts: 400 });
    expect(found.converged).toBe(true);
    expect(found.basisBytes).toBeLessThanOrEqual(200 * 8 * 24);
    const unbounded = await hessianSpectrum(loss, [x], { k: 2, tolerance: 1e-5, maxBasis: 320 });
    expect(found.products).toBeGreaterThan(unbounded.products);
    for (const [i, expected] of [14.9, 14.8].entries())
      expect(Math.abs(found.largest[i]!.value - expected)).toBeLessThan(1e-5 * expected);
    expect(Math.abs(found.smallest[0]!.value + 5)).toBeLessThan(5e-5);
  });

  test('a spectrum with few distinct values ends early and exactly', async () => {
    const { loss, x } = quadratic([...new Array<number>(20).fill(2), ...new Array<number>(20).fill(-1)]);
    const found = await hessianSpectrum(loss, [x]);
    expect(found.products).toBeLessThanOrEqual(3);
    expect(Math.abs(found.largest[0]!.value - 2)).toBeLessThan(1e-12);
    expect(Math.abs(found.smallest[0]!.value + 1)).toBeLessThan(1e-12);
  });

  test('a loss without curvature has the spectrum 0', async () => {
    const x = new Variable(float64([1, 2, 3]), { requiresGrad: true });
    const found = await hessianSpectrum(() => x.capture().sum(), [x]);
    expect([found.largest[0]!.value, found.smallest[0]!.value, found.converged]).toEqual([0, 0, true]);
  });
});

function network(inputs: number, hidden: number, classes: number) {
  manualSeed(1);
  const model = new Sequential(new Linear(inputs, hidden), new Tanh(), new Linear(hidden, classes));
  const x = randn([64, inputs]);
  const y = tensor(Int32Array.from({ length: 64 }, (_, i) => (i * 7) % classes));
  return { model, loss: () => crossEntropy(model.forward(x), y), params: [...model.parameters()] };
}

const isFull = process.env.SADDLEPOINT_TEST_FULL === '1';
/** Inputs, hidden units, classes: 244 parameters; 2,021 in the long form. */
const sizes: [number, number, number] = isFull ? [30, 56, 5] : [10, 16, 4];

test('a network: within 1e-4 of the exact Hessian', async () => {
  const { loss, params } = network(...sizes);
  const exact = await hessian(loss, params);
  const [n] = exact.shape as [number];
  const { values } = runSlices(symmetricEigen(Float64Array.from((await exact.data()) as Float32Array), n));
  const found = await hessianSpectrum(loss, params, { k: 3, smallest: 2, tolerance: 1e-3 });
  const pairs = [...found.largest, ...found.smallest];
  expect(found.converged).toBe(true);
  for (const [i, index] of [n - 1, n - 2, n - 3, 0, 1].entries())
    expect(Math.abs(pairs[i]!.value - values[index]!)).toBeLessThanOrEqual(1e-4 * Math.abs(values[index]!));
});

test('the exact Hessian is symmetric and says what a difference of gradients says', async () => {
  const x = new Variable(float64([0.3, -1.2]), { requiresGrad: true });
  const y = new Variable(tensor([[0.7]], { dtype: 'float64' }), { requiresGrad: true });
  const loss = (): Tensor => x.capture().pow(3).sum().mul(y.capture().sum()).add(y.capture().pow(2).sum());
  const h = await hessian(loss, [x, y]);
  expect(h.shape).toEqual([3, 3]);
  const expected = [6 * 0.3 * 0.7, 0, 3 * 0.09, 0, 6 * -1.2 * 0.7, 3 * 1.44, 3 * 0.09, 3 * 1.44, 2];
  (await h.data()).forEach((value, i) => expect(Number(value)).toBeCloseTo(expected[i]!, 12));
});

describe('what is refused', () => {
  const x = new Variable(tensor([1, 2]), { requiresGrad: true });
  const loss = (): Tensor => x.capture().square().sum();
  const refused: [string, () => Promise<unknown>, RegExp][] = [
    ['no parameters', () => hessianSpectrum(loss, []), /at least one parameter/],
    ['a parameter twice', () => hessianSpectrum(loss, [x, x]), /more than once/],
    ['a plain tensor', () => hessianSpectrum(loss, [tensor([1]) as never]), /not a Variable/],
    ['more eigenvalues than there are', () => hessianSpectrum(loss, [x], { k: 3 }), /k \+ smallest is from 1 to the 2/],
    ['no tolerance', () => hessianSpectrum(loss, [x], { tolerance: 0 }), /tolerance is positive/],
    ['a loss of two numbers', () => hessianSpectrum(() => x.capture().square(), [x]), /returns one number/],
    ['no tensor', () => hessianSpectrum((() => 1) as never, [x]), /returns a tensor/],
    ['no function', () => hessianSpectrum(1 as never, [x]), /loss is a function/],
    ['an infinite Hessian', () => hessianSpectrum(() => x.capture().mul(0).sqrt().sum(), [x]), /not finite/],
    ['a Hessian that fills the memory', () => hessian(() => big.capture().sum(), [big]), /at most 4096/],
  ];
  const big = new Variable(randn([5000]), { requiresGrad: true });
  test.each(refused)('%s', async (_, run, message) => expect(run()).rejects.toThrow(message));

  test('dropout and batch normalisation in training mode, and nothing is left behind', async () => {
    const model = new Sequential(new Linear(3, 4), new BatchNorm1d(4), new Dropout({ p: 0.5 }));
    const input = randn([8, 3]);
    const generator = new Generator(0);
    await input.data();
    const before = JSON.stringify([...((await model.stateDict().get('1.running_mean')!.data()) as Float32Array)]);
    const lossOf = (): Tensor => model.forward(input).square().sum();
    const run = (): Promise<unknown> => hessianSpectrum(lossOf, model.parameters(), { generator });
    await expect(run()).rejects.toThrow(/draws random numbers; put the model into evaluation mode/);
    [...model.children()][2]!.eval();
    await expect(run()).rejects.toThrow(/changes Variables .* evaluation mode/);
    expect(JSON.stringify([...((await model.stateDict().get('1.running_mean')!.data()) as Float32Array)])).toBe(before);
    model.eval();
    await expect(run()).resolves.toMatchObject({ converged: true });
  });

  test('a signal ends the exact Hessian too, which tells its progress', async () => {
    const { loss, params } = network(10, 16, 4);
    const size = params.reduce((sum, parameter) => sum + parameter.size, 0);
    const told: number[] = [];
    await hessian(loss, params, { onProgress: ({ products, maxProducts }) => told.push(products, maxProducts) });
    expect(told.slice(-2)).toEqual([size, size]);
    const controller = new AbortController();
    const run = hessian(loss, params, { signal: controller.signal, onProgress: () => controller.abort() });
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('a signal ends it', async () => {
    const { loss: slow, params } = network(10, 16, 4);
    const controller = new AbortController();
    const run = hessianSpectrum(slow, params, {
      signal: controller.signal,
      onProgress: ({ products }) => products === 3 && controller.abort(),
    });
    await expect(run).rejects.toMatchObject({ name: 'AbortError' });
  });
});

test('the loss is recorded once, however many products there are', async () => {
  const { loss, x } = quadratic(Array.from({ length: 30 }, (_, i) => i * i));
  let calls = 0;
  const counted = (): Tensor => {
    calls++;
    return loss();
  };
  const { products } = await hessianSpectrum(counted, [x], { k: 3, smallest: 3, tolerance: 1e-7 });
  expect(products).toBeGreaterThan(6);
  // Once to see that it is pure, once for all products.
  expect(calls).toBe(2);
});

test('gradients and parameters are as before', async () => {
  const { loss, params } = network(4, 3, 2);
  backward(loss());
  const before = await Promise.all(params.map(({ grad }) => grad!.data()));
  const weights = await Promise.all(params.map((parameter) => parameter.data()));
  await hessianSpectrum(loss, params);
  expect(await Promise.all(params.map(({ grad }) => grad!.data()))).toEqual(before);
  expect(await Promise.all(params.map((parameter) => parameter.data()))).toEqual(weights);
  expect(gradients([loss()], params)).toHaveLength(params.length);
});
