import fs from 'node:fs';
import path from 'node:path';
import { loadDigits, loadIdxDirectory, type Dataset } from '../data';
import { DataError } from '../errors';
import { loadWeights } from '../io/weights';
import type { Layer, Module } from '../nn/module';
import { createModel } from './models';

/** What `train --out` wrote into a folder. */
export interface FinishedRun {
  readonly modelName: string;
  /** With the weights that training ended with. */
  readonly model: Module & Layer;
  readonly dataset: Dataset;
  readonly lr: number | undefined;
  readonly history: readonly { readonly epoch: number; readonly trainLoss: number; readonly testLoss: number }[];
}

interface History {
  readonly dataset?: unknown;
  readonly settings?: { readonly model?: unknown; readonly lr?: unknown };
  readonly history?: unknown;
}

/**
 * Loads a training from its folder; `data` is the folder of its images, where it was not of the digits. Throws DataError for
 * a folder that `train --out` has not written; `otherwise` says what else could have been meant.
 */
export function loadRun(folder: string, data: string | undefined, otherwise: string): FinishedRun {
  const file = path.join(folder, 'history.json');
  let content: History;
  try {
    content = JSON.parse(fs.readFileSync(file, 'utf8')) as History;
  } catch (error) {
    const why = (error as Error).message;
    throw new DataError(`${folder}: is neither ${otherwise} nor a folder that train --out wrote (${why})`, {
      cause: error,
    });
  }
  const { dataset: trainedOn, settings, history } = content;
  if (typeof settings?.model !== 'string') throw new DataError(`${file}: says no model`);
  const dataset = data === undefined ? loadDigits() : loadIdxDirectory(data);
  if (dataset.name !== trainedOn)
    throw new DataError(
      `${file}: was trained on ${String(trainedOn)}, not on ${dataset.name}; give its folder by --data`,
    );
  const model = createModel(settings.model, dataset.imageShape, dataset.classes);
  model.loadStateDict(loadWeights(path.join(folder, 'model.safetensors')));
  return {
    ...{ modelName: settings.model, model, dataset },
    lr: typeof settings.lr === 'number' ? settings.lr : undefined,
    history: Array.isArray(history) ? (history as FinishedRun['history']) : [],
  };
}
