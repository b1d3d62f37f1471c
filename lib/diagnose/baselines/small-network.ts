import { backward } from '../../autodiff/backward';
import { ValueError } from '../../errors';
import { abortErrorOf, signalOf, type AbortSignalLike } from '../../graph/abort';
import type { Slices } from '../../graph/program/slices';
import { readData } from '../../graph/reading';
import { checkNumber } from '../../nn/check';
import * as init from '../../nn/init';
import { tensor, zeros } from '../../ops/create';
import { add, relu } from '../../ops/elementwise';
import { matmul } from '../../ops/matmul';
import { Generator } from '../../ops/random';
import { transpose } from '../../ops/shape';
import { Adam } from '../../optim/adam';
import { permutation } from '../../tensor/philox';
import { checkInteger } from '../../tensor/shape';
import { Variable, type Tensor, type TensorBase } from '../../tensor/tensor';
import { affineScores, rowsOf, shaped } from './affine';
import { accuracyOf, lossFor, lossOf, meanLoss } from './losses';
import { reporter, runInTurns, type Report } from './running';
import { samplesOf, toFloat64, type Samples } from './samples';
import { standardise, unstandardised } from './standardise';
import type { Baseline, BaselineData, BaselineOptions, Task } from './types';

export interface SmallNetworkOptions extends BaselineOptions {
  /** Units of the hidden layer; 64 where not given. */
  readonly hidden?: number;
  /** Steps of Adam with each learning rate; 600 where not given. */
  readonly steps?: number;
  /** Samples of a step; 256 where not given, or all if there are fewer. */
  readonly batchSize?: number;
  /** Of which the one with the least training loss is kept; 0.003, 0.01 and 0.03 where not given. */
  readonly learningRates?: readonly number[];
  /** Of the first weights and of the order of samples; 0 where not given. */
  readonly seed?: number;
}

const defaults = { hidden: 64, steps: 600, batchSize: 256, learningRates: [0.003, 0.01, 0.03], seed: 0 };
type Settings = typeof defaults;

/**
 * A network with one hidden layer of ReLU, trained in float32 on standardised features (and targets of a regression) by
 * Adam, with a learning rate that falls to 0 along a cosine (Loshchilov and Hutter 2017); once for each learning rate, and
 * the one with the least training loss is kept. No optimum is claimed: `converged` is false. Its parameters are weight1
 * [hidden, features], bias1, weight2 [outputs, hidden] and bias2, for features and targets as they are. Throws
 * ValueError for options outside their range, and ShapeError, DTypeError or ValueError for data that do not fit the task.
 *
 *     const { trainLoss, predict } = await fitSmallNetwork({ x, y }, 'multiclass', { hidden: 32 });
 */
export async function fitSmallNetwork(
  data: BaselineData,
  task: Task,
  options: SmallNetworkOptions = {},
): Promise<Baseline> {
  const op = 'fitSmallNetwork';
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const settings: Settings & SmallNetworkOptions = { ...defaults, ...Object.fromEntries(given) };
  for (const name of ['hidden', 'steps', 'batchSize'] as const) checkInteger(op, name, settings[name], 1);
  const rates: unknown = settings.learningRates;
  if (!Array.isArray(rates) || rates.length === 0)
    throw new ValueError(`${op}: learningRates is an array of at least one number, got ${String(rates)}`);
  rates.forEach((rate, i) => checkNumber(op, `learningRates[${i}]`, rate, { least: Number.MIN_VALUE }));
  checkInteger(op, 'seed', settings.seed, 0);
  const samples = await samplesOf(op, data, task, options, defaults);
  const report = reporter('small network', options);
  const targets = scaledTargets(samples);
  let best: Trained | null = null;
  for (const rate of settings.learningRates) {
    const trained = await train(samples, targets.y, rate, settings, signalOf(op, options), report);
    if (best === null || trained.loss < best.loss) best = trained;
  }
  if (best === null || !Number.isFinite(best.loss))
    throw new ValueError(`${op}: the loss became NaN with every learning rate; give smaller learningRates`);
  return baselineOf(samples, best, targets, settings);
}

interface Targets {
  readonly y: Float64Array;
  /** y was (target - mean) / scale, in each column. */
  readonly mean: Float64Array;
  readonly scale: Float64Array;
}

function scaledTargets({ task, count, outputs, y }: Samples): Targets {
  const copy = y.slice();
  if (task === 'regression') return { y: copy, ...standardise(copy, count, outputs) };
  return { y: copy, mean: new Float64Array(outputs), scale: new Float64Array(outputs).fill(1) };
}

interface Trained {
  readonly loss: number;
  readonly scores: Float64Array;
  /** weight1, bias1, weight2, bias2. */
  readonly parameters: Float64Array[];
}

async function train(
  samples: Samples,
  targets: Float64Array,
  rate: number,
  { hidden, steps, batchSize, seed }: Settings,
  signal: AbortSignalLike | null,
  report: Report,
): Promise<Trained> {
  const { task, count, features, outputs } = samples;
  const parameters = [[hidden, features], [hidden], [outputs, hidden], [outputs]].map(
    (shape) => new Variable(zeros(shape), { requiresGrad: true }),
  );
  const generator = new Generator(seed);
  init.kaimingUniform(parameters[0]!, { generator, nonlinearity: 'relu' });
  init.xavierUniform(parameters[2]!, { generator });
  const optimizer = new Adam(parameters, { lr: rate });
  const order = new Int32Array(count).map((_, i) => i);
  const size = Math.min(batchSize, count);
  const perEpoch = Math.floor(count / size);
  for (let step = 0; step < steps; step++) {
    if (signal?.aborted === true) throw abortErrorOf(signal);
    const at = (step % perEpoch) * size;
    if (at === 0) permutation(seed, step / perEpoch, count, order);
    const { x, y } = batchOf(samples, targets, order.subarray(at, at + size));
    const scores = forward(x, parameters);
    const loss = lossFor(task)(scores, y);
    optimizer.zeroGrad();
    backward(loss);
    optimizer.paramGroups[0]!.lr = (rate * (1 + Math.cos((Math.PI * step) / steps))) / 2;
    await optimizer.step({ also: [loss] });
    if (step % 20 === 19) report(step + 1, Number((await readData(loss))[0]));
  }
  const values = await Promise.all(parameters.map(async (one) => toFloat64(await readData(one.current))));
  const scores = await runInTurns('fitSmallNetwork', scoresOf(samples, values), { signal: signal ?? undefined });
  return { loss: meanLoss(scores, { ...samples, y: targets }, lossOf(samples)), scores, parameters: values };
}

/** For all samples, in float64. */
function* scoresOf(samples: Samples, [weight1, bias1, weight2, bias2]: readonly Float64Array[]): Slices<Float64Array> {
  const hidden = bias1!.length;
  const units = yield* affineScores(samples, withBias(weight1!, bias1!), hidden);
  for (let i = 0; i < units.length; i++) units[i] = Math.max(0, units[i]!);
  return yield* affineScores({ ...samples, x: units, features: hidden }, withBias(weight2!, bias2!));
}

/** Weights [rows, columns] with the bias of each row behind them. */
function withBias(weight: Float64Array, bias: Float64Array): Float64Array {
  const columns = weight.length / bias.length;
  const joined = new Float64Array(weight.length + bias.length);
  bias.forEach((value, row) => {
    joined.set(weight.subarray(row * columns, (row + 1) * columns), row * (columns + 1));
    joined[row * (columns + 1) + columns] = value;
  });
  return joined;
}

function batchOf({ task, features, outputs, x }: Samples, targets: Float64Array, indices: Int32Array): BaselineData {
  const rows = (values: Float64Array, width: number): Float64Array => {
    const picked = new Float64Array(indices.length * width);
    indices.forEach((i, at) => picked.set(values.subarray(i * width, (i + 1) * width), at * width));
    return picked;
  };
  const { length } = indices;
  return {
    x: tensor(rows(x, features), { shape: [length, features], dtype: 'float32' }),
    y:
      task === 'multiclass'
        ? tensor(rows(targets, 1), { dtype: 'int32' })
        : tensor(rows(targets, outputs), { shape: [length, outputs], dtype: 'float32' }),
  };
}

function forward(x: Tensor, [weight1, bias1, weight2, bias2]: readonly TensorBase[]): Tensor {
  const units = relu(add(matmul(x, transpose(weight1!, 0, 1)), bias1!));
  return add(matmul(units, transpose(weight2!, 0, 1)), bias2!);
}

function baselineOf(samples: Samples, best: Trained, targets: Targets, { hidden, steps }: Settings): Baseline {
  const { features, outputs } = samples;
  const scores = best.scores.map((score, i) => score * targets.scale[i % outputs]! + targets.mean[i % outputs]!);
  const [weight1, bias1, weight2, bias2] = best.parameters as [Float64Array, Float64Array, Float64Array, Float64Array];
  const raw = unstandardised(withBias(weight1, bias1), hidden, samples.scaling);
  const scaled = weight2.map((weight, i) => weight * targets.scale[Math.floor(i / hidden)]!);
  const parameters = {
    weight1: tensor(
      raw.filter((_, i) => i % (features + 1) !== features),
      { shape: [hidden, features] },
    ),
    bias1: tensor(raw.filter((_, i) => i % (features + 1) === features)),
    weight2: tensor(scaled, { shape: [outputs, hidden] }),
    bias2: tensor(bias2.map((bias, k) => bias * targets.scale[k]! + targets.mean[k]!)),
  };
  const name = 'small network';
  const trainLoss = meanLoss(scores, samples, lossOf(samples));
  return {
    name,
    task: samples.task,
    loss: lossOf(samples),
    trainLoss,
    trainAccuracy: accuracyOf(scores, samples),
    objective: trainLoss,
    converged: false,
    separable: false,
    iterations: steps,
    predict: (x) => shaped(forward(rowsOf(name, x, samples), Object.values(parameters)), samples),
    parameters,
  };
}
