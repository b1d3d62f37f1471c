import { setThreads, useBackend } from '../backend';
import { loadDigits, loadIdxDirectory, type Dataset } from '../data';
import { ValueError } from '../errors';
import type { Layer, Module } from '../nn/module';
import { manualSeed } from '../ops/random';
import { trainClassifier, type EpochRecord, type TrainOptions } from '../train';
import { createModel } from './models';
import { createOptimizer, trainingDefaults } from './optimizers';
import { createSchedule, type ScheduleChoice } from './schedules';
import type { Settings } from './values';

/** The flags that say what is trained, each checked by itself. */
export interface TrainingArguments {
  readonly data?: string;
  readonly model?: string;
  readonly optimizer: string;
  readonly optimizerOption?: Settings;
  readonly lr?: number;
  readonly momentum?: number;
  readonly batchSize?: number;
  readonly seed: number;
  readonly threads?: number;
  readonly backend?: 'native' | 'portable';
}

export interface Training {
  readonly dataset: Dataset;
  readonly modelName: string;
  readonly model: Module & Layer;
  readonly optimizer: ReturnType<typeof createOptimizer>;
  readonly batchSize: number;
  /** Where none is asked for. */
  readonly usualSchedule: ScheduleChoice;
}

/** What a whole training takes besides. */
export interface ScheduledTrainingArguments extends TrainingArguments {
  readonly epochs?: number;
  readonly schedule?: ScheduleChoice;
}

export interface ScheduledTraining extends Training {
  readonly epochs: number;
  readonly schedule: ScheduleChoice;
  /** The largest learning rate. */
  readonly lr: number;
  /** Trains with that schedule; returns the epochs that were completed. */
  train(callbacks: Pick<TrainOptions, 'signal' | 'onBatch' | 'onEpoch'>): Promise<EpochRecord[]>;
}

/** Everything that a training needs, checked. Throws ValueError for flags that do not go together. */
export function prepareTraining(options: ScheduledTrainingArguments): ScheduledTraining {
  const dataset = loadDataset(options);
  const training = createTraining(options, dataset);
  const { model, optimizer, batchSize, usualSchedule } = training;
  const { epochs = options.data === undefined ? 15 : 5, schedule = usualSchedule, seed } = options;
  const steps = epochs * Math.ceil(dataset.train.length / batchSize);
  const { lr } = optimizer.paramGroups[0]!;
  const { perBatch, perEpoch } = createSchedule(schedule, optimizer, steps);
  return {
    ...{ ...training, epochs, schedule, lr },
    train: ({ onEpoch, ...callbacks }) =>
      trainClassifier({
        ...{ model, dataset, optimizer, scheduler: perBatch, epochs, batchSize, seed, ...callbacks },
        onEpoch: (record) => {
          perEpoch?.step(record.testLoss);
          onEpoch?.(record);
        },
      }),
  };
}

/** Sets the machine up as asked and loads the images. Throws ValueError for flags that do not go together. */
export function loadDataset(options: TrainingArguments): Dataset {
  if (options.momentum !== undefined && options.optimizer !== 'sgd')
    throw new ValueError(`--momentum ${options.momentum}: only --optimizer sgd takes it, got ${options.optimizer}`);
  if (options.backend !== undefined) useBackend(options.backend);
  if (options.threads !== undefined) setThreads(options.threads);
  return options.data === undefined ? loadDigits() : loadIdxDirectory(options.data);
}

/** The network, seeded, and its optimizer. */
export function createTraining(options: TrainingArguments, dataset: Dataset): Training {
  const images = dataset.train.length;
  const usual = trainingDefaults(options.optimizer, { images, batchSize: options.data === undefined ? 32 : 64 });
  const { batchSize = usual.batchSize, model: modelName = 'cnn' } = options;
  manualSeed(options.seed);
  const model = createModel(modelName, dataset.imageShape, dataset.classes);
  const optimizer = createOptimizer(options.optimizer, model.parameters(), optimizerSettings(options));
  return { dataset, modelName, model, optimizer, batchSize, usualSchedule: usual.schedule };
}

/** The flags of their own and --optimizer-option together. */
function optimizerSettings({ lr, momentum, optimizerOption = {} }: TrainingArguments): Settings {
  const flags: { [name: string]: number } = {};
  if (lr !== undefined) flags.lr = lr;
  if (momentum !== undefined) flags.momentum = momentum;
  for (const name of Object.keys(flags))
    if (Object.hasOwn(optimizerOption, name))
      throw new ValueError(`--optimizer-option ${name}: --${name} gives it too; one of them is possible`);
  return { ...flags, ...optimizerOption };
}
