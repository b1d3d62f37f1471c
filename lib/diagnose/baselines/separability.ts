import type { Slices } from '../../graph/program/slices';
import { affineScores } from './affine';
import type { Samples } from './samples';

/** A margin of a direction that is negative by less, relative to the largest, is rounding. */
const MARGIN_TOLERANCE = 1e-6;

/**
 * Whether some output's data are separated: by the weights, or weakly by the last Newton step, which stays long where the
 * loss falls for ever (Albert and Anderson 1984).
 */
export function* isSeparable(samples: Samples, weights: Float64Array, step?: Float64Array): Slices<boolean> {
  for (const direction of step === undefined ? [weights] : [weights, step]) {
    const scores = yield* affineScores(samples, direction);
    for (const { least, most } of marginsOf(scores, samples))
      if (direction === weights ? least > 0 : most > 0.1 && least >= -MARGIN_TOLERANCE * most) return true;
  }
  return false;
}

/** The range of the margins by which scores decide right: of each column, or of the class's score before the others. */
function marginsOf(scores: Float64Array, samples: Samples): { least: number; most: number }[] {
  const { task, count, outputs, y } = samples;
  const columns = task === 'multiclass' ? 1 : outputs;
  const ranges = Array.from({ length: columns }, () => ({ least: Infinity, most: -Infinity }));
  for (let i = 0; i < count * outputs; i++) {
    const label = task === 'multiclass' ? y[Math.floor(i / outputs)]! : 0;
    if (task === 'multiclass' && i % outputs === label) continue;
    const margin =
      task === 'multiclass' ? scores[i - (i % outputs) + label]! - scores[i]! : (2 * y[i]! - 1) * scores[i]!;
    const range = ranges[task === 'multiclass' ? 0 : i % outputs]!;
    range.least = Math.min(range.least, margin);
    range.most = Math.max(range.most, margin);
  }
  return ranges;
}
