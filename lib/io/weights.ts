import { ValueError } from '../errors';
import { readData } from '../graph/reading';
import type { StateDictLike } from '../nn/state-dict';
import { detach } from '../ops/identity';
import { Storage } from '../tensor/storage';
import { Tensor, TensorBase } from '../tensor/tensor';
import { readSafetensors, writeSafetensors, type SafetensorsEntry } from './safetensors';
import { quote } from './safetensors-header';

/**
 * Writes a state dict as a safetensors file, atomically: what PyTorch's `safetensors.torch.load_file` reads. The values are
 * those of the call, whatever is trained meanwhile. Rejects with a ValueError for what is no state dict, and with a
 * DataError if the file cannot be written.
 *
 *     await saveWeights('model.safetensors', model.stateDict());
 */
export async function saveWeights(
  file: string,
  weights: StateDictLike,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  if (typeof weights !== 'object' || weights === null)
    throw new ValueError(`saveWeights: takes a state dict, a Map or object of tensors, got ${String(weights)}`);
  const named: [string, unknown][] = [...(weights instanceof Map ? weights : Object.entries(weights))];
  for (const [name, value] of named)
    if (!(value instanceof TensorBase)) throw new ValueError(`saveWeights: ${quote(name)} is not a tensor`);
  // Variables are read at once, so that all values are of one moment.
  const tensors = (named as [string, TensorBase][]).map(([name, value]) => [name, detach(value)] as const);
  const entries = Object.create(null) as Record<string, SafetensorsEntry>;
  for (const [name, tensor] of tensors)
    entries[name] = { dtype: tensor.dtype, shape: tensor.shape, data: await readData(tensor) };
  writeSafetensors(file, entries, metadata);
}

/**
 * The state dict in a safetensors file, such as PyTorch's `safetensors.torch.save_file` writes. Throws a DataError that names
 * the file if it is missing or damaged, or has a dtype but F32, F64, I32, I64 and BOOL.
 *
 *     model.loadStateDict(loadWeights('model.safetensors'));
 */
export function loadWeights(file: string): Map<string, Tensor> {
  const { tensors } = readSafetensors(file);
  return new Map(
    Object.entries(tensors).map(([name, { dtype, shape, data }]) => [
      name,
      Tensor.ofStorage(Storage.from(dtype, data), shape),
    ]),
  );
}
