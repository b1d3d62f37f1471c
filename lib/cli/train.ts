import { backendInfo } from '../backend';
import type { Dataset } from '../data';
import { trainClassifier, type EpochRecord } from '../train';
import { ValueError } from '../errors';
import { prepareFolder, writeResults } from './output';
import { Snapshots } from './snapshots';
import { createReporter, type Summary } from './reporter';
import { createSchedule, type ScheduleChoice } from './schedules';
import { createTraining, loadDataset, type TrainingArguments } from './training';

/** The flags of `train`, each checked by itself. */
export interface TrainArguments extends TrainingArguments {
  readonly epochs?: number;
  readonly schedule?: ScheduleChoice;
  readonly json: boolean;
  readonly out?: string;
  readonly snapshots: boolean;
}

/** As a shell reports a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/** Trains, tests and saves; returns the exit code. */
export async function runTraining(options: TrainArguments): Promise<number> {
  const dataset = loadDataset(options);
  const { backend, isa, threads } = backendInfo();
  const { epochs = options.data === undefined ? 15 : 5, seed } = options;
  if (options.out !== undefined) prepareFolder(options.out);
  else if (options.snapshots) throw new ValueError('--snapshots: needs --out, the folder to write them to');
  const { modelName, model, optimizer, batchSize, usualSchedule } = createTraining(options, dataset);
  const { schedule: chosen = usualSchedule } = options;
  const { lr } = optimizer.paramGroups[0]!;
  const steps = epochs * Math.ceil(dataset.train.length / batchSize);
  const schedule = createSchedule(chosen, optimizer, steps);

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
    const history = await trainClassifier({
      model,
      dataset,
      optimizer,
      scheduler: schedule.perBatch,
      epochs,
      batchSize,
      seed,
      signal: interruption.signal,
      onBatch: (progress) => reporter.batch(progress),
      onEpoch: (record) => {
        schedule.perEpoch?.step(record.testLoss);
        reporter.epoch(record);
        if (options.snapshots) snapshots.take();
      },
    });
    const seconds = (performance.now() - start) / 1000;
    const event = history.length < epochs ? 'interrupted' : 'end';
    const summary = summarize(dataset, history, seconds, { backend, isa, threads });
    if (options.out !== undefined) {
      const { optimizer: name, optimizerOption = {} } = options;
      const settings = { model: modelName, optimizer: name, optimizerOption, lr, schedule: chosen, batchSize, seed };
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
