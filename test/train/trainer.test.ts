import path from 'node:path';
import { manualSeed, nn, noGrad } from '../../lib';
import { setThreads } from '../../lib/backend';
import { DataLoader } from '../../lib/data/loader';
import { ValueError } from '../../lib/errors';
import { loadWeights, saveWeights } from '../../lib/io';
import { Adam, LBFGS, StepLR } from '../../lib/optim';
import {
  convolutionalNetwork,
  evaluateClassifier,
  trainClassifier,
  type EpochRecord,
  type TrainOptions,
} from '../../lib/train';
import { onEachBackend } from '../helpers/backends';
import { temporaryDirectory } from '../helpers/temporary-directory';
import { madeDataset } from './made';

const dataset = madeDataset();
const directory = temporaryDirectory();

function make(options: Partial<TrainOptions> = {}): TrainOptions & { model: nn.Sequential } {
  manualSeed(3);
  const model = convolutionalNetwork(dataset.imageShape, dataset.classes);
  const optimizer = new Adam(model.parameters(), { lr: 0.01 });
  return { dataset, optimizer, epochs: 4, batchSize: 16, seed: 1, ...options, model };
}

const weightsOf = (model: nn.Module): number[] => [...model.parameters()].flatMap((p) => [...p.dataSync()].map(Number));
const withoutTime = (history: readonly EpochRecord[]): object[] => history.map(({ seconds: _, ...record }) => record);

onEachBackend('trainClassifier', (backend) => {
  test('learns, and says how it went', async () => {
    const seen: EpochRecord[] = [];
    const batches: number[] = [];
    const options = make({
      epochs: 8,
      onEpoch: (record) => seen.push(record),
      onBatch: ({ batch, batches: all }) => batches.push(batch / all),
    });
    const history = await trainClassifier(options);
    expect(seen).toEqual(history);
    expect(history.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(batches).toHaveLength(8 * 3);
    expect(Math.max(...batches)).toBe(1);
    expect(history.at(-1)!.testAccuracy).toBe(1);
    expect(history.at(-1)!.trainLoss).toBeLessThan(history[0]!.trainLoss / 2);
    for (const record of history) expect(record.seconds).toBeGreaterThan(0);
  });

  test('gives the same bits every time, and for any number of threads', async () => {
    const runs: { weights: number[]; history: object[] }[] = [];
    for (const threads of backend === 'native' ? [1, 2, 2] : [1, 1]) {
      setThreads(threads);
      const options = make();
      const history = await trainClassifier(options);
      runs.push({ weights: weightsOf(options.model), history: withoutTime(history) });
    }
    for (const run of runs) expect(run).toEqual(runs[0]);
  });

  test('L-BFGS trains too, and its loss is that before each step', async () => {
    const { model, ...options } = make({ epochs: 3, batchSize: 20 });
    const optimizer = new LBFGS(model.parameters(), { maxIter: 4, lineSearchFn: 'strongWolfe' });
    const flat = new nn.Sequential(new nn.Flatten(), new nn.Linear(16, 3));
    const still = new LBFGS(flat.parameters(), { lr: 0, maxIter: 2 });
    const history = await trainClassifier({ ...options, model, optimizer });
    expect(history.at(-1)!.testAccuracy).toBe(1);
    // With a rate of 0 the weights stay.
    const [record] = await trainClassifier({ ...options, epochs: 1, model: flat, optimizer: still });
    const { loss } = await evaluateClassifier(flat, dataset, { indices: dataset.train });
    expect(record!.trainLoss).toBeCloseTo(loss, 5);
  });

  test('another seed gives another order', async () => {
    const [a, b] = [make({ epochs: 1 }), make({ epochs: 1, seed: 2 })];
    await trainClassifier(a);
    await trainClassifier(b);
    expect(weightsOf(b.model)).not.toEqual(weightsOf(a.model));
  });

  test('the training loss is weighted by samples, as each batch saw it', async () => {
    // 48 images in batches of 20: 20, 20 and 8. With a learning rate of 0 the weights stay.
    const options = make({ epochs: 1, batchSize: 20 });
    const model = new nn.Sequential(new nn.Flatten(), new nn.Linear(16, 3));
    const [record] = await trainClassifier({ ...options, model, optimizer: new Adam(model.parameters(), { lr: 0 }) });
    const { loss } = await evaluateClassifier(model, dataset, { indices: dataset.train });
    expect(record!.trainLoss).toBeCloseTo(loss, 5);
  });

  test('the schedule moves with every batch', async () => {
    const options = make({ epochs: 2 });
    const scheduler = new StepLR(options.optimizer, 1, { gamma: 0.5 });
    const history = await trainClassifier({ ...options, scheduler });
    expect(history.map(({ lr }) => lr)).toEqual([0.01 / 4, 0.01 / 32]);
  });

  test('stops when it is asked to, with the epochs that are complete', async () => {
    const controller = new AbortController();
    const history = await trainClassifier(
      make({ epochs: 50, signal: controller.signal, onBatch: ({ epoch }) => epoch === 3 && controller.abort() }),
    );
    expect(history).toHaveLength(2);
  });

  test('lets the event loop turn', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    await trainClassifier(make());
    clearInterval(timer);
    expect(turns).toBeGreaterThan(5);
  });

  test('a label without a class is an error, and the process lives on', async () => {
    const labels = dataset.labels.map((label, i) => (i === 40 ? 7 : label));
    const training = trainClassifier(make({ dataset: { ...dataset, labels } }));
    await expect(training).rejects.toThrow(/crossEntropy.*7/);
    expect((await trainClassifier(make({ epochs: 1 }))).length).toBe(1);
  });

  test.each([0, 1.5, NaN])('refuses %d epochs', async (epochs) => {
    await expect(trainClassifier(make({ epochs }))).rejects.toThrow(ValueError);
  });

  test('refuses a batch size of 0', async () => {
    await expect(trainClassifier(make({ batchSize: 0 }))).rejects.toThrow(/batchSize/);
  });

  test('evaluation is exact, and leaves modes and running statistics as they were', async () => {
    const { model } = make();
    model.at(1)!.eval();
    const modes = [...model.modules()].map((module) => module.training);
    const { accuracy, loss } = await evaluateClassifier(model, dataset, { batchSize: 5 });
    expect([...model.modules()].map((module) => module.training)).toEqual(modes);
    expect((model.at(1) as nn.BatchNorm2d).numBatchesTracked!.itemSync()).toBe(0);
    model.eval();
    const [batch] = new DataLoader(dataset, { indices: dataset.test, batchSize: 100 });
    const logits = noGrad(() => model.forward(batch!.images));
    const rows = Array.from({ length: 12 }, (_, i) => [...logits.dataSync()].slice(3 * i, 3 * i + 3).map(Number));
    const labels = [...batch!.labels.dataSync()].map(Number);
    const correct = rows.filter((row, i) => row.indexOf(Math.max(...row)) === labels[i]);
    expect(accuracy).toBe(correct.length / 12);
    const losses = rows.map((row, i) => Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - row[labels[i]!]!);
    expect(loss).toBeCloseTo(losses.reduce((a, b) => a + b, 0) / 12, 5);
  });

  test('weights survive a file', async () => {
    const options = make({ epochs: 1 });
    await trainClassifier(options);
    const file = path.join(directory, `${backend}.safetensors`);
    await saveWeights(file, options.model.stateDict());
    const copy = convolutionalNetwork(dataset.imageShape, dataset.classes);
    copy.loadStateDict(loadWeights(file));
    expect(weightsOf(copy)).toEqual(weightsOf(options.model));
    expect(await evaluateClassifier(copy, dataset)).toEqual(await evaluateClassifier(options.model, dataset));
  });
});

test('large images are halved once more', () => {
  const small = convolutionalNetwork([1, 8, 8], 10);
  const large = convolutionalNetwork([1, 28, 28], 10);
  expect([...large].length).toBe([...small].length + 1);
});
