import type { Slices } from '../graph/program/slices';
import { SLICE_WORK } from './baselines/running';
import type { Samples } from './baselines/samples';

/** What the nearest neighbours, in standardised features, say about labels or targets. */
export interface LabelNoise {
  /**
   * Classes: the share of samples with another label than most of their neighbours (Wilson 1972). Regression: the share of the
   * targets' variance that differs between nearest neighbours (the delta test: Pi and Peterson 1994).
   */
  readonly share: number;
  /** The share if features said nothing: beyond nine tenths of it, neighbours are no judge. */
  readonly chance: number;
}

/** Of every `stride`-th sample among them. */
export function* labelNoiseOf(samples: Samples, neighbours: number, stride: number): Slices<LabelNoise> {
  const picked = Array.from({ length: Math.ceil(samples.count / stride) }, (_, i) => i * stride);
  if (samples.task === 'regression') return yield* differenceOfTargets(samples, picked);
  const { y, outputs } = samples;
  const counts = new Float64Array(Math.max(2, outputs));
  let disagreeing = 0;
  for (const i of picked) {
    counts[y[i]!]!++;
    const nearest = yield* nearestTo(i, samples, picked, neighbours);
    const others = nearest.filter((j) => y[j] !== y[i]).length;
    if (2 * others > nearest.length) disagreeing++;
  }
  const chance = counts.reduce((rest, count) => rest - (count / picked.length) ** 2, 1);
  return { share: disagreeing / picked.length, chance };
}

function* differenceOfTargets(samples: Samples, picked: readonly number[]): Slices<LabelNoise> {
  const { y, outputs } = samples;
  const columns = Array.from({ length: outputs }, (_, k) => k);
  const mean = columns.map((k) => picked.reduce((sum, i) => sum + y[i * outputs + k]! / picked.length, 0));
  const variance = columns.map((k) =>
    picked.reduce((sum, i) => sum + (y[i * outputs + k]! - mean[k]!) ** 2 / picked.length, 0),
  );
  let share = 0;
  for (const i of picked) {
    const [j] = yield* nearestTo(i, samples, picked, 1);
    if (j === undefined) continue;
    for (const k of columns)
      if (variance[k]! > 0)
        share += (y[i * outputs + k]! - y[j * outputs + k]!) ** 2 / (2 * variance[k]! * picked.length * outputs);
  }
  return { share, chance: 1 };
}

/** The samples next to one of them, in the order of their distance. */
function* nearestTo(i: number, { x, features }: Samples, picked: readonly number[], wanted: number): Slices<number[]> {
  const nearest: number[] = [];
  const distances: number[] = [];
  let work = 0;
  for (const j of picked) {
    if (j === i) continue;
    if ((work += features) > SLICE_WORK) {
      work = 0;
      yield;
    }
    let distance = 0;
    for (let f = 0; f < features; f++) distance += (x[i * features + f]! - x[j * features + f]!) ** 2;
    let at = nearest.length;
    while (at > 0 && distances[at - 1]! > distance) at--;
    if (at >= wanted) continue;
    nearest.splice(at, 0, j);
    distances.splice(at, 0, distance);
    nearest.length = distances.length = Math.min(wanted, nearest.length);
  }
  yield;
  return nearest;
}
