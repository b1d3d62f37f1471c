import fs from 'node:fs';
import path from 'node:path';
import { DataError } from '../errors';
import { writeFileAtomic } from '../io/atomic';
import type { Module } from '../nn/module';
import { saveWeights } from '../io/weights';

/** Makes the folder. Throws a DataError if nothing can be written there, so that no training is in vain. */
export function prepareFolder(folder: string): void {
  try {
    makeFolders(path.resolve(folder));
    // Asking for permission is not enough on every file system.
    fs.rmdirSync(fs.mkdtempSync(path.join(folder, '.saddlepoint-')));
  } catch (error) {
    throw new DataError(`--out ${folder}: cannot be written to (${(error as Error).message})`, { cause: error });
  }
}

/** One by one: Node's recursive form never returns where a folder cannot be made although its parent exists (/proc). */
function makeFolders(folder: string): void {
  if (fs.existsSync(folder)) return;
  makeFolders(path.dirname(folder));
  fs.mkdirSync(folder);
}

/** Writes model.safetensors and history.json, each whole or not at all. */
export async function writeResults(folder: string, model: Module, history: object): Promise<void> {
  await saveWeights(path.join(folder, 'model.safetensors'), model.stateDict());
  writeFileAtomic(path.join(folder, 'history.json'), `${JSON.stringify(history, null, 2)}\n`);
}
