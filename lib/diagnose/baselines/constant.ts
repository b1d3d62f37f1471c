import { affineBaseline } from './affine';
import { runInTurns } from './running';
import { samplesOf, type Samples } from './samples';
import type { Baseline, BaselineData, BaselineOptions, Task } from './types';

/**
 * The best constant: the mean of the targets, the log-odds of each label, the logarithm of each class's share. Where a
 * label or class never (or always) occurs, its best logit is infinite; it is then that of a count of 1e-12.
 * Throws ShapeError, DTypeError or ValueError for data that do not fit the task.
 *
 *     const { trainLoss } = await fitConstant({ x, y }, 'multiclass');
 */
export async function fitConstant(data: BaselineData, task: Task, options: BaselineOptions = {}): Promise<Baseline> {
  const samples = await samplesOf('fitConstant', data, task, options);
  const { features, outputs } = samples;
  const weights = new Float64Array(outputs * (features + 1));
  constantsOf(samples).forEach((value, k) => (weights[k * (features + 1) + features] = value));
  const outcome = { converged: true, separable: false, iterations: 0 };
  const slices = affineBaseline('constant', samples, weights, { ...outcome, objective: 0 });
  const baseline = await runInTurns('fitConstant', slices, options);
  return { ...baseline, objective: baseline.trainLoss };
}

const LEAST_COUNT = 1e-12;

/** The constant of each output that minimises the task's loss. */
export function constantsOf({ task, count, outputs, y }: Samples): Float64Array {
  const sums = new Float64Array(outputs);
  if (task === 'multiclass') for (let i = 0; i < count; i++) sums[y[i]!]! += 1;
  else for (let i = 0; i < count * outputs; i++) sums[i % outputs]! += y[i]!;
  if (task === 'regression') return sums.map((sum) => sum / count);
  if (task === 'multiclass') return sums.map((sum) => Math.log(Math.max(sum, LEAST_COUNT) / count));
  return sums.map((sum) => Math.log(Math.max(sum, LEAST_COUNT) / Math.max(count - sum, LEAST_COUNT)));
}
