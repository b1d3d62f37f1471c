import type { DType } from '../tensor/dtype';

/** The distance from 1 to the next number. */
export function epsilonOf(dtype: DType): number {
  return dtype === 'float64' ? 2 ** -52 : 2 ** -23;
}
