import type { Slices } from '../../graph/program/slices';
import type { KernelRows } from './kernel-rows';
import type { MachineResult } from './linear-svm';
import type { Report } from './running';

/** By how much the optimality conditions may be violated; scikit-learn's is 1e-3. */
const TOLERANCE = 1e-4;
/** Curvature of a pair of equal points. */
const LEAST_CURVATURE = 1e-12;
/** Iterations, for each sample, after which it is given up. */
const ITERATIONS_PER_SAMPLE = 1000;

/**
 * Minimises ‖w‖² / 2 + C Σ max(0, 1 - s (w φ(x) + b)) for signs s: its dual, by sequential minimal optimisation (Platt 1998)
 * with the second-order working set of Fan, Chen and Lin 2005 (WSS 2). `coefficients` are s alpha: the score of x is
 * Σ coefficients k(x_i, x) + bias; `scores` are those of the samples.
 */
export function* kernelMachine(
  rows: KernelRows,
  signs: Float64Array,
  C: number,
  report: Report,
): Slices<MachineResult & { coefficients: Float64Array; bias: number; scores: Float64Array }> {
  const count = signs.length;
  const alpha = new Float64Array(count);
  // Of the dual objective α Q α / 2 - Σ α, Q_ij = s_i s_j k_ij.
  const gradient = new Float64Array(count).fill(-1);
  const limit = ITERATIONS_PER_SAMPLE * Math.max(count, 100);
  let iterations = 0;
  let converged = false;
  for (; iterations < limit; iterations++) {
    yield;
    let i = -1;
    let up = -Infinity;
    let low = Infinity;
    for (let t = 0; t < count; t++) {
      const value = -signs[t]! * gradient[t]!;
      if (mayRise(t) && value > up) [i, up] = [t, value];
      if (mayFall(t) && value < low) low = value;
    }
    if (i < 0 || up - low <= TOLERANCE) {
      converged = true;
      break;
    }
    const rowI = yield* rows.row(i);
    let j = -1;
    let best = 0;
    for (let t = 0; t < count; t++) {
      if (!mayFall(t)) continue;
      const violation = up + signs[t]! * gradient[t]!;
      if (violation <= 0) continue;
      const gain = (violation * violation) / Math.max(2 - 2 * rowI[t]!, LEAST_CURVATURE);
      if (gain > best) [j, best] = [t, gain];
    }
    const rowJ = yield* rows.row(j);
    // α_i moves by s_i length and α_j by -s_j length, which keeps Σ s α.
    const violation = up + signs[j]! * gradient[j]!;
    const room = Math.min(signs[i]! > 0 ? C - alpha[i]! : alpha[i]!, signs[j]! > 0 ? alpha[j]! : C - alpha[j]!);
    const length = Math.min(room, violation / Math.max(2 - 2 * rowI[j]!, LEAST_CURVATURE));
    alpha[i] = moved(i, length);
    alpha[j] = moved(j, -length);
    for (let t = 0; t < count; t++) gradient[t]! += signs[t]! * length * (rowI[t]! - rowJ[t]!);
    if (iterations % 100 === 0) report(iterations, dualObjective());
  }
  const bias = biasOf();
  const scores = new Float64Array(count);
  let hinge = 0;
  let norm = 0;
  for (let t = 0; t < count; t++) {
    const free = signs[t]! * (gradient[t]! + 1);
    scores[t] = free + bias;
    norm += alpha[t]! * signs[t]! * free;
    hinge += Math.max(0, 1 - signs[t]! * scores[t]!);
  }
  const coefficients = alpha.map((value, t) => value * signs[t]!);
  return { coefficients, bias, scores, objective: norm / 2 + C * hinge, converged, iterations };

  function mayRise(t: number): boolean {
    return signs[t]! > 0 ? alpha[t]! < C : alpha[t]! > 0;
  }

  function mayFall(t: number): boolean {
    return signs[t]! > 0 ? alpha[t]! > 0 : alpha[t]! < C;
  }

  /** The new α_t, which rounding leaves neither beyond a bound nor a hair before it. */
  function moved(t: number, length: number): number {
    const value = alpha[t]! + signs[t]! * length;
    if (value <= C * 1e-14) return 0;
    return value >= C * (1 - 1e-14) ? C : value;
  }

  /** So far, negated: what the primal objective cannot fall below. */
  function dualObjective(): number {
    let sum = 0;
    for (let t = 0; t < count; t++) sum += (alpha[t]! * (1 - gradient[t]!)) / 2;
    return sum;
  }

  /** The mean of what samples on the margin ask for; without any, the middle of what the others allow. */
  function biasOf(): number {
    let sum = 0;
    let free = 0;
    let up = -Infinity;
    let low = Infinity;
    for (let t = 0; t < count; t++) {
      const value = -signs[t]! * gradient[t]!;
      if (mayRise(t) && mayFall(t)) {
        sum += value;
        free++;
      }
      if (mayRise(t)) up = Math.max(up, value);
      if (mayFall(t)) low = Math.min(low, value);
    }
    if (free > 0) return sum / free;
    // All samples in one class: any bias of that sign does.
    if (!Number.isFinite(up) || !Number.isFinite(low)) return Number.isFinite(up) ? up : low;
    return (up + low) / 2;
  }
}
