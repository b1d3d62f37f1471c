import type { Slices } from '../../graph/program/slices';
import { SLICE_WORK } from './running';

/** A diagonal element of R that small, relative to the first, is rounding: the column depends on those before it. */
const RANK_TOLERANCE = 1e-12;

/**
 * Minimises ‖A w - b‖² for every column b by Householder's QR with column pivoting (Golub and Van Loan, algorithm 5.4.1);
 * columns that depend on others have no weight. `columns` are those of A and `right` the b; both are overwritten.
 * Gives the weights of each b.
 */
export function* leastSquares(columns: Float64Array[], right: Float64Array[]): Slices<Float64Array[]> {
  const size = columns.length;
  const rows = size === 0 ? 0 : columns[0]!.length;
  const order = columns.map((_, j) => j);
  const diagonal: number[] = [];
  const steps = Math.min(size, rows);
  let pending = 0;
  for (let k = 0; k < steps; k++) {
    let pivot = k;
    let most = -1;
    for (let j = k; j < size; j++) {
      const norm = squaredNorm(columns[j]!, k);
      if (norm > most) [pivot, most] = [j, norm];
    }
    [columns[k], columns[pivot]] = [columns[pivot]!, columns[k]!];
    [order[k], order[pivot]] = [order[pivot]!, order[k]!];
    const v = columns[k]!;
    const norm = Math.sqrt(most);
    if (norm === 0 || (k > 0 && norm <= RANK_TOLERANCE * Math.abs(diagonal[0]!))) break;
    // The reflection I - v vᵀ / (norm |v_k|) takes the column to diagonal e_k; its v takes the column's place.
    diagonal.push(v[k]! > 0 ? -norm : norm);
    v[k]! -= diagonal[k]!;
    const divisor = norm * Math.abs(v[k]!);
    for (const other of [...columns.slice(k + 1), ...right]) {
      let dot = 0;
      for (let i = k; i < rows; i++) dot += v[i]! * other[i]!;
      const factor = dot / divisor;
      for (let i = k; i < rows; i++) other[i]! -= factor * v[i]!;
      pending += 3 * rows;
      if (pending > SLICE_WORK) {
        pending = 0;
        yield;
      }
    }
  }
  return right.map((b) => backSubstituted(columns, diagonal, order, b));
}

function squaredNorm(column: Float64Array, from: number): number {
  let sum = 0;
  for (let i = from; i < column.length; i++) sum += column[i]! * column[i]!;
  return sum;
}

function backSubstituted(
  columns: readonly Float64Array[],
  diagonal: readonly number[],
  order: readonly number[],
  b: Float64Array,
): Float64Array {
  const weights = new Float64Array(columns.length);
  for (let k = diagonal.length - 1; k >= 0; k--) {
    let sum = b[k]!;
    for (let j = k + 1; j < diagonal.length; j++) sum -= columns[j]![k]! * weights[order[j]!]!;
    weights[order[k]!] = sum / diagonal[k]!;
  }
  return weights;
}
