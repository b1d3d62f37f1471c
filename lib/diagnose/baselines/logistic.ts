import { ValueError } from '../../errors';
import type { Slices } from '../../graph/program/slices';
import { checkNumber } from '../../nn/check';
import { affineBaseline } from './affine';
import { fitByLbfgs } from './logistic-lbfgs';
import { binaryProblem, multinomialProblem } from './logistic-problem';
import { minimiseByNewton, type NewtonResult } from './newton';
import { reporter, runInTurns, type Report } from './running';
import { samplesOf, type Samples } from './samples';
import { isSeparable } from './separability';
import type { Baseline, BaselineData, BaselineOptions, Task } from './types';

export interface LogisticBaselineOptions extends BaselineOptions {
  /** Inverse weight of the penalty, as in scikit-learn; null, where not given, for none. */
  readonly C?: number | null;
}

/** By how much the mean loss may exceed the optimum, by Newton's own estimate, and a loss that is as good as 0. */
const TOLERANCES = { tolerance: 1e-11, floor: 1e-9 };
/** More unknowns at once than that make the Hessian too large: L-BFGS then takes its place. */
const MAX_NEWTON_SIZE = 1500;

/**
 * Logistic regression: binary, multinomial, or for multilabel one binary regression a label. Minimises the mean loss plus
 * ‖W‖² / (2 C n), W being the weights for standardised features (no matter without penalty) and n the count of samples; its
 * objective is the mean of that over labels. Newton's method (IRLS) in float64; from 1,500 unknowns on L-BFGS, which ends
 * at a gradient below 1e-7. Without penalty, data that a hyperplane separates have no optimum: weights grow until the loss
 * is within 1e-9 of its infimum, `separable` is true and `converged` false. (After L-BFGS, only for data that are
 * separated without a sample on the boundary.) Throws ValueError for task regression, and ShapeError, DTypeError or
 * ValueError for data that do not fit the task.
 *
 *     const { trainLoss, separable } = await fitLogistic({ x, y: labels }, 'multiclass');
 */
export async function fitLogistic(
  data: BaselineData,
  task: Task,
  options: LogisticBaselineOptions = {},
): Promise<Baseline> {
  const { C = null } = options;
  if (C !== null) checkNumber('fitLogistic', 'C', C, { least: Number.MIN_VALUE });
  if (task === 'regression')
    throw new ValueError('fitLogistic: the task is binary, multiclass or multilabel, got regression; see fitLinear');
  const samples = await samplesOf('fitLogistic', data, task, options, { C });
  const penalty = C === null ? 0 : 1 / (C * samples.count);
  const unknowns = (samples.features + 1) * (task === 'multiclass' ? samples.outputs : 1);
  const report = reporter('logistic regression', options);
  if (unknowns > MAX_NEWTON_SIZE) return fitByLbfgs(samples, penalty, options, report);
  return runInTurns('fitLogistic', solve(samples, penalty, report), options);
}

function* solve(samples: Samples, penalty: number, report: Report): Slices<Baseline> {
  const { features, outputs, task } = samples;
  const columns = task === 'multiclass' ? 1 : outputs;
  const weights = new Float64Array(outputs * (features + 1));
  const step = new Float64Array(weights.length);
  const results: NewtonResult[] = [];
  for (let k = 0; k < columns; k++) {
    const problem = task === 'multiclass' ? multinomialProblem(samples, penalty) : binaryProblem(samples, k, penalty);
    const result = yield* minimiseByNewton(problem, TOLERANCES, report);
    weights.set(result.point, k * result.point.length);
    step.set(result.step, k * result.point.length);
    results.push(result);
  }
  const separable = penalty === 0 && (yield* isSeparable(samples, weights, step));
  const outcome = {
    separable,
    converged: !separable && results.every((result) => result.converged),
    iterations: results.reduce((sum, { iterations }) => sum + iterations, 0),
    objective: results.reduce((sum, { value }) => sum + value, 0) / columns,
  };
  return yield* affineBaseline('logistic regression', samples, weights, outcome);
}
