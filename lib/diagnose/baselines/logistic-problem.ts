import type { Slices } from '../../graph/program/slices';
import { affineScores } from './affine';
import { logSumExp, meanLoss, softplus } from './losses';
import type { ConvexProblem } from './newton';
import { SLICE_WORK } from './running';
import type { Samples } from './samples';

/** Mean cross-entropy of softmax(W x + b) plus penalty / 2 ‖W‖², for all classes together. */
export function multinomialProblem(samples: Samples, penalty: number): ConvexProblem {
  const { count, features, outputs, x, y } = samples;
  const width = features + 1;
  const size = outputs * width;
  return {
    size,
    *evaluate(weights) {
      const scores = yield* affineScores(samples, weights);
      return meanLoss(scores, samples, 'crossEntropy') + penaltyOf(weights, features, penalty);
    },
    *derivatives(weights) {
      const shares = yield* affineScores(samples, weights);
      for (let i = 0; i < count; i++) {
        const row = shares.subarray(i * outputs, (i + 1) * outputs);
        const log = logSumExp(row);
        for (let k = 0; k < outputs; k++) row[k] = Math.exp(row[k]! - log);
      }
      yield;
      const gradient = new Float64Array(size);
      const hessian = new Float64Array(size * size);
      const factors = new Float64Array(count);
      for (let k = 0; k < outputs; k++) {
        for (let i = 0; i < count; i++) factors[i] = (shares[i * outputs + k]! - Number(y[i] === k)) / count;
        addMoments(x, factors, features, gradient.subarray(k * width, (k + 1) * width));
        for (let l = 0; l <= k; l++) {
          for (let i = 0; i < count; i++)
            factors[i] = (shares[i * outputs + k]! * (Number(k === l) - shares[i * outputs + l]!)) / count;
          yield* addProducts(x, factors, features, hessian, size, k * width, l * width);
        }
      }
      addPenalty(weights, features, penalty, gradient, hessian);
      return { gradient, hessian };
    },
  };
}

/** Mean binary cross-entropy of w x + b plus penalty / 2 ‖w‖², for one column of y. */
export function binaryProblem(samples: Samples, column: number, penalty: number): ConvexProblem {
  const { count, features, outputs, x, y } = samples;
  const size = features + 1;
  return {
    size,
    *evaluate(weights) {
      const scores = yield* affineScores(samples, weights, 1);
      let sum = 0;
      for (let i = 0; i < count; i++) sum += softplus(y[i * outputs + column] === 1 ? -scores[i]! : scores[i]!);
      return sum / count + penaltyOf(weights, features, penalty);
    },
    *derivatives(weights) {
      const scores = yield* affineScores(samples, weights, 1);
      const gradient = new Float64Array(size);
      const hessian = new Float64Array(size * size);
      const first = new Float64Array(count);
      const second = new Float64Array(count);
      for (let i = 0; i < count; i++) {
        // Of a wrong or doubtful decision the share that is missing; exact also where that is tiny.
        const sign = y[i * outputs + column] === 1 ? 1 : -1;
        const missing = 1 / (1 + Math.exp(sign * scores[i]!));
        first[i] = (-sign * missing) / count;
        second[i] = missing / (1 + Math.exp(-sign * scores[i]!)) / count;
      }
      yield;
      addMoments(x, first, features, gradient);
      yield* addProducts(x, second, features, hessian, size, 0, 0);
      addPenalty(weights, features, penalty, gradient, hessian);
      return { gradient, hessian };
    },
  };
}

/** sum += Σ_i factors_i [x_i, 1]. */
function addMoments(x: Float64Array, factors: Float64Array, features: number, sum: Float64Array): void {
  for (let i = 0; i < factors.length; i++) {
    for (let j = 0; j < features; j++) sum[j]! += factors[i]! * x[i * features + j]!;
    sum[features]! += factors[i]!;
  }
}

/** Adds Σ_i factors_i [x_i, 1] [x_i, 1]ᵀ to the block of a matrix [size, size] that begins at (row, column). */
function* addProducts(
  x: Float64Array,
  factors: Float64Array,
  features: number,
  matrix: Float64Array,
  size: number,
  row: number,
  column: number,
): Slices<void> {
  const width = features + 1;
  const block = new Float64Array(width * width);
  const rows = Math.max(1, Math.floor((2 * SLICE_WORK) / (width * width)));
  for (let i = 0; i < factors.length; i++) {
    if (i % rows === rows - 1) yield;
    const factor = factors[i]!;
    if (factor === 0) continue;
    const at = i * features;
    for (let j = 0; j < features; j++) {
      const scaled = factor * x[at + j]!;
      const to = j * width;
      for (let l = 0; l <= j; l++) block[to + l]! += scaled * x[at + l]!;
    }
    const to = features * width;
    for (let l = 0; l < features; l++) block[to + l]! += factor * x[at + l]!;
    block[to + features]! += factor;
  }
  // The block is symmetric.
  for (let j = 0; j < width; j++)
    for (let l = 0; l < width; l++)
      matrix[(row + j) * size + column + l]! += block[l <= j ? j * width + l : l * width + j]!;
}

/** penalty / 2 times the squared weights; a bias has no penalty. */
export function penaltyOf(weights: Float64Array, features: number, penalty: number): number {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) if (i % (features + 1) !== features) sum += weights[i]! * weights[i]!;
  return (penalty / 2) * sum;
}

function addPenalty(
  weights: Float64Array,
  features: number,
  penalty: number,
  gradient: Float64Array,
  hessian: Float64Array,
): void {
  const size = weights.length;
  for (let i = 0; i < size; i++) {
    if (i % (features + 1) === features) continue;
    gradient[i]! += penalty * weights[i]!;
    hessian[i * size + i]! += penalty;
  }
}
