import { backward, manualSeed, models, optim, type Tensor } from '../lib';
import { diagnose, type Diagnosis, type Task, type Verdict } from '../lib/diagnose';
import { lossFor } from '../lib/diagnose/baselines/losses';
import { batches } from '../lib/diagnose/trainings/training';
import type { Module } from '../lib/nn';
import { Dropout, Linear, ReLU, Sequential, Sigmoid, Tanh, init } from '../lib/nn';
import { mseLoss } from '../lib/nn/losses/functional';
import type { Layer } from '../lib/nn/module';
import { logSoftmax, oneHot } from '../lib/ops';
import { convolutionalNetwork } from '../lib/train';
import * as data from './diagnose-data';
import type { Split } from './diagnose-data';

/** A training that went as it did for a known reason. */
export interface DiagnoseCase {
  readonly title: string;
  readonly verdict: Verdict;
  /** Trains a model of the case, and asks what is the matter. */
  readonly run: (options?: Pick<Parameters<typeof diagnose>[1], 'onProgress'>) => Promise<Diagnosis>;
}

/** What is printed about a case: what was said, whether that is right, and why. */
export function wordsOf({ title, verdict }: DiagnoseCase, found: Diagnosis, seconds: number): string {
  const isRight = found.verdict === verdict;
  const said = isRight ? verdict : `${found.verdict}, and is ${verdict}`;
  const [confidence, time] = [found.confidence.toFixed(2), seconds.toFixed(1)];
  return `${isRight ? 'right' : 'WRONG'}  ${title}: ${said} (${confidence}, ${time} s)\n       ${found.reason}`;
}

type Loss = (output: Tensor, target: Tensor) => Tensor;

interface Optimizer {
  zeroGrad(): void;
  step(): PromiseLike<unknown>;
}

interface Training {
  readonly split: () => Split;
  readonly task: Task;
  readonly model: () => Module & Layer;
  /** Before training. */
  readonly prepare?: (model: Module & Layer) => void;
  readonly optimizer: (model: Module & Layer) => Optimizer;
  readonly steps: number;
  /** That of the task where not given. */
  readonly loss?: readonly [name: 'meanSquareError' | 'crossEntropy', loss: Loss];
  readonly lr?: number;
}

const SEED = 7;

function entry(title: string, verdict: Verdict, training: Training): DiagnoseCase {
  return { title, verdict, run: (options = {}) => trainAndDiagnose(training, options) };
}

async function trainAndDiagnose(
  { split, task, model: build, prepare, optimizer: choose, steps, loss, lr }: Training,
  options: Pick<Parameters<typeof diagnose>[1], 'onProgress'>,
): Promise<Diagnosis> {
  manualSeed(0);
  const model = build();
  prepare?.(model);
  const { train, validation } = split();
  const optimizer = choose(model);
  const lossOf = loss?.[1] ?? lossFor(task);
  model.train();
  for (const { x, y } of batches(train, steps, SEED)) {
    optimizer.zeroGrad();
    backward(lossOf(model.forward(x), y));
    await optimizer.step();
  }
  return diagnose(model, {
    ...{ train, validation, task, ...options },
    ...(loss === undefined ? {} : { loss: loss[0] }),
    ...(lr === undefined ? {} : { lr }),
  });
}

/** Layers of these widths with something between them. */
const mlp = (sizes: readonly number[], between: () => Layer = () => new ReLU()): Sequential =>
  new Sequential(
    ...sizes.slice(1).flatMap((size, i) => [new Linear(sizes[i]!, size), ...(i + 2 < sizes.length ? [between()] : [])]),
  );

const adam =
  (lr = 3e-3) =>
  (model: Module): Optimizer =>
    new optim.Adam(model.parameters(), { lr });
const sgd =
  (lr: number) =>
  (model: Module): Optimizer =>
    new optim.SGD(model.parameters(), { lr });

const weightsTo =
  (change: (weight: Parameters<typeof init.constant>[0]) => unknown) =>
  (model: Module): void => {
    for (const parameter of model.parameters()) if (parameter.rank > 1) change(parameter);
  };

const onDigits = {
  split: () => data.digits(),
  task: 'multiclass' as const,
  model: () => mlp([64, 64, 10]),
  optimizer: adam(),
  steps: 600,
};
const onImages = { ...onDigits, split: () => data.digitImages(), steps: 300 };
const onIris = { ...onDigits, split: () => data.iris(), model: () => mlp([4, 16, 3]) };
const onCancer = {
  ...onDigits,
  task: 'binary' as const,
  split: () => data.cancer(true),
  model: () => mlp([30, 16, 1]),
};
const onRings = { ...onDigits, task: 'binary' as const, split: () => data.rings(), model: () => mlp([2, 32, 1]) };
const onSine = {
  ...onDigits,
  task: 'regression' as const,
  split: () => data.sine(300, 0.05),
  model: () => mlp([1, 64, 1]),
};
const onProperties = { ...onDigits, task: 'multilabel' as const, split: () => data.propertiesOfDigits() };

/** Softmax cross-entropy with several labels, as if they were shares of one. */
const softmaxOfLabels: Loss = (output, target) => {
  const shares = target.div(target.sum({ dim: 1, keepdim: true }).clamp({ min: 1 }));
  return logSoftmax(output, 1).mul(shares).sum().div(-output.shape[0]!);
};
const squaresOfClasses: Loss = (output, target) => mseLoss(output, oneHot(target, output.shape[1]!));

export const diagnoseCases: readonly DiagnoseCase[] = [
  entry('digits, 64 hidden units', 'healthy', onDigits),
  entry('digits, a convolutional network', 'healthy', {
    ...onImages,
    model: () => convolutionalNetwork([1, 8, 8], 10),
  }),
  entry('digits, dropout and decay of the weights', 'healthy', {
    ...onDigits,
    model: () => mlp([64, 128, 10], () => new Sequential(new ReLU(), new Dropout({ p: 0.2 }))),
    optimizer: (model) => new optim.AdamW(model.parameters(), { lr: 3e-3, weightDecay: 0.05 }),
  }),
  entry('digits, softmax regression', 'healthy', { ...onDigits, model: () => mlp([64, 10]), optimizer: adam(0.03) }),
  entry('digits, three labels at once', 'healthy', { ...onProperties, model: () => mlp([64, 64, 3]), steps: 1500 }),
  entry('iris', 'healthy', onIris),
  entry('breast cancer, standardised', 'healthy', { ...onCancer, steps: 150 }),
  entry('a sine', 'healthy', { ...onSine, optimizer: adam(0.01), steps: 2000 }),

  entry('digits, one hidden unit', 'model-bias', { ...onDigits, model: () => mlp([64, 1, 10]), steps: 1500 }),
  entry('digits, two hidden units', 'model-bias', {
    ...onDigits,
    model: () => mlp([64, 2, 10]),
    optimizer: adam(0.01),
    steps: 3000,
  }),
  entry('rings, a linear model', 'model-bias', { ...onRings, model: () => mlp([2, 1]), optimizer: adam(0.03) }),
  entry('a sine, a linear model', 'model-bias', { ...onSine, model: () => mlp([1, 1]), optimizer: adam(0.03) }),

  entry('digits, a learning rate of 0.00001', 'optimisation-failure', { ...onDigits, optimizer: sgd(1e-5), lr: 1e-5 }),
  entry('iris, Adam at 0.000001', 'optimisation-failure', { ...onIris, optimizer: adam(1e-6), lr: 1e-6 }),
  entry('digits, twenty steps', 'optimisation-failure', { ...onDigits, steps: 20, optimizer: adam(1e-3) }),
  entry('digits, a learning rate of 10', 'optimisation-failure', { ...onDigits, optimizer: sgd(10), lr: 10 }),
  entry('digits, Adam at 3', 'optimisation-failure', { ...onDigits, optimizer: adam(3), lr: 3 }),
  entry('digits, dead units', 'optimisation-failure', {
    ...onDigits,
    prepare: (model) => {
      const [, bias] = [...model.parameters()];
      init.constant(bias!, -100);
    },
  }),
  entry('digits, weights that begin at 0', 'optimisation-failure', {
    ...onDigits,
    model: () => mlp([64, 64, 64, 10]),
    prepare: weightsTo((weight) => init.constant(weight, 0)),
  }),
  entry('digits, weights that begin too large', 'optimisation-failure', {
    ...onDigits,
    model: () => mlp([64, 64, 64, 10], () => new Tanh()),
    prepare: weightsTo((weight) => init.normal(weight, { std: 10 })),
    optimizer: sgd(1e-3),
    lr: 1e-3,
  }),
  entry('rings, a start at a saddle point', 'optimisation-failure', {
    ...onRings,
    model: () => mlp([2, 32, 32, 1], () => new Tanh()),
    prepare: weightsTo((weight) => init.constant(weight, 0)),
    optimizer: sgd(0.1),
    lr: 0.1,
  }),
  entry('digits, 56 plain layers', 'optimisation-failure', {
    ...onDigits,
    model: () => mlp([64, ...new Array<number>(55).fill(64), 10]),
    optimizer: adam(1e-3),
    steps: 300,
  }),
  entry('digits, a plain convolutional network of 56 layers', 'optimisation-failure', {
    ...onImages,
    model: () => new models.CifarNet(56, { inChannels: 1, width: 4, residual: false }),
    optimizer: sgd(0.01),
    steps: 100,
  }),
  entry('digits, ten layers of sigmoids', 'optimisation-failure', {
    ...onDigits,
    model: () => mlp([64, ...new Array<number>(9).fill(64), 10], () => new Sigmoid()),
    optimizer: sgd(0.1),
    lr: 0.1,
  }),
  entry('digits, mean square error on classes', 'optimisation-failure', {
    ...onDigits,
    loss: ['meanSquareError', squaresOfClasses],
  }),
  entry('digits, a softmax for three labels at once', 'optimisation-failure', {
    ...onProperties,
    model: () => mlp([64, 64, 3]),
    loss: ['crossEntropy', softmaxOfLabels],
  }),

  entry('digits, sixty samples', 'overfitting', {
    ...onDigits,
    split: () => data.digits(60),
    model: () => mlp([64, 256, 10]),
  }),
  entry('sixty samples of a hundred features', 'overfitting', {
    ...onRings,
    split: () => data.manyFeatures(60, 100),
    model: () => mlp([100, 64, 1]),
  }),
  entry('thirty points of a noisy sine', 'overfitting', {
    ...onSine,
    split: () => data.sine(30, 0.4),
    model: () => mlp([1, 256, 256, 1]),
    optimizer: adam(5e-3),
    steps: 4000,
  }),

  entry('digits, a third of the labels by chance', 'data', {
    ...onDigits,
    split: () => data.digits(1000, data.byChance(0.35, 10)),
    model: () => mlp([64, 256, 10]),
    steps: 2500,
  }),
  entry('iris, half of the labels by chance', 'data', {
    ...onIris,
    split: () => data.iris(data.byChance(0.5, 3)),
    model: () => mlp([4, 64, 3]),
    optimizer: adam(0.01),
    steps: 1500,
  }),
  entry('breast cancer, features that differ by factors of a hundred thousand', 'data', {
    ...onCancer,
    split: () => data.cancer(false),
    model: () => mlp([30, 32, 1]),
    optimizer: sgd(1e-4),
    steps: 400,
  }),
  entry('a sine of height 1,000', 'data', { ...onSine, split: () => data.sine(300, 0.05, 1000) }),
  entry('a sine in noise of twice its height', 'data', { ...onSine, split: () => data.sine(300, 1.5) }),
];
