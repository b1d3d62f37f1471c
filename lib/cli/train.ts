import { backendInfo, setThreads, useBackend } from '../backend';
import { loadDigits, loadIdxDirectory, type Dataset } from '../data';
import { ValueError } from '../errors';
import { manualSeed } from '../ops/random';
import { trainClassifier, type EpochRecord } from '../train';
import { createModel } from './models';
import { createOptimizer, trainingDefaults } from './optimizers';
import { prepareFolder, writeResults } from './output';
import { createReporter, type Summary } from './reporter';
import { createSchedule, type ScheduleChoice } from './schedules';
import type { Settings } from './values';

/** The flags of `train`, each checked by itself. */
export interface TrainArguments {
  readonly data?: string;
  readonly epochs?: number;
  readonly model?: string;
  readonly optimizer: string;
  readonly optimizerOption?: Settings;
  readonly schedule?: ScheduleChoice;
  readonly lr?: number;
  readonly momentum?: number;
  readonly batchSize?: number;
  readonly seed: number;
  readonly threads?: number;
  readonly backend?: 'native' | 'portable';
  readonly json: boolean;
  readonly out?: string;
}

/** As a shell reports a program that Ctrl-C ended. */
const INTERRUPTED = 130;

/** Trains, tests and saves; returns the exit code. */
export async function runTraining(options: TrainArguments): Promise<number> {
  if (options.momentum !== undefined && options.optimizer !== 'sgd')
    throw new ValueError(`--momentum ${options.momentum}: only --optimizer sgd takes it, got ${options.optimizer}`);
  if (options.backend !== undefined) useBackend(options.backend);
  if (options.threads !== undefined) setThreads(options.threads);
  const { backend, isa, threads } = backendInfo();

  const dataset = options.data === undefined ? loadDigits() : loadIdxDirectory(options.data);
  const isSmall = options.data === undefined;
  const usual = trainingDefaults(options.optimizer, { images: dataset.train.length, batchSize: isSmall ? 32 : 64 });
  const { epochs = isSmall ? 15 : 5, batchSize = usual.batchSize, schedule: chosen = usual.schedule } = options;
  if (options.out !== undefined) prepareFolder(options.out);
  const { seed, model: modelName = 'cnn' } = options;
  manualSeed(seed);
  const model = createModel(modelName, dataset.imageShape, dataset.classes);
  const optimizer = createOptimizer(options.optimizer, model.parameters(), optimizerSettings(options));
  const { lr } = optimizer.paramGroups[0]!;
  const steps = epochs * Math.ceil(dataset.train.length / batchSize);
  const schedule = createSchedule(chosen, optimizer, steps);

  const reporter = await createReporter(options.json, epochs);
  const interruption = interruptible();
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
      },
    });
    const seconds = (performance.now() - start) / 1000;
    const event = history.length < epochs ? 'interrupted' : 'end';
    const summary = summarize(dataset, history, seconds, { backend, isa, threads });
    if (options.out !== undefined) {
      const { optimizer: name, optimizerOption = {} } = options;
      const settings = { model: modelName, optimizer: name, optimizerOption, lr, schedule: chosen, batchSize, seed };
      await writeResults(options.out, model, { event, ...summary, settings, history });
    }
    reporter.end(event, summary);
    return event === 'end' ? 0 : INTERRUPTED;
  } finally {
    reporter.close();
    interruption.release();
  }
}

/** The flags of their own and --optimizer-option together. */
function optimizerSettings({ lr, momentum, optimizerOption = {} }: TrainArguments): Settings {
  const flags: { [name: string]: number } = {};
  if (lr !== undefined) flags.lr = lr;
  if (momentum !== undefined) flags.momentum = momentum;
  for (const name of Object.keys(flags))
    if (Object.hasOwn(optimizerOption, name))
      throw new ValueError(`--optimizer-option ${name}: --${name} gives it too; one of them is possible`);
  return { ...flags, ...optimizerOption };
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
