import { backward, compile, optim, tensor, Variable, where, type Tensor } from '../../lib';
import {
  CurvatureEscape,
  escapeDirection,
  gradientCovariance,
  GradientNoise,
  PerturbedGradient,
  surfaces,
  type Surface,
} from '../../lib/landscape';
import { Linear, Sequential, Tanh } from '../../lib/nn';
import { crossEntropy } from '../../lib/nn/losses/functional';
import { Generator, manualSeed, rand, randn } from '../../lib/ops/random';
import { onEachBackend } from '../helpers/backends';

type Step = (closure: () => Tensor) => PromiseLike<unknown>;

const float64 = (values: readonly number[]): Tensor => tensor([...values], { dtype: 'float64' });
const variable = (values: readonly number[]): Variable => new Variable(float64(values), { requiresGrad: true });
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;
const numbers = async (x: Variable): Promise<number[]> => [...((await x.data()) as Float64Array)];

function closureOf(loss: () => Tensor, x: Variable): () => Tensor {
  return () => {
    x.grad = null;
    const value = loss();
    backward(value);
    return value;
  };
}

/** Where a surface has a strict saddle, how it is started beside it, and the loss that tells that it was left. */
interface Saddle {
  readonly surface: Surface;
  readonly start: readonly number[];
  readonly left: number;
  readonly lr: number;
  /** Variance of gradient noise: gradients are larger on some surfaces. */
  readonly eta: number;
}
const saddles: { readonly [name: string]: Saddle } = {
  saddle: { surface: surfaces.saddle, start: [0, 1e-6], left: -0.01, lr: 0.05, eta: 1 },
  twoLayerNetwork: { surface: surfaces.twoLayerNetwork, start: [1e-6, 0], left: 0.99, lr: 0.05, eta: 1 },
  // The pass at (0.0867, 2.884).
  himmelblau: {
    surface: surfaces.himmelblau,
    start: [0.08667750455539634 + 1e-6, 2.884254701174776],
    left: 67.7,
    lr: 0.001,
    eta: 100,
  },
};
const LIMIT = 5000;

type Wrap = (sgd: optim.SGD, loss: () => Tensor, seed: number, saddle: Saddle) => Step;

/** Steps until the loss is below `left`. */
async function stepsToLeave(saddle: Saddle, wrap: Wrap, seed: number): Promise<number> {
  const { surface, start, left, lr } = saddle;
  const x = variable(start);
  const loss = (): Tensor => surface.loss(x.capture());
  const step = wrap(new optim.SGD([x], { lr }), loss, seed, saddle);
  for (let count = 0; count < LIMIT; count++) {
    const value = closureOf(loss, x);
    let seen!: Tensor;
    await step(() => (seen = value()));
    if ((await seen.item()) < left) return count;
  }
  return LIMIT;
}

const ways: { readonly [name: string]: Wrap } = {
  PerturbedGradient: (sgd, _, seed) => {
    const optimizer = new PerturbedGradient(sgd, {
      radius: 0.2,
      gradientThreshold: 1e-3,
      generator: new Generator(seed),
    });
    return (closure) => optimizer.step(closure);
  },
  GradientNoise: (sgd, _, seed, { eta }) => {
    const optimizer = new GradientNoise(sgd, { eta, generator: new Generator(seed) });
    return (closure) => optimizer.step(closure);
  },
  CurvatureEscape: (sgd, loss, seed) => {
    const optimizer = new CurvatureEscape(sgd, { loss, generator: new Generator(seed) });
    return (closure) => optimizer.step(closure);
  },
};

describe.each(Object.entries(saddles))('1e-6 beside the saddle of %s', (_, saddle) => {
  let plain: number;
  beforeAll(async () => {
    plain = await stepsToLeave(saddle, (sgd) => (closure) => sgd.step(closure), 0);
  });

  test('plain gradient descent stalls', () => {
    expect(plain).toBeGreaterThan(100);
    expect(plain).toBeLessThan(LIMIT);
  });

  test.each(Object.entries(ways))('%s leaves it in a tenth of the steps (median of 20 seeds)', async (__, wrap) => {
    const steps: number[] = [];
    for (let seed = 0; seed < 20; seed++) steps.push(await stepsToLeave(saddle, wrap, seed));
    expect(median(steps)).toBeLessThanOrEqual(plain / 10);
  });
});

test('noise of mini-batches leaves a saddle as well, as its covariance foretells', async () => {
  // Batches agree about the product ab on average, and each pulls a + b its own way.
  const pulls = [2, -2, 1, -1];
  const lossFor = (x: Variable, pull: number) => (): Tensor =>
    surfaces.twoLayerNetwork.loss(x.capture()).add(x.capture().sum().mul(pull));
  const start = variable([1e-6, 0]);
  const { direction, eigenvalue } = await escapeDirection(
    () => surfaces.twoLayerNetwork.loss(start.capture()),
    [start],
  );
  expect(Math.abs(eigenvalue + 2)).toBeLessThan(1e-5);
  const losses = pulls.map((pull) => lossFor(start, pull));
  const { mean, covariance } = await gradientCovariance(losses, [start], [direction]);
  // Along (1, 1)/√2 a batch's gradient is √2 times its pull: variance 2 · 10 / 3.
  expect(Math.abs(mean[0]!)).toBeLessThan(1e-5);
  expect(covariance[0]![0]!).toBeCloseTo(20 / 3, 4);

  const { left, lr } = saddles.twoLayerNetwork!;
  const stepsFor = async (next: () => number): Promise<number> => {
    const x = variable([1e-6, 0]);
    const sgd = new optim.SGD([x], { lr });
    for (let steps = 0; ; steps++) {
      if ((await surfaces.twoLayerNetwork.loss(x.capture()).item()) < left) return steps;
      await sgd.step(closureOf(lossFor(x, next()), x));
    }
  };
  const plain = await stepsFor(() => 0);
  const steps: number[] = [];
  for (let seed = 0; seed < 20; seed++) {
    const order = await rand([1000], { generator: new Generator(seed) }).data();
    let i = 0;
    steps.push(await stepsFor(() => pulls[Math.floor(4 * Number(order[i++]))]!));
  }
  expect(median(steps)).toBeLessThanOrEqual(plain / 10);
});

onEachBackend('PerturbedGradient', () => {
  test('perturbations are uniform in the ball', async () => {
    const x = variable([0, 0]);
    const optimizer = new PerturbedGradient(new optim.SGD([x], { lr: 0.1 }), { radius: 2, every: 1, restore: false });
    const radii: number[] = [];
    const mean = [0, 0];
    const count = 1000;
    for (let i = 0; i < count; i++) {
      x.assign(float64([0, 0]));
      await optimizer.step(closureOf(() => x.capture().sum().mul(0), x));
      const [a, b] = (await numbers(x)) as [number, number];
      radii.push((Math.hypot(a, b) / 2) ** 2);
      mean[0]! += a / count;
      mean[1]! += b / count;
    }
    // Squared radii of a disc are uniform: Kolmogorov and Smirnov's bound for one in a thousand is 1.95 / √n.
    radii.sort((a, b) => a - b);
    expect(radii.at(-1)).toBeLessThanOrEqual(1 + 1e-12);
    const distance = Math.max(...radii.map((u, i) => Math.max(Math.abs(u - i / count), Math.abs(u - (i + 1) / count))));
    expect(distance).toBeLessThan(1.95 / Math.sqrt(count));
    // A coordinate has the variance r²/4 = 1.
    for (const value of mean) expect(Math.abs(value)).toBeLessThan(4 / Math.sqrt(count));
  });

  test('long gradients are left alone, bit for bit', async () => {
    const [x, y] = [variable([3, -2]), variable([3, -2])];
    const wrapped = new PerturbedGradient(new optim.Adam([x], { lr: 0.1 }));
    const plain = new optim.Adam([y], { lr: 0.1 });
    for (let i = 0; i < 20; i++) {
      await wrapped.step(closureOf(() => surfaces.ravine.loss(x.capture()), x));
      await plain.step(closureOf(() => surfaces.ravine.loss(y.capture()), y));
    }
    expect(await numbers(x)).toEqual(await numbers(y));
  });

  test('a minimum is come back to, and left in peace', async () => {
    const x = variable([0, 0]);
    // The step is too short to come down again by itself.
    const optimizer = new PerturbedGradient(new optim.SGD([x], { lr: 1e-9 }), { radius: 1, every: 5 });
    const places: string[] = [];
    for (let i = 0; i < 30; i++) {
      await optimizer.step(closureOf(() => surfaces.ravine.loss(x.capture()), x));
      places.push((await numbers(x)).map((value) => value.toFixed(3)).join());
    }
    expect(places[0]).not.toBe('0.000,0.000');
    expect(places.slice(6).every((place) => place.replaceAll('-', '') === '0.000,0.000')).toBe(true);
  });

  test('what goes back is there to the last bit, also at a large rate and from a loss that is no number', async () => {
    const x = variable([0, 0]);
    const optimizer = new PerturbedGradient(new optim.SGD([x], { lr: 1.5 }), { radius: 1, every: 5 });
    for (let i = 0; i < 12; i++) await optimizer.step(closureOf(() => x.capture().square().sum().mul(0.8), x));
    expect((await numbers(x)).map(Math.abs)).toEqual([0, 0]);
    const y = variable([0, 0]);
    const other = new PerturbedGradient(new optim.SGD([y], { lr: 0.01 }), { radius: 1, every: 2 });
    const loss = (): Tensor => {
      const square = y.capture().square().sum();
      return where(square.gt(1e-6), float64([NaN]).sum(), 0).add(square.mul(0));
    };
    const seen: boolean[] = [];
    for (let i = 0; i < 8; i++) {
      await other.step(closureOf(loss, y));
      seen.push(Number.isNaN(await loss().item()));
    }
    expect(seen).toContain(true);
    expect((await numbers(y)).map(Math.abs)).toEqual([0, 0]);
  });

  test('a saddle far above zero is judged as one at zero', async () => {
    const ends: number[] = [];
    for (const height of [0, 100]) {
      const x = variable([0, 0]);
      const optimizer = new PerturbedGradient(new optim.SGD([x], { lr: 0.01 }), { radius: 1e-4 });
      for (let i = 0; i < 600; i++)
        await optimizer.step(closureOf(() => surfaces.saddle.loss(x.capture()).add(height), x));
      ends.push((await numbers(x))[1]!);
    }
    expect(Math.abs(ends[1]! / ends[0]! - 1)).toBeLessThan(1e-6);
  });

  test('steps that nobody awaits, compiled steps and resumed runs give the same bits', async () => {
    const run = async (how: 'awaited' | 'queued' | 'compiled' | 'resumed'): Promise<number[]> => {
      let x = variable([1e-6, 0]);
      const options = () => ({ radius: 0.3, every: 3, generator: new Generator(7) });
      let optimizer = new PerturbedGradient(new optim.SGD([x], { lr: 0.05, momentum: 0.5 }), options());
      const step = (): unknown => optimizer.step(closureOf(() => surfaces.twoLayerNetwork.loss(x.capture()), x));
      const compiled = compile(() => void step());
      for (let i = 0; i < 12; i++) {
        if (how === 'compiled') compiled();
        else if (how === 'queued') void step();
        else await (step() as Promise<void>);
        if (how !== 'resumed' || i !== 6) continue;
        const dict = optimizer.stateDict();
        x = variable(await numbers(x));
        optimizer = new PerturbedGradient(new optim.SGD([x], { lr: 0.05, momentum: 0.5 }), options());
        optimizer.loadStateDict(dict as never);
      }
      return numbers(x);
    };
    const expected = await run('awaited');
    expect(expected.some((value) => Math.abs(value) > 0.01)).toBe(true);
    for (const how of ['queued', 'compiled', 'resumed'] as const)
      expect([how, await run(how)]).toEqual([how, expected]);
  });
});

test('a network: perturbations never end above the optimizer alone beyond the noise of seeds (20 seeds)', async () => {
  // Eight features of made data with three classes; few steps, so that both are still on their way or at a stall.
  const train = async (seed: number, wraps: boolean): Promise<number> => {
    manualSeed(seed);
    const model = new Sequential(new Linear(8, 8), new Tanh(), new Linear(8, 3));
    const x = randn([48, 8], { generator: new Generator(100) });
    const y = tensor(Int32Array.from({ length: 48 }, (_, i) => (i * i) % 3));
    const sgd = new optim.SGD(model.parameters(), { lr: 0.3, momentum: 0.9 });
    const optimizer = wraps
      ? new PerturbedGradient(sgd, { radius: 0.05, gradientThreshold: 0.02, every: 20, generator: new Generator(seed) })
      : sgd;
    const loss = (): Tensor => crossEntropy(model.forward(x), y);
    const step: Step = (closure) => optimizer.step(closure);
    for (let i = 0; i < 150; i++)
      await step(() => {
        optimizer.zeroGrad();
        const value = loss();
        backward(value);
        return value;
      });
    return loss().item();
  };
  const differences: number[] = [];
  let perturbed = 0;
  for (let seed = 0; seed < 20; seed++) {
    const [alone, wrapped] = [await train(seed, false), await train(seed, true)];
    differences.push(wrapped - alone);
    if (wrapped !== alone) perturbed++;
  }
  expect(perturbed).toBeGreaterThan(10);
  // Student's t for 19 degrees of freedom: 2.54 is exceeded by chance once in a hundred times.
  const mean = differences.reduce((sum, value) => sum + value, 0) / 20;
  const deviation = Math.sqrt(differences.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 19);
  expect(mean).toBeLessThanOrEqual((2.54 * deviation) / Math.sqrt(20));
});

test('gradient noise has the variance eta / (1 + t)^gamma', async () => {
  const x = new Variable(tensor(new Array<number>(20_000).fill(0)), { requiresGrad: true });
  const optimizer = new GradientNoise(new optim.SGD([x], { lr: 1 }), { eta: 0.5, gamma: 1 });
  for (let t = 0; t < 3; t++) {
    x.assign(tensor(new Array<number>(20_000).fill(0)));
    await optimizer.step(closureOf(() => x.capture().sum().mul(0), x));
    const values = [...((await x.data()) as Float32Array)];
    const variance = values.reduce((sum, value) => sum + value ** 2, 0) / values.length;
    // The variance of a variance of Gaussians is 2 σ⁴ / n.
    expect(Math.abs(variance / (0.5 / (1 + t)) - 1)).toBeLessThan(4 * Math.sqrt(2 / values.length));
  }
});

test('escapeDirection goes down the saddle, and nowhere from a minimum', async () => {
  const x = variable([0, 0]);
  const found = await escapeDirection(() => surfaces.saddle.loss(x.capture()), [x], { maxStep: 3 });
  const [a, b] = [...((await found.direction[0]!.data()) as Float64Array)] as [number, number];
  expect(Math.abs(a)).toBeLessThan(1e-6);
  expect(Math.abs(b)).toBeCloseTo(1, 9);
  expect(found.step).toBeGreaterThan(1.5);
  expect(found.lossAfter).toBeCloseTo(-(found.step ** 2), 9);
  expect(await numbers(x)).toEqual([0, 0]);
  expect(await escapeDirection(() => surfaces.ravine.loss(x.capture()), [x])).toMatchObject({ step: 0, lossAfter: 0 });
});

test.each(['SGD', 'Adam', 'LBFGS', 'Muon'] as const)('every wrapper takes %s', async (name) => {
  for (const wrap of [
    (o: optim.SGD) => new PerturbedGradient(o),
    (o: optim.SGD) => new GradientNoise(o, { eta: 1e-4 }),
    (o: optim.SGD, loss: () => Tensor) => new CurvatureEscape(o, { loss }),
  ]) {
    const x = new Variable(
      tensor([
        [0.4, -0.3],
        [0.2, 0.9],
      ]),
      { requiresGrad: true },
    );
    const loss = (): Tensor => x.capture().square().sum();
    const optimizer = wrap(new optim[name]([x], { lr: 0.05 }) as unknown as optim.SGD, loss);
    const before = await loss().item();
    for (let i = 0; i < 10; i++) await optimizer.step(closureOf(loss, x));
    expect(await loss().item()).toBeLessThan(before);
    expect(optimizer.paramGroups[0]!.lr).toBe(0.05);
  }
});

describe('what is refused', () => {
  const x = variable([1, 1]);
  const sgd = new optim.SGD([x], { lr: 0.1 });
  test.each<[string, () => unknown, RegExp]>([
    ['no optimizer', () => new PerturbedGradient({} as never), /wraps an optimizer/],
    ['a negative radius', () => new PerturbedGradient(sgd, { radius: -1 }), /radius/],
    ['no steps between', () => new PerturbedGradient(sgd, { every: 0 }), /every is an integer/],
    ['an unknown option', () => new GradientNoise(sgd, { sigma: 1 } as never), /unknown option sigma/],
    ['a negative variance', () => new GradientNoise(sgd, { eta: -1 }), /eta/],
    ['a wrapper in a wrapper', () => new GradientNoise(new PerturbedGradient(sgd)), /one way out at a time/],
    ['no loss', () => new CurvatureEscape(sgd, {} as never), /needs \{ loss \}/],
    ['no closure', () => new GradientNoise(sgd).step({} as never), /takes a closure/],
    ['a closure without backward', () => new PerturbedGradient(sgd).step(() => x.capture().sum()), /has a gradient/],
    ['a state dict of something else', () => new GradientNoise(sgd).loadStateDict({} as never), /state dict/],
  ])('%s', (_, run, message) => expect(run).toThrow(message));
  test('a state dict without generator changes nothing', async () => {
    const optimizer = new GradientNoise(sgd);
    await optimizer.step(closureOf(() => x.capture().sum(), x));
    const { generator: _, ...rest } = optimizer.stateDict();
    const fresh = new GradientNoise(sgd);
    expect(() => fresh.loadStateDict(rest as never)).toThrow(/no generator/);
    expect(await fresh.stateDict().state.steps!.item()).toBe(0);
  });
  test('directions that do not fit', async () =>
    expect(gradientCovariance([() => x.capture().sum()], [x], [[tensor([1])]])).rejects.toThrow(/has shape \[1\]/));
  test('one batch', async () =>
    expect(gradientCovariance([() => x.capture().sum()], [x], [[float64([1, 0])]])).rejects.toThrow(/two batches/));
});
