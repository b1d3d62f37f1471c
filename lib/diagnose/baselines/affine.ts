import { ShapeError, ValueError } from '../../errors';
import type { Slices } from '../../graph/program/slices';
import { cast } from '../../ops/cast';
import { tensor } from '../../ops/create';
import { add } from '../../ops/elementwise';
import { matmul } from '../../ops/matmul';
import { reshape, transpose } from '../../ops/shape';
import { formatShape } from '../../tensor/shape';
import { Tensor } from '../../tensor/tensor';
import { accuracyOf, lossOf, meanLoss } from './losses';
import { SLICE_WORK } from './running';
import type { Samples } from './samples';
import { unstandardised } from './standardise';
import type { Baseline, BaselineLoss } from './types';

/** Scores [count, outputs] of weights [outputs, features + 1], the bias last, for standardised features. */
export function* affineScores(
  samples: Samples,
  weights: Float64Array,
  outputs = samples.outputs,
): Slices<Float64Array> {
  const { count, features, x } = samples;
  const scores = new Float64Array(count * outputs);
  const rows = Math.max(1, Math.floor(SLICE_WORK / (features * outputs)));
  for (let i = 0; i < count; i++) {
    if (i % rows === rows - 1) yield;
    for (let k = 0; k < outputs; k++) {
      const at = k * (features + 1);
      let sum = weights[at + features]!;
      for (let j = 0; j < features; j++) sum += weights[at + j]! * x[i * features + j]!;
      scores[i * outputs + k] = sum;
    }
  }
  return scores;
}

/** What a solver knows of its end. */
export interface Outcome {
  readonly converged: boolean;
  readonly separable: boolean;
  readonly iterations: number;
  readonly objective: number;
}

/** The baseline of an affine function whose weights, for standardised features, are [outputs, features + 1]. */
export function* affineBaseline(
  name: string,
  samples: Samples,
  weights: Float64Array,
  outcome: Outcome,
  loss: BaselineLoss = lossOf(samples),
): Slices<Baseline> {
  const { features, outputs } = samples;
  const scores = yield* affineScores(samples, weights);
  const raw = unstandardised(weights, outputs, samples.scaling);
  const matrix = new Float64Array(outputs * features);
  const bias = new Float64Array(outputs);
  for (let k = 0; k < outputs; k++) {
    matrix.set(raw.subarray(k * (features + 1), k * (features + 1) + features), k * features);
    bias[k] = raw[k * (features + 1) + features]!;
  }
  const parameters = { weight: tensor(matrix, { shape: [outputs, features] }), bias: tensor(bias) };
  return {
    name,
    task: samples.task,
    loss,
    trainLoss: meanLoss(scores, samples, loss),
    trainAccuracy: accuracyOf(scores, samples),
    ...outcome,
    predict: (x) => {
      const rows = rowsOf(name, x, samples);
      return shaped(add(matmul(rows, transpose(parameters.weight, 0, 1)), parameters.bias), samples);
    },
    parameters,
  };
}

/** Features to predict from, as [n, features] in float64. */
export function rowsOf(name: string, x: Tensor, { features }: Samples): Tensor {
  if (!(x instanceof Tensor)) throw new ValueError(`predict of ${name}: x is a tensor, got ${typeof x}`);
  const given = x.shape.slice(1).reduce((a, b) => a * b, 1);
  if (x.shape.length < 2 || given !== features)
    throw new ShapeError(`predict of ${name}: x is [n, ${features}], got ${formatShape(x.shape)}`);
  return cast(reshape(x, [x.shape[0]!, features]), 'float64');
}

/** Scores [n, outputs] in the shape of y. */
export function shaped(scores: Tensor, { flat }: Samples): Tensor {
  return flat ? reshape(scores, [scores.shape[0]!]) : scores;
}
