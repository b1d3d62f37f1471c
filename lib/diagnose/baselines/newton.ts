import type { Slices } from '../../graph/program/slices';
import { solveCholesky } from './cholesky';
import type { Report } from './running';

/** A convex function of `size` numbers with its derivatives. */
export interface ConvexProblem {
  readonly size: number;
  evaluate(point: Float64Array): Slices<number>;
  /** The Hessian's lower triangle is enough. */
  derivatives(point: Float64Array): Slices<{ gradient: Float64Array; hessian: Float64Array }>;
}

export interface NewtonResult {
  readonly point: Float64Array;
  /** The last Newton step: along it the function still falls, by no more than the tolerance. */
  readonly step: Float64Array;
  readonly value: number;
  readonly converged: boolean;
  readonly iterations: number;
}

const MAX_ITERATIONS = 200;
/** Added to the Hessian's diagonal, relative to its mean: directions in which the function does not change have none. */
const RIDGE = 1e-11;
/** Of the decrease that the gradient promises, what a step has to bring (Armijo). */
const SUFFICIENT = 1e-4;

/**
 * Newton's method with backtracking (Boyd and Vandenberghe 2004, algorithm 9.5), until half the squared Newton decrement,
 * which estimates by how much the value exceeds the infimum, is at most `tolerance`, or rounding allows no decrease. Also
 * ends at values up to `floor`: of a function that is never negative no more can be gained.
 */
export function* minimiseByNewton(
  problem: ConvexProblem,
  { tolerance, floor }: { tolerance: number; floor: number },
  report: Report,
): Slices<NewtonResult> {
  const { size } = problem;
  let point = new Float64Array(size);
  let value = yield* problem.evaluate(point);
  let step = new Float64Array(size);
  for (let iteration = 1; iteration <= MAX_ITERATIONS; iteration++) {
    report(iteration, value);
    const { gradient, hessian } = yield* problem.derivatives(point);
    step = yield* newtonStep(gradient, hessian);
    let slope = 0;
    for (let i = 0; i < size; i++) slope += gradient[i]! * step[i]!;
    const converged = -slope / 2 <= tolerance;
    let length = 1;
    for (; length > 1e-12; length /= 2) {
      const next = point.map((at, i) => at + length * step[i]!);
      const nextValue = yield* problem.evaluate(next);
      if (nextValue > value + SUFFICIENT * length * slope) continue;
      [point, value] = [next, nextValue];
      break;
    }
    if (converged || value <= floor || length <= 1e-12) return { point, step, value, converged, iterations: iteration };
  }
  return { point, step, value, converged: false, iterations: MAX_ITERATIONS };
}

function* newtonStep(gradient: Float64Array, hessian: Float64Array): Slices<Float64Array<ArrayBuffer>> {
  const size = gradient.length;
  let trace = 0;
  for (let i = 0; i < size; i++) trace += hessian[i * size + i]!;
  for (let ridge = (RIDGE * trace) / size || Number.MIN_VALUE; ; ridge *= 100) {
    const factor = hessian.slice();
    for (let i = 0; i < size; i++) factor[i * size + i]! += ridge;
    const step = new Float64Array(gradient).map((value) => -value);
    yield;
    if (yield* solveCholesky(factor, step)) return step;
  }
}
