import { ValueError } from '../errors';
import type { AbortOptions } from '../graph/abort';
import { checkChoice } from '../optim/options';
import { checkInteger } from '../tensor/shape';
import { runInTurns } from './baselines/running';
import { samplesOf, type Samples } from './baselines/samples';
import type { BaselineData, BaselineLoss, Task } from './baselines/types';
import { labelNoiseOf, type LabelNoise } from './label-noise';

export type DataHintKind =
  | 'classImbalance'
  | 'featureScaling'
  | 'constantFeatures'
  | 'targetScaling'
  | 'labelNoise'
  | 'softmaxOfSeveralLabels'
  | 'meanSquareErrorOfClasses';

export interface DataHint {
  readonly kind: DataHintKind;
  /** What was measured, and from where on it is worth a hint. */
  readonly value: number;
  readonly threshold: number;
  readonly message: string;
}

export interface DataHintsOptions extends AbortOptions {
  /** What the model is trained with; without it, nothing is said about the loss. */
  readonly loss?: Exclude<BaselineLoss, 'hinge'>;
  /** Neighbours that a sample is compared with; 5 where not given. */
  readonly neighbours?: number;
  /** Samples, evenly spaced, that labels are compared among; 2,000 where not given. */
  readonly maxSamples?: number;
}

/** From where on there is a hint: rules of thumb, each reported beside what was measured. */
const THRESHOLDS = { imbalance: 10, featureSpread: 100, targetScale: 30, noise: 0.15, targetNoise: 0.5 };

const losses = ['meanSquareError', 'binaryCrossEntropy', 'crossEntropy'] as const;

/**
 * What in the data itself makes training hard: classes of very different counts, features or targets of very different
 * scales, features that never change, labels or targets that their nearest neighbours contradict (label-noise.ts; not
 * for multilabel), and a loss that does not fit the task. An empty array says that none of it was found.
 * Throws ValueError for options outside their range, and ShapeError, DTypeError or ValueError for data that do not fit the
 * task.
 *
 *     const hints = await dataHints({ x, y }, 'multiclass', { loss: 'meanSquareError' });
 *     hints.map(({ message }) => message);
 */
export async function dataHints(data: BaselineData, task: Task, options: DataHintsOptions = {}): Promise<DataHint[]> {
  const op = 'dataHints';
  const { loss, neighbours = 5, maxSamples = 2000 } = options;
  if (loss !== undefined) checkChoice(op, 'loss', loss, losses);
  checkInteger(op, 'neighbours', neighbours, 1);
  checkInteger(op, 'maxSamples', maxSamples, 2);
  if (neighbours >= maxSamples)
    throw new ValueError(`${op}: neighbours are fewer than maxSamples = ${maxSamples}, got ${neighbours}`);
  const samples = await samplesOf(op, data, task, options, { loss, neighbours, maxSamples });
  const hints = [...ofFeatures(samples), ...(task === 'regression' ? ofTargets(samples) : ofClasses(samples))];
  hints.push(...ofLoss(samples, loss));
  if (task !== 'multilabel') {
    const stride = Math.ceil(samples.count / maxSamples);
    const noise = await runInTurns(op, labelNoiseOf(samples, neighbours, stride), options);
    hints.push(...ofNoise(samples, noise, neighbours, stride));
  }
  return hints;
}

/** Of fewer samples of a class the neighbours are too far away to say anything. */
const ENOUGH = 20;
/** Beyond this share of what chance does, neighbours are too far away too. */
const UNINFORMATIVE = 0.9;

function* ofNoise(
  samples: Samples,
  { share, chance }: LabelNoise,
  neighbours: number,
  stride: number,
): Iterable<DataHint> {
  const isRegression = samples.task === 'regression';
  const threshold = isRegression ? THRESHOLDS.targetNoise : THRESHOLDS.noise;
  const least = isRegression ? samples.count : rarest(samples);
  if (!(share > threshold && share < UNINFORMATIVE * chance && least >= ENOUGH * stride)) return;
  const message = isRegression
    ? `targets of nearest neighbours differ by ${percent(share)} of all variance: the features may not tell more about them`
    : `${percent(share)} of the samples have another label than most of their ${neighbours} nearest neighbours: labels may be wrong, or the features may not tell them`;
  yield { kind: 'labelNoise', value: share, threshold, message };
}

function rarest({ task, y, outputs }: Samples): number {
  const counts = new Float64Array(task === 'binary' ? 2 : outputs);
  for (const label of y) counts[label]!++;
  return Math.min(...counts);
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

function* ofFeatures({ x, count, features, scaling }: Samples): Iterable<DataHint> {
  let constant = 0;
  const scales: number[] = [];
  for (let j = 0; j < features; j++) {
    // A standardised feature of a single value is 0 everywhere.
    let isConstant = true;
    for (let i = 0; i < count && isConstant; i++) isConstant = x[i * features + j] === 0;
    if (isConstant) constant++;
    else scales.push(scaling.scale[j]!);
  }
  // Large features make the loss steep, and with it the steps short for all others; small ones alone do no harm.
  scales.sort((a, b) => a - b);
  const spread = scales.length === 0 ? 1 : scales.at(-1)! / scales[scales.length >> 1]!;
  const threshold = THRESHOLDS.featureSpread;
  if (spread > threshold) {
    const message = `the largest standard deviation of a feature is ${spread.toPrecision(3)} times the middle one: standardise them`;
    yield { kind: 'featureScaling', value: spread, threshold, message };
  }
  if (constant > 0) {
    const message = `${constant} of ${features} features have the same value in all samples`;
    yield { kind: 'constantFeatures', value: constant, threshold: 0, message };
  }
}

function* ofTargets({ y, count, outputs }: Samples): Iterable<DataHint> {
  const threshold = THRESHOLDS.targetScale;
  for (let k = 0; k < outputs; k++) {
    let squares = 0;
    for (let i = 0; i < count; i++) squares += y[i * outputs + k]! ** 2 / count;
    const value = Math.sqrt(squares);
    if (value <= threshold && (value === 0 || value >= 1 / threshold)) continue;
    const message = `target ${k} has a root mean square of ${value.toPrecision(3)}, far from the 1 that first weights suit: standardise it`;
    yield { kind: 'targetScaling', value, threshold, message };
  }
}

function* ofClasses({ task, y, count, outputs }: Samples): Iterable<DataHint> {
  const threshold = THRESHOLDS.imbalance;
  const counts = new Float64Array(outputs);
  for (let i = 0; i < y.length; i++)
    counts[task === 'multiclass' ? y[i]! : i % outputs]! += task === 'multiclass' ? 1 : y[i]!;
  const pairs = task === 'multiclass' ? [[...counts]] : [...counts].map((positive) => [positive, count - positive]);
  for (const [k, pair] of pairs.entries()) {
    const [least, most] = [Math.min(...pair), Math.max(...pair)];
    const value = most / least;
    if (value <= threshold) continue;
    const where = task === 'multilabel' ? `label ${k}: ` : '';
    const message = `${where}the most frequent class has ${most} samples, the least frequent ${least}: weight or resample them, and do not judge by accuracy`;
    yield { kind: 'classImbalance', value, threshold, message };
  }
}

function* ofLoss({ task, y, count, outputs }: Samples, loss: BaselineLoss | undefined): Iterable<DataHint> {
  if (loss === 'meanSquareError' && task !== 'regression') {
    const better = task === 'multiclass' ? 'cross-entropy' : 'binary cross-entropy with logits';
    const message = `mean square error on classes has small gradients where a decision is badly wrong: use ${better}`;
    yield { kind: 'meanSquareErrorOfClasses', value: 1, threshold: 0, message };
  }
  if (loss !== 'crossEntropy' || task !== 'multilabel') return;
  let others = 0;
  for (let i = 0; i < count; i++) {
    let labels = 0;
    for (let k = 0; k < outputs; k++) labels += y[i * outputs + k]!;
    if (labels !== 1) others++;
  }
  if (others === 0) return;
  const message = `${percent(others / count)} of the samples have no label or several, and a softmax can only choose one: use binary cross-entropy with logits`;
  yield { kind: 'softmaxOfSeveralLabels', value: others / count, threshold: 0, message };
}
