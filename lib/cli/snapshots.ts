import fs from 'node:fs';
import path from 'node:path';
import { DataError } from '../errors';
import { submit } from '../graph/evaluate';
import { loadWeights, saveWeights } from '../io/weights';
import type { Module } from '../nn/module';
import { detach } from '../ops/identity';
import type { Tensor } from '../tensor/tensor';

const FILE = 'snapshots.safetensors';

/** The parameters as they were at some moments of a training: a file of tensors named `moment:parameter`. */
export class Snapshots {
  readonly #tensors = new Map<string, Tensor>();
  #moments = 0;

  constructor(private readonly model: Module) {}

  take(): void {
    const taken: Tensor[] = [];
    for (const [name, parameter] of this.model.namedParameters()) {
      const value = detach(parameter);
      taken.push(value);
      this.#tensors.set(`${this.#moments}:${name}`, value);
    }
    this.#moments++;
    void submit(taken);
  }

  async write(folder: string): Promise<void> {
    await saveWeights(path.join(folder, FILE), this.#tensors);
  }
}

/** The points of a path, in the order of the model's parameters; null where a run has kept none. Throws DataError. */
export function readSnapshots(folder: string, model: Module): Tensor[][] | null {
  const file = path.join(folder, FILE);
  if (!fs.existsSync(file)) return null;
  const tensors = loadWeights(file);
  const names = [...model.namedParameters()].map(([name]) => name);
  const moments = tensors.size / names.length;
  return Array.from({ length: moments }, (_, moment) =>
    names.map((name) => {
      const found = tensors.get(`${moment}:${name}`);
      if (found === undefined) throw new DataError(`${file}: has no ${moment}:${name}; it belongs to another model`);
      return found;
    }),
  );
}
