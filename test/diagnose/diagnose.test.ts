import { readFileSync } from 'node:fs';
import path from 'node:path';
import { backward, manualSeed, optim, tensor, type Tensor } from '../../lib';
import { loadDigits } from '../../lib/data';
import { diagnose, type Diagnosis, type Task } from '../../lib/diagnose';
import { lossFor } from '../../lib/diagnose/baselines/losses';
import { batches } from '../../lib/diagnose/further-training';
import { Linear, ReLU, Sequential } from '../../lib/nn';
import type { Layer } from '../../lib/nn/module';

jest.setTimeout(60_000);

interface Data {
  readonly x: Tensor;
  readonly y: Tensor;
}

/** Digits as rows of 64 numbers. */
function digits(from: number, to: number, relabel: (label: number, i: number) => number = (label) => label): Data {
  const { images, labels } = loadDigits();
  const rows = Array.from({ length: to - from }, (_, i) => [...images.slice(64 * (from + i), 64 * (from + i + 1))]);
  return { x: tensor(rows), y: tensor(Int32Array.from(rows, (_, i) => relabel(labels[from + i]!, i))) };
}

/** Breast cancer: features that differ by factors of a hundred thousand; every second row validates. */
function cancer(first: 0 | 1): Data {
  const file = readFileSync(path.join(__dirname, '../data/breast-cancer.csv'), 'utf8').trim().split('\n').slice(1);
  const rows = file.filter((_, i) => i % 2 === first).map((line) => line.split(',').map(Number));
  return { x: tensor(rows.map((row) => row.slice(0, 30))), y: tensor(rows.map((row) => row[30]!)) };
}

interface Optimizer {
  zeroGrad(): void;
  step(closure: () => Tensor): PromiseLike<unknown>;
}

async function train(model: Layer, data: Data, task: Task, optimizer: Optimizer, steps: number): Promise<void> {
  model.train();
  for (const { x, y } of batches(data, steps, 7))
    await optimizer.step(() => {
      optimizer.zeroGrad();
      const loss = lossFor(task)(model.forward(x), y);
      backward(loss);
      return loss;
    });
}

const mlp = (...sizes: number[]): Sequential =>
  new Sequential(
    ...sizes
      .slice(1)
      .flatMap((size, i) => [new Linear(sizes[i]!, size), ...(i + 2 < sizes.length ? [new ReLU()] : [])]),
  );
const adam = (model: Layer): Optimizer => new optim.Adam(model.parameters(), { lr: 3e-3 });

/** A labelling by chance for a share of the samples, the same at every call. */
const noisy =
  (share: number) =>
  (label: number, i: number): number =>
    (i * 7919) % 1000 < 1000 * share ? (i * 31 + 3) % 10 : label;

interface Case {
  readonly title: string;
  readonly verdict: string;
  readonly run: () => Promise<Diagnosis>;
}

const onDigits = async (
  model: Layer,
  fit: (model: Layer, data: Data) => Promise<void>,
  data = digits(0, 1000),
): Promise<Diagnosis> => {
  await fit(model, data);
  return diagnose(model, { train: data, validation: digits(1000, 1400), task: 'multiclass', budget: 20_000 });
};

const cases: readonly Case[] = [
  {
    title: 'a network that learned the digits',
    verdict: 'healthy',
    run: () => onDigits(mlp(64, 64, 10), (model, data) => train(model, data, 'multiclass', adam(model), 600)),
  },
  {
    title: 'one hidden unit for ten classes',
    verdict: 'model-bias',
    run: () => onDigits(mlp(64, 1, 10), (model, data) => train(model, data, 'multiclass', adam(model), 1500)),
  },
  {
    title: 'a learning rate of 1e-5',
    verdict: 'optimisation-failure',
    run: () =>
      onDigits(mlp(64, 64, 10), (model, data) =>
        train(model, data, 'multiclass', new optim.SGD(model.parameters(), { lr: 1e-5 }), 600),
      ),
  },
  {
    title: 'units that are all dead',
    verdict: 'optimisation-failure',
    run: () =>
      onDigits(mlp(64, 64, 10), async (model, data) => {
        const [, bias] = [...model.parameters()];
        bias!.assign(tensor(new Array<number>(64).fill(-100)));
        await train(model, data, 'multiclass', adam(model), 300);
      }),
  },
  {
    title: 'a large network and sixty samples',
    verdict: 'overfitting',
    run: () =>
      onDigits(mlp(64, 256, 10), (model, data) => train(model, data, 'multiclass', adam(model), 600), digits(0, 60)),
  },
  {
    title: 'a third of the labels by chance',
    verdict: 'data',
    run: () =>
      onDigits(
        mlp(64, 256, 10),
        (model, data) => train(model, data, 'multiclass', adam(model), 2500),
        digits(0, 1000, noisy(0.35)),
      ),
  },
  {
    title: 'features that differ by factors of a hundred thousand',
    verdict: 'data',
    run: async () => {
      const model = mlp(30, 32, 1);
      const data = cancer(0);
      await train(model, data, 'binary', new optim.SGD(model.parameters(), { lr: 1e-4 }), 400);
      return diagnose(model, { train: data, validation: cancer(1), task: 'binary', budget: 20_000 });
    },
  },
];

/** The others are of the long tests. */
const short = ['healthy', 'optimisation-failure', 'data'];
const isFull = process.env.SADDLEPOINT_TEST_FULL === '1';
const chosen = cases.filter(({ verdict, title }) => isFull || (short.includes(verdict) && !/labels|dead/.test(title)));

test.each(chosen)('$title: $verdict', async ({ verdict, run }) => {
  manualSeed(0);
  const found = await run();
  expect([found.verdict, found.reason]).toEqual([verdict, expect.any(String)]);
  expect(found.evidence.length).toBeGreaterThan(4);
  expect(found.suggestions.length > 0).toBe(verdict !== 'healthy');
});

test('the model is afterwards as before, and data that do not fit are refused', async () => {
  manualSeed(0);
  const model = mlp(64, 16, 10);
  const data = digits(0, 200);
  model.train();
  backward(model.forward(data.x).square().sum());
  const numbers = async () => {
    const dict = [...model.stateDict().values()];
    const gradients = [...model.parameters()].map(({ grad }) => grad!);
    return Promise.all([...dict, ...gradients].map((value) => value.data()));
  };
  const before = await numbers();
  await diagnose(model, { train: data, validation: data, task: 'multiclass', budget: 5000 });
  expect(await numbers()).toEqual(before);
  expect(model.training).toBe(true);
  const given = { train: data, validation: data, task: 'multiclass' as const };
  await expect(diagnose({} as never, given)).rejects.toThrow(/model is a Module/);
  await expect(diagnose(mlp(64, 5), given)).rejects.toThrow(/gives 1000 numbers for 200 samples/);
  await expect(diagnose(model, { ...given, task: 'regression' })).rejects.toThrow(/regression/);
  await expect(diagnose(model, { ...given, buget: 1 } as never)).rejects.toThrow(/unknown option buget/);
  await expect(diagnose(model, { ...given, signal: AbortSignal.abort() })).rejects.toMatchObject({
    name: 'AbortError',
  });
});
