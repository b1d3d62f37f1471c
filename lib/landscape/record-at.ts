import type { TensorBase, Variable } from '../tensor/tensor';

/** What `fn` records with the parameters at other values; the parameters themselves stay where they are. */
export function recordAt<T>(params: readonly Variable[], values: readonly TensorBase[], fn: () => T): T {
  const nested = params.reduce<() => T>((inner, parameter, i) => () => parameter.standIn(values[i]!, inner), fn);
  return nested();
}
