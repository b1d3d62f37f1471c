import { readData } from '../graph/evaluate';
import { readSafetensors, writeSafetensors, type SafetensorsEntry } from '../io/safetensors';
import type { StateDict } from '../nn/state-dict';
import { Storage } from '../tensor/storage';
import { Tensor } from '../tensor/tensor';

/**
 * Writes a state dict as a safetensors file, atomically. The values are those of the call, whatever is trained meanwhile.
 * Rejects with a DataError if the file cannot be written.
 *
 *     await saveWeights('model.safetensors', model.stateDict());
 */
export async function saveWeights(
  file: string,
  weights: StateDict,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const entries = Object.create(null) as Record<string, SafetensorsEntry>;
  for (const [name, tensor] of weights)
    entries[name] = { dtype: tensor.dtype, shape: tensor.shape, data: await readData(tensor) };
  writeSafetensors(file, entries, metadata);
}

/**
 * The state dict in a safetensors file. Throws a DataError that names the file if it is missing or damaged.
 *
 *     model.loadStateDict(loadWeights('model.safetensors'));
 */
export function loadWeights(file: string): StateDict {
  const { tensors } = readSafetensors(file);
  return new Map(
    Object.entries(tensors).map(([name, { dtype, shape, data }]) => [
      name,
      Tensor.ofStorage(Storage.from(dtype, data), shape),
    ]),
  );
}
