import fs from 'node:fs';
import path from 'node:path';
import { DataLoader, type Dataset } from '../data';
import { diagnose, type BaselineData, type Diagnosis } from '../diagnose';
import { writeFileAtomic } from '../io/atomic';
import type { Layer } from '../nn/module';
import { reportPage } from '../page/report';
import { flagsOfFile } from './configuration';
import { diagnosisReport } from './diagnose-report';
import { createProgram, noActions } from './program';
import { loadRun } from './runs';
import type { TrainArguments } from './train';
import { prepareTraining } from './training';

/** The argument and flags of `diagnose`, each checked by itself. */
export interface DiagnoseArguments {
  /** A JSON file with the flags of `train`, or a folder of `train --out`. */
  readonly config: string;
  readonly data?: string;
  readonly images: number;
  /** Seconds, the training included. */
  readonly budget: number;
  readonly seed: number;
  readonly out: string;
  readonly json: boolean;
}

/** A model whose training has ended. */
export interface Trained {
  readonly title: string;
  readonly model: Layer;
  readonly dataset: Dataset;
  readonly lr: number | undefined;
  readonly history: readonly { readonly epoch: number; readonly trainLoss: number; readonly testLoss: number }[];
}

/** What is left for the diagnosis after a training that took the whole budget, in milliseconds. */
const LEAST_BUDGET = 5000;

/** Says what is the matter with a training, and writes the page that shows why. */
export async function runDiagnosis(options: DiagnoseArguments): Promise<void> {
  const { config, images, budget, seed, out, json } = options;
  const began = performance.now();
  // On standard error, so that what is printed can be piped on; a line of its own where nobody watches.
  const tell = (text: string): void => {
    if (json || !process.stderr.isTTY) return;
    const seconds = ((performance.now() - began) / 1000).toFixed(0);
    process.stderr.write(text === '' ? '\r\x1b[K' : `\r\x1b[K${seconds.padStart(3)} s  ${text}`);
  };
  const trained = isFolder(config) ? ofFolder(options) : await trainAsConfigured(options, tell);
  const { model, dataset, lr } = trained;
  const found = await diagnose(model, {
    train: imagesOf(dataset, dataset.train, images),
    validation: imagesOf(dataset, dataset.test, images),
    task: 'multiclass',
    budget: Math.max(LEAST_BUDGET, budget * 1000 - (performance.now() - began)),
    seed,
    ...(lr === undefined ? {} : { lr }),
    onProgress: ({ stage }) => tell(stage),
  });
  tell('');
  const seconds = (performance.now() - began) / 1000;
  const used = Math.min(images, dataset.train.length);
  writeFileAtomic(out, reportPage(diagnosisReport(trained, found, { ...options, used, seconds })));
  if (json) process.stdout.write(`${JSON.stringify({ config, seconds, out, ...numbersOf(found) })}\n`);
  else process.stdout.write(`${textOf(found)}\n${path.normalize(out)}: open it in a browser\n`);
}

const isFolder = (where: string): boolean => fs.statSync(where, { throwIfNoEntry: false })?.isDirectory() === true;

function ofFolder({ config, data }: DiagnoseArguments): Trained {
  const run = loadRun(config, data, 'a configuration');
  return { ...run, title: `${run.modelName} on ${run.dataset.name}` };
}

/** Trains by a file that says the flags of `train`. */
async function trainAsConfigured(options: DiagnoseArguments, tell: (text: string) => void): Promise<Trained> {
  const { config, data } = options;
  let flags: TrainArguments | undefined;
  const program = await createProgram({
    ...noActions,
    train: (given) => {
      flags = given;
      return Promise.resolve();
    },
  });
  const images = data === undefined ? [] : ['--data', data];
  await program.parseAsync(['train', 'digits', ...flagsOfFile(config), ...images], { from: 'user' });
  const training = prepareTraining(flags!);
  const history = await training.train({
    onBatch: ({ epoch, epochs, batch, batches }) =>
      tell(`training, epoch ${epoch} of ${epochs}, batch ${batch} of ${batches}`),
  });
  const { model, modelName, dataset, lr } = training;
  return { title: `${modelName} on ${dataset.name}`, model, dataset, lr, history };
}

function imagesOf(dataset: Dataset, all: Int32Array, most: number): BaselineData {
  const indices = all.slice(0, most);
  const [batch] = new DataLoader(dataset, { indices, batchSize: indices.length });
  return { x: batch!.images, y: batch!.labels };
}

function textOf({ verdict, confidence, reason, wouldTell, evidence, suggestions }: Diagnosis): string {
  const lines = [`${verdict} (confidence ${confidence.toFixed(2)}): ${reason}`];
  if (wouldTell !== undefined) lines.push(`What would tell: ${wouldTell}`);
  lines.push('', 'Evidence', ...evidence.map(({ message }) => `  ${message}`));
  if (suggestions.length > 0) {
    lines.push('', 'To try, best first');
    for (const { what, because, code } of suggestions) lines.push(`  ${what}: ${code}`, `    ${because}`);
  }
  return `${lines.join('\n')}\n`;
}

const numbersOf = ({ curves: _, ...rest }: Diagnosis): object => rest;
