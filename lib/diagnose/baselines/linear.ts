import { ValueError } from '../../errors';
import type { Slices } from '../../graph/program/slices';
import { checkNumber } from '../../nn/check';
import { affineBaseline } from './affine';
import { constantsOf } from './constant';
import { leastSquares } from './least-squares';
import { runInTurns, SLICE_WORK } from './running';
import { samplesOf, type Samples } from './samples';
import type { Baseline, BaselineData, BaselineOptions, Task } from './types';

export interface LinearBaselineOptions extends BaselineOptions {
  /** Weight of the penalty ‖W‖²; 0 where not given. */
  readonly alpha?: number;
}

/**
 * Linear regression: minimises Σ (y - W x - b)² + alpha ‖W‖², W being the weights for standardised features (no matter
 * without penalty), by QR, which is exact up to rounding also where features depend on each other. Its objective is that
 * sum divided by the count of y, as the mean square error. Throws ValueError for a task other than regression, and
 * ShapeError, DTypeError or ValueError for data that do not fit it. With alpha, Hoerl and Kennard 1970.
 *
 *     const { trainLoss, parameters } = await fitLinear({ x, y }, 'regression');
 */
export async function fitLinear(
  data: BaselineData,
  task: Task,
  options: LinearBaselineOptions = {},
): Promise<Baseline> {
  const { alpha = 0 } = options;
  checkNumber('fitLinear', 'alpha', alpha, { least: 0 });
  if (task !== 'regression')
    throw new ValueError(`fitLinear: the task is regression, got ${task}; fitLogistic is for classes and labels`);
  const samples = await samplesOf('fitLinear', data, task, options, { alpha });
  return runInTurns('fitLinear', solve(samples, alpha), options);
}

function* solve(samples: Samples, alpha: number): Slices<Baseline> {
  const { count, features, outputs, x, y } = samples;
  const rows = count + (alpha > 0 ? features : 0);
  const columns: Float64Array[] = [];
  for (let j = 0; j < features; j++) {
    const column = new Float64Array(rows);
    for (let i = 0; i < count; i++) column[i] = x[i * features + j]!;
    if (alpha > 0) column[count + j] = Math.sqrt(alpha);
    columns.push(column);
    if (j % Math.max(1, Math.floor(SLICE_WORK / rows)) === 0) yield;
  }
  // Standardised features have mean 0: the bias is the mean of the targets whatever the weights are.
  const means = constantsOf(samples);
  const right = [...means].map((mean, k) =>
    new Float64Array(rows).map((_, i) => (i < count ? y[i * outputs + k]! - mean : 0)),
  );
  const solutions = yield* leastSquares(columns, right);
  const weights = new Float64Array(outputs * (features + 1));
  let norm = 0;
  solutions.forEach((solution, k) => {
    weights.set(solution, k * (features + 1));
    weights[k * (features + 1) + features] = means[k]!;
    norm += solution.reduce((sum, weight) => sum + weight * weight, 0);
  });
  const outcome = { converged: true, separable: false, iterations: 1, objective: 0 };
  const baseline = yield* affineBaseline(
    alpha > 0 ? 'ridge regression' : 'linear regression',
    samples,
    weights,
    outcome,
  );
  return { ...baseline, objective: baseline.trainLoss + (alpha * norm) / (count * outputs) };
}
