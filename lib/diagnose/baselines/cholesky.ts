import type { Slices } from '../../graph/program/slices';
import { SLICE_WORK } from './running';

/**
 * Solves A z = b for a symmetric positive definite A [size, size], of which the lower triangle is read and overwritten with
 * its Cholesky factor; false if A is not positive definite in float64. b becomes z.
 */
export function* solveCholesky(a: Float64Array, b: Float64Array): Slices<boolean> {
  const size = b.length;
  let pending = 0;
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * size + j]!;
      for (let k = 0; k < j; k++) sum -= a[i * size + k]! * a[j * size + k]!;
      if (j < i) a[i * size + j] = sum / a[j * size + j]!;
      else if (sum > 0) a[i * size + i] = Math.sqrt(sum);
      else return false;
    }
    pending += (i * i) / 2;
    if (pending > SLICE_WORK) {
      pending = 0;
      yield;
    }
  }
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < i; k++) b[i]! -= a[i * size + k]! * b[k]!;
    b[i]! /= a[i * size + i]!;
  }
  for (let i = size - 1; i >= 0; i--) {
    for (let k = i + 1; k < size; k++) b[i]! -= a[k * size + i]! * b[k]!;
    b[i]! /= a[i * size + i]!;
  }
  return true;
}
