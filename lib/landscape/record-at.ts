import type { AbortOptions } from '../graph/abort';
import type { Completion } from '../graph/completion';
import { noGrad } from '../graph/modes';
import { readItem } from '../graph/reading';
import { cast } from '../ops/cast';
import { add, mul } from '../ops/elementwise';
import type { TensorBase, Variable } from '../tensor/tensor';

/** What `fn` records with the parameters at other values; the parameters themselves stay where they are. */
export function recordAt<T>(params: readonly Variable[], values: readonly TensorBase[], fn: () => T): T {
  const nested = params.reduce<() => T>((inner, parameter, i) => () => parameter.standIn(values[i]!, inner), fn);
  return nested();
}

/** The loss at `from` plus `distance` times a direction. */
export function lossAt(
  loss: () => TensorBase,
  params: readonly Variable[],
  from: readonly TensorBase[],
  direction: readonly TensorBase[],
  distance: number,
  { signal }: AbortOptions,
): Completion<number> {
  const value = noGrad(() => {
    const point = from.map((start, i) => add(start, mul(direction[i]!, distance)));
    return recordAt(params, point, () => cast(loss(), 'float64'));
  });
  return readItem(value, { signal });
}
