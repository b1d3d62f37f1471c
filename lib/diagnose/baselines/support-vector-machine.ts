import { ValueError } from '../../errors';
import type { Slices } from '../../graph/program/slices';
import { checkNumber } from '../../nn/check';
import { tensor } from '../../ops/create';
import { add, div, exp, mul, sub } from '../../ops/elementwise';
import { matmul } from '../../ops/matmul';
import { sum } from '../../ops/reduce';
import { transpose } from '../../ops/shape';
import { checkChoice } from '../../optim/options';
import { philox, unit53 } from '../../tensor/philox';
import type { Tensor } from '../../tensor/tensor';
import { affineBaseline, rowsOf, shaped, type Outcome } from './affine';
import { KernelRows } from './kernel-rows';
import { kernelMachine } from './kernel-svm';
import { linearMachine } from './linear-svm';
import { accuracyOf, meanLoss } from './losses';
import { reporter, runInTurns, type Report } from './running';
import { samplesOf, type Samples } from './samples';
import type { Baseline, BaselineData, BaselineOptions, Task } from './types';

export interface SupportVectorMachineOptions extends BaselineOptions {
  /** linear, where not given, or rbf: exp(-gamma ‖x - x'‖²). */
  readonly kernel?: 'linear' | 'rbf';
  /** Weight of the hinge losses; 1 where not given. */
  readonly C?: number;
  /** Of the kernel rbf; scale, where not given, is 1 / (features · variance of all standardised features). */
  readonly gamma?: number | 'scale';
}

/**
 * Support vector machine (Cortes and Vapnik 1995) on standardised features; for several classes or labels, one against the
 * rest for each. Minimises ‖w‖² / 2 + C Σ hinge. Kernel linear: dual coordinate descent, with the bias as the weight of a
 * feature that is 1, and penalised as such; to a relative duality gap of 1e-4. Kernel rbf: sequential minimal optimisation,
 * with a bias that is free. The objective is the sum over classes or labels; `trainLoss` the mean hinge loss, not to be
 * compared with a cross-entropy: that is what `trainAccuracy` is for. Throws ValueError for task regression and for options
 * outside their range, and ShapeError, DTypeError or ValueError for data that do not fit the task.
 *
 *     const { trainAccuracy } = await fitSupportVectorMachine({ x, y }, 'binary', { kernel: 'rbf', C: 10 });
 */
export async function fitSupportVectorMachine(
  data: BaselineData,
  task: Task,
  options: SupportVectorMachineOptions = {},
): Promise<Baseline> {
  const op = 'fitSupportVectorMachine';
  const { kernel = 'linear', C = 1, gamma = 'scale' } = options;
  checkChoice(op, 'kernel', kernel, ['linear', 'rbf']);
  checkNumber(op, 'C', C, { least: Number.MIN_VALUE });
  if (gamma !== 'scale') checkNumber(op, 'gamma', gamma, { least: Number.MIN_VALUE });
  if (kernel === 'linear' && options.gamma !== undefined)
    throw new ValueError(`${op}: gamma is of the kernel rbf only`);
  if (task === 'regression')
    throw new ValueError(`${op}: the task is binary, multiclass or multilabel, got regression; see fitLinear`);
  const samples = await samplesOf(op, data, task, options, { kernel, C, gamma });
  const report = reporter(`${kernel} support vector machine`, options);
  const slices = kernel === 'linear' ? fitAffine(samples, C, report) : fitKernel(samples, C, gamma, report);
  return runInTurns(op, slices, options);
}

/** 1 for the samples of class or label k, -1 for the others. */
function signsOf({ task, count, outputs, y }: Samples, k: number): Float64Array {
  const isOf = (i: number): boolean => (task === 'multiclass' ? y[i] === k : y[i * outputs + k] === 1);
  return Float64Array.from({ length: count }, (_, i) => (isOf(i) ? 1 : -1));
}

function* fitAffine(samples: Samples, C: number, report: Report): Slices<Baseline> {
  const { features, outputs, x } = samples;
  const weights = new Float64Array(outputs * (features + 1));
  let outcome = start;
  for (let k = 0; k < outputs; k++) {
    const result = yield* linearMachine(x, signsOf(samples, k), features, C, drawsOf(k), report);
    weights.set(result.weights, k * (features + 1));
    outcome = joined(outcome, result);
  }
  return yield* affineBaseline('linear support vector machine', samples, weights, outcome, 'hinge');
}

function* fitKernel(samples: Samples, C: number, given: number | 'scale', report: Report): Slices<Baseline> {
  const { count, features, outputs, x } = samples;
  const gamma = given === 'scale' ? scaleOf(samples) : given;
  const rows = new KernelRows(x, count, features, gamma);
  const scores = new Float64Array(count * outputs);
  const bias = new Float64Array(outputs);
  const all: Float64Array[] = [];
  let outcome = start;
  for (let k = 0; k < outputs; k++) {
    const result = yield* kernelMachine(rows, signsOf(samples, k), C, report);
    result.scores.forEach((score, i) => (scores[i * outputs + k] = score));
    bias[k] = result.bias;
    all.push(result.coefficients);
    outcome = joined(outcome, result);
    yield;
  }
  const support = Array.from({ length: count }, (_, i) => i).filter((i) => all.some((values) => values[i] !== 0));
  const name = 'rbf support vector machine';
  const vectors = new Float64Array(support.length * features);
  support.forEach((i, s) => vectors.set(x.subarray(i * features, (i + 1) * features), s * features));
  const parameters = {
    standardisedSupportVectors: tensor(vectors, { shape: [support.length, features] }),
    dualCoefficients: tensor(Float64Array.from(all.flatMap((values) => support.map((i) => values[i]!))), {
      shape: [outputs, support.length],
    }),
    bias: tensor(bias),
    gamma: tensor(gamma, { dtype: 'float64' }),
    mean: tensor(samples.scaling.mean),
    scale: tensor(samples.scaling.scale),
  };
  return {
    name,
    task: samples.task,
    loss: 'hinge',
    trainLoss: meanLoss(scores, samples, 'hinge'),
    trainAccuracy: accuracyOf(scores, samples),
    ...outcome,
    predict: (given) => {
      const standard = div(sub(rowsOf(name, given, samples), parameters.mean), parameters.scale);
      const kernels = kernelOf(standard, parameters.standardisedSupportVectors, parameters.gamma);
      return shaped(add(matmul(kernels, transpose(parameters.dualCoefficients, 0, 1)), parameters.bias), samples);
    },
    parameters,
  };
}

/** exp(-gamma (‖a‖² - 2 a b + ‖b‖²)), [n, m] of rows a [n, features] and b [m, features]. */
function kernelOf(a: Tensor, b: Tensor, gamma: Tensor): Tensor {
  const squaresOfA = sum(mul(a, a), { dim: 1, keepdim: true });
  const squaresOfB = sum(mul(b, b), { dim: 1 });
  const distances = add(sub(squaresOfA, mul(matmul(a, transpose(b, 0, 1)), 2)), squaresOfB);
  return exp(mul(mul(distances, gamma), -1));
}

/** Features are of variance 1 or, where they are constant, 0. */
function scaleOf({ x, features, count }: Samples): number {
  let squares = 0;
  for (let i = 0; i < x.length; i++) squares += x[i]! * x[i]!;
  return squares === 0 ? 1 / features : count / squares;
}

const start: Outcome = { converged: true, separable: false, iterations: 0, objective: 0 };

function joined(a: Outcome, b: Omit<Outcome, 'separable'>): Outcome {
  return {
    converged: a.converged && b.converged,
    separable: false,
    iterations: a.iterations + b.iterations,
    objective: a.objective + b.objective,
  };
}

/** Integers below what is asked for: the same in every fit. */
function drawsOf(stream: number): (below: number) => number {
  const words = new Uint32Array(4);
  let block = 0;
  return (below) => {
    philox(0, stream, block++, words);
    return Math.floor(unit53(words[0]!, words[1]!) * below);
  };
}
