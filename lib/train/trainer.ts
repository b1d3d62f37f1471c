import { backward } from '../autodiff/backward';
import type { Dataset } from '../data/dataset';
import { DataLoader } from '../data/loader';
import { readItem } from '../graph/reading';
import { crossEntropy } from '../nn/losses/functional';
import type { Layer } from '../nn/module';
import { checkInteger } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { evaluateClassifier } from './evaluate';
import { Pipeline } from './pipeline';

/** One line of a training's history. */
export interface EpochRecord {
  /** From 1. */
  readonly epoch: number;
  /** Mean over the images of the epoch, as they were trained with. */
  readonly trainLoss: number;
  readonly testLoss: number;
  readonly testAccuracy: number;
  /** The learning rate of the epoch's last step. */
  readonly lr: number;
  readonly seconds: number;
}

export interface BatchProgress {
  readonly epoch: number;
  readonly epochs: number;
  /** From 1. */
  readonly batch: number;
  readonly batches: number;
}

/** What the trainer uses of an optimizer: LBFGS calls the closure several times a step, all others once. */
export interface TrainingOptimizer {
  readonly paramGroups: readonly { readonly lr: number }[];
  zeroGrad(): void;
  step(closure: () => Tensor): Promise<unknown>;
}

export interface TrainOptions {
  model: Layer;
  dataset: Dataset;
  optimizer: TrainingOptimizer;
  epochs: number;
  /** Moved on after every batch. */
  scheduler?: { step(): void } | undefined;
  batchSize?: number;
  /** Of the order of the images; the default generator's where not given. */
  seed?: number | undefined;
  onBatch?: (progress: BatchProgress) => void;
  onEpoch?: (record: EpochRecord) => void;
  /** Stops after the batch in progress; the epochs completed so far are returned. */
  signal?: AbortSignal;
}

/**
 * Trains a classifier by cross-entropy and tests it after every epoch. Never blocks the event loop: numbers are read only
 * when they are there. Throws ValueError for epochs or a batch size below 1.
 *
 *     const optimizer = new Adam(model.parameters());
 *     const history = await trainClassifier({ model, dataset: loadDigits(), optimizer, epochs: 10 });
 */
export async function trainClassifier(options: TrainOptions): Promise<EpochRecord[]> {
  const { model, dataset, epochs, batchSize = 32, seed, signal } = options;
  checkInteger('trainClassifier', 'epochs', epochs, 1);
  const loader = new DataLoader(dataset, { batchSize, shuffle: true, ...(seed === undefined ? {} : { seed }) });
  const history: EpochRecord[] = [];
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const start = performance.now();
    const trained = await trainEpoch(options, loader, epoch);
    if (trained === null || signal?.aborted === true) break;
    const { accuracy: testAccuracy, loss: testLoss } = await evaluateClassifier(model, dataset);
    const seconds = (performance.now() - start) / 1000;
    const record = { epoch, trainLoss: trained.loss, testLoss, testAccuracy, lr: trained.lr, seconds };
    history.push(record);
    options.onEpoch?.(record);
  }
  return history;
}

/** Null if it was stopped. */
async function trainEpoch(
  { model, optimizer, scheduler, epochs, onBatch, signal }: TrainOptions,
  loader: DataLoader,
  epoch: number,
): Promise<{ loss: number; lr: number } | null> {
  const losses: { loss: Tensor | null; size: number }[] = [];
  const pipeline = new Pipeline();
  let lr = 0;
  model.train();
  for (const { images, labels } of loader) {
    if (signal?.aborted === true) break;
    const seen: (typeof losses)[number] = { loss: null, size: labels.size };
    const closure = (): Tensor => {
      const loss = crossEntropy(model.forward(images), labels);
      seen.loss ??= loss; // The first is of the weights before the step.
      optimizer.zeroGrad();
      backward(loss);
      return loss;
    };
    lr = optimizer.paramGroups[0]!.lr;
    await pipeline.push(optimizer.step(closure));
    scheduler?.step();
    losses.push(seen);
    onBatch?.({ epoch, epochs, batch: losses.length, batches: loader.length });
  }
  await pipeline.drain();
  if (signal?.aborted === true) return null;
  let total = 0;
  let count = 0;
  for (const { loss, size } of losses) {
    total += (await readItem(loss!)) * size;
    count += size;
  }
  return { loss: total / count, lr };
}
