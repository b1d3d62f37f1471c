import type { Slices } from '../../graph/program/slices';
import { SLICE_WORK, type Report } from './running';

export interface MachineResult {
  readonly objective: number;
  readonly converged: boolean;
  readonly iterations: number;
}

const MAX_PASSES = 20_000;
/** The gap between primal and dual objective, relative to the primal one, at which the optimum counts as reached. */
const GAP = 1e-4;
/** Spread of the projected gradient at which the gap is looked at first, and by what it is divided if that is too large. */
const FIRST_SPREAD = 0.1;
const SPREAD_DIVISOR = 3;

/**
 * Minimises (‖w‖² + b²) / 2 + C Σ max(0, 1 - s (w x + b)) for signs s by dual coordinate descent (Hsieh et al. 2008,
 * algorithm 3, which passes over samples that seem to stay at a bound), until the duality gap proves it. `order` is shuffled by `draw`, which gives integers below its argument.
 */
export function* linearMachine(
  x: Float64Array,
  signs: Float64Array,
  features: number,
  C: number,
  draw: (below: number) => number,
  report: Report,
): Slices<MachineResult & { weights: Float64Array }> {
  const count = signs.length;
  const weights = new Float64Array(features + 1);
  const alpha = new Float64Array(count);
  const norms = new Float64Array(count);
  for (let i = 0; i < count; i++) norms[i] = 1 + squares(x, i * features, features);
  yield;
  const order = Int32Array.from({ length: count }, (_, i) => i);
  const rows = Math.max(1, Math.floor(SLICE_WORK / (features + 1)));
  let objective = Infinity;
  let active = count;
  let spread = FIRST_SPREAD;
  // Of the projected gradient in the last pass: a sample at a bound whose gradient is beyond them is passed over.
  let highest = Infinity;
  let lowest = -Infinity;
  for (let pass = 1; pass <= MAX_PASSES; pass++) {
    let most = -Infinity;
    let least = Infinity;
    for (let at = 0; at < active; at++) {
      if (at % rows === rows - 1) yield;
      const other = at + draw(active - at);
      const i = order[other]!;
      order[other] = order[at]!;
      order[at] = i;
      const before = alpha[i]!;
      const gradient = signs[i]! * score(i) - 1;
      if ((before === 0 && gradient > highest) || (before === C && gradient < lowest)) {
        order[at--] = order[--active]!;
        order[active] = i;
        continue;
      }
      const projected = before === 0 ? Math.min(gradient, 0) : before === C ? Math.max(gradient, 0) : gradient;
      most = Math.max(most, projected);
      least = Math.min(least, projected);
      if (projected === 0) continue;
      const after = Math.min(C, Math.max(0, before - gradient / norms[i]!));
      alpha[i] = after;
      const change = (after - before) * signs[i]!;
      for (let j = 0; j < features; j++) weights[j]! += change * x[i * features + j]!;
      weights[features]! += change;
    }
    yield;
    const isSettled = most - least <= spread || active === 0;
    highest = isSettled || most <= 0 ? Infinity : most;
    lowest = isSettled || least >= 0 ? -Infinity : least;
    if (!isSettled) continue;
    if (active === count) {
      const gap = yield* look();
      report(pass, objective);
      if (gap <= GAP * objective) return { weights, objective, converged: true, iterations: pass };
      spread /= SPREAD_DIVISOR;
    }
    active = count;
  }
  yield* look();
  return { weights, objective, converged: false, iterations: MAX_PASSES };

  /** The duality gap, and the objective. */
  function* look(): Slices<number> {
    const half = squares(weights, 0, features + 1) / 2;
    let hinge = 0;
    let linear = 0;
    for (let i = 0; i < count; i++) {
      if (i % rows === rows - 1) yield;
      hinge += Math.max(0, 1 - signs[i]! * score(i));
      linear += alpha[i]!;
    }
    objective = half + C * hinge;
    return objective - (linear - half);
  }

  function score(i: number): number {
    let sum = weights[features]!;
    for (let j = 0; j < features; j++) sum += weights[j]! * x[i * features + j]!;
    return sum;
  }
}

function squares(values: Float64Array, from: number, length: number): number {
  let sum = 0;
  for (let j = from; j < from + length; j++) sum += values[j]! * values[j]!;
  return sum;
}
