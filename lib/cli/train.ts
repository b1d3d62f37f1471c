import { backendInfo } from '../backend';
import type { Dataset } from '../data';
import type { EpochRecord } from '../train';
import { ValueError } from '../errors';
import { prepareFolder, writeResults } from './output';
import { Snapshots } from './snapshots';
import { createReporter, type Summary } from './reporter';
import { prepareTraining, type ScheduledTrainingArguments } from './training';

/** The flags of `train`, each checked by itself. */
export interface TrainArguments extends ScheduledTrainingArguments {
  readonly json: boolean;
  readonly out?: string;
  readonly snapshots: boolean;
}

/** As a shell reports a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/** Trains, tests and saves; returns the exit code. */
export async function runTraining(options: TrainArguments): Promise<number> {
  const { seed } = options;
  if (options.out === undefined && options.snapshots)
    throw new ValueError('--snapshots: needs --out, the folder to write them to');
  const training = prepareTraining(options);
  if (options.out !== undefined) prepareFolder(options.out);
  const { dataset, modelName, model, batchSize, epochs, schedule, lr } = training;
  const { backend, isa, threads } = backendInfo();

  const reporter = await createReporter(options.json, epochs);
  const interruption = interruptible();
  const snapshots = new Snapshots(model);
  if (options.snapshots) snapshots.take();
  const start = performance.now();
  try {
    reporter.start({
      dataset: dataset.name,
      trainImages: dataset.train.length,
      testImages: dataset.test.length,
      parameters: [...model.parameters()].reduce((count, { size }) => count + size, 0),
      epochs,
      batchSize,
      seed,
      optimizer: options.optimizer,
      lr,
      backend,
      isa,
      threads,
    });
    const history = await training.train({
      signal: interruption.signal,
      onBatch: (progress) => reporter.batch(progress),
      onEpoch: (record) => {
        reporter.epoch(record);
        if (options.snapshots) snapshots.take();
      },
    });
    const seconds = (performance.now() - start) / 1000;
    const event = history.length < epochs ? 'interrupted' : 'end';
    const summary = summarize(dataset, history, seconds, { backend, isa, threads });
    if (options.out !== undefined) {
      const { optimizer: name, optimizerOption = {} } = options;
      const settings = { model: modelName, optimizer: name, optimizerOption, lr, schedule, batchSize, seed };
      await writeResults(options.out, model, { event, ...summary, settings, history });
      if (options.snapshots) await snapshots.write(options.out);
    }
    reporter.end(event, summary);
    return event === 'end' ? 0 : INTERRUPTED;
  } finally {
    reporter.close();
    interruption.release();
  }
}

function summarize(
  dataset: Dataset,
  history: readonly EpochRecord[],
  seconds: number,
  backend: Pick<Summary, 'backend' | 'isa' | 'threads'>,
): Summary {
  const last = history.at(-1);
  return {
    dataset: dataset.name,
    testAccuracy: last?.testAccuracy ?? null,
    trainLoss: last?.trainLoss ?? null,
    epochs: history.length,
    seconds,
    ...backend,
  };
}

/** The first Ctrl-C asks the training to stop after its batch; a second one ends the process at once. */
function interruptible(): { signal: AbortSignal; release: () => void } {
  const controller = new AbortController();
  const onSignal = (): void => {
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    controller.abort();
  };
  process.on('SIGINT', onSignal);
  return { signal: controller.signal, release: () => void process.off('SIGINT', onSignal) };
}
