import { significant } from '../tensor/print';
import type { DataHint } from './data-hints';
import type { Measured } from './measure';

export type Verdict = 'model-bias' | 'optimisation-failure' | 'overfitting' | 'data' | 'healthy' | 'undecided';

/** A predictor fitted on its own, or the model as another training made it: on, from fresh weights, or with fewer layers. */
export type RivalKind = 'baseline' | 'further' | 'afresh' | 'shallower';

/** What the model is compared with, on the same data. */
export interface Rival {
  readonly kind: RivalKind;
  /** As it stands in a sentence: 'a linear model'. */
  readonly name: string;
  /** Means over seeds. */
  readonly train: Measured;
  readonly validation: Measured;
  /** Standard deviation of the training loss over seeds; 0 for what has one optimum. */
  readonly spread: number;
  /** The model could compute what this one computes. */
  readonly isContained: boolean;
}

/** All that the verdict is made of. */
export interface Measurements {
  readonly model: { readonly train: Measured & { readonly loss: number }; readonly validation: Measured };
  /** The first is the best constant: the height from which all differences are measured. */
  readonly rivals: readonly Rival[];
  readonly hints: readonly DataHint[];
}

export interface Decision {
  readonly verdict: Verdict;
  /** From 0.5, where a difference is as large as what counts as one, to 1. */
  readonly confidence: number;
  readonly reason: string;
  /** What would tell, for undecided. */
  readonly wouldTell?: string;
}

/** Losses as verdicts and evidence print them. */
export const show = (value: number | null): string => (value === null ? '-' : significant(value, 3));

/** Differences below this share of the constant's loss do not count. */
const NOTABLE = 0.05;
/** A training loss above this share of the constant's is high. */
const HIGH = 0.3;
/** A validation loss this share of the constant's above the training loss is a gap. */
const GAP = 0.15;

/**
 * The questions in their order (Hung-yi Lee's guide to training, 2021): training loss first. Is it beaten by something that the
 * model contains, or by more training? Then optimisation is at fault. Is it beaten by something larger only? Then the model
 * is. Only if it is low is the validation loss looked at. What is lower in training and worse in validation beats nothing: it
 * has learned the samples by heart.
 */
export function decide(measurements: Measurements): Decision {
  const { model, rivals, hints } = measurements;
  const { loss } = model.train;
  if (!Number.isFinite(loss))
    return {
      verdict: 'optimisation-failure',
      confidence: 1,
      reason: `the training loss is ${loss}: training diverged`,
    };
  // Losses say more than errors do.
  const compared = rivals
    .map((rival) => ({ rival, ...compare(model, rival, rivals[0]!) }))
    .sort((a, b) => Number(hasLoss(b)) - Number(hasLoss(a)) || b.by - a.by);
  const better = compared.filter(({ by, isWorseOutside }) => by > 1 && !isWorseOutside);
  const failures = better.filter(({ rival }) => rival.isContained);
  const bias = better.find(({ rival }) => !rival.isContained);
  // What is missing is in two parts: what the best of its kind would reach, and what only a larger one does (Bottou and
  // Bousquet, "The tradeoffs of large scale learning", 2008). The larger part decides.
  const [optimisation, all] = [failures, better].map((some) =>
    Math.max(0, ...some.filter(hasLoss).map(({ ifCertain }) => ifCertain)),
  ) as [number, number];
  if (failures.length > 0 && all - optimisation <= optimisation) return ofFailure(model, failures, hints);
  if (bias !== undefined) return ofBias(measurements, bias);
  const unsure = compared.find(({ ifCertain, isWorseOutside }) => ifCertain > 1 && !isWorseOutside);
  if (unsure !== undefined)
    return {
      verdict: 'undecided',
      confidence: 0.5,
      reason: `${unsure.rival.name} has ${scoreOf(unsure.rival.train)} in training and the model ${scoreOf(model.train)}, which its spread over seeds, ${show(unsure.rival.spread)}, does not separate`,
      wouldTell: 'more seeds, or more steps for each',
    };
  return ofRest(measurements, Math.max(...compared.map(({ by }) => by)));
}

interface Comparison {
  /** By how many times what counts the rival is better in training, its spread taken into account. */
  readonly by: number;
  /** The same if it had none. */
  readonly ifCertain: number;
  readonly isWorseOutside: boolean;
}

/** In the loss of the task, or by errors for machines that have none. */
function compare(model: Measurements['model'], { train, validation, spread }: Rival, constant: Rival): Comparison {
  if (train.loss === null) {
    const least = NOTABLE * (1 - constant.train.accuracy!);
    const by = (train.accuracy! - model.train.accuracy!) / least;
    return { by, ifCertain: by, isWorseOutside: validation.accuracy! < model.validation.accuracy! - least };
  }
  const least = NOTABLE * heightOf(constant);
  const difference = model.train.loss - train.loss;
  return {
    by: difference / (least + 2 * spread),
    ifCertain: difference / least,
    isWorseOutside: validation.loss! > model.validation.loss! + least,
  };
}

/** Machines without a loss of the task have nothing that adds up with others. */
const hasLoss = ({ rival }: { readonly rival: Rival }): boolean => rival.train.loss !== null;

const heightOf = ({ train }: Rival): number => Math.max(train.loss!, Number.MIN_VALUE);

function ofFailure(
  { train }: Measurements['model'],
  failures: readonly { readonly by: number; readonly rival: Rival }[],
  hints: readonly DataHint[],
): Decision {
  const decided = (verdict: Verdict, { by, rival }: (typeof failures)[number], also?: DataHint): Decision => {
    const own = scoreBeside(rival, train);
    const why = rival.kind === 'baseline' || rival.kind === 'shallower' ? ', which the model could imitate' : '';
    const reason = `in training the model has ${own}, and ${rival.name}${why}, ${scoreOf(rival.train)}`;
    return { verdict, confidence: sure(by), reason: also === undefined ? reason : `${reason}; and ${also.message}` };
  };
  // Baselines standardise features and targets: where scales are far apart, that is what they had and the model had not.
  const scaling = hints.find(({ kind }) => kind === 'featureScaling' || kind === 'targetScaling');
  const standardised = failures.find(({ rival }) => rival.kind === 'baseline');
  if (scaling !== undefined && standardised !== undefined) return decided('data', standardised, scaling);
  const mismatch = hints.find(({ kind }) => kind === 'meanSquareErrorOfClasses' || kind === 'softmaxOfSeveralLabels');
  return decided('optimisation-failure', failures[0]!, mismatch);
}

function ofBias(
  { model, rivals }: Measurements,
  { by, rival }: { readonly by: number; readonly rival: Rival },
): Decision {
  const reason = `in training the model has ${scoreBeside(rival, model.train)}, and ${rival.name}, which it could not imitate, ${scoreOf(rival.train)}`;
  if (rivals.some(({ kind }) => kind === 'afresh'))
    return {
      verdict: 'model-bias',
      confidence: sure(by),
      reason: `${reason}; other trainings of the model do not get there`,
    };
  return {
    verdict: 'undecided',
    confidence: 0.5,
    reason: `${reason}; there was no time to see what the model does from fresh weights`,
    wouldTell: 'a larger budget',
  };
}

/** The training loss is as low as it gets: what does validation say? */
function ofRest({ model, rivals, hints }: Measurements, nearest: number): Decision {
  const height = heightOf(rivals[0]!);
  const { loss } = model.train;
  const outside = model.validation.loss!;
  const noise = hints.find(({ kind }) => kind === 'labelNoise');
  const gap = (outside - loss) / (GAP * height);
  if (gap > 1 || !Number.isFinite(outside)) {
    const reason = `the training loss is ${show(loss)}, the validation loss ${show(outside)}`;
    return noise !== undefined
      ? { verdict: 'data', confidence: sure(gap), reason: `${reason}; and ${noise.message}` }
      : { verdict: 'overfitting', confidence: sure(gap), reason };
  }
  if (loss > HIGH * height) {
    const reason = `the training loss, ${show(loss)}, is high, and nothing that was tried goes lower`;
    if (noise !== undefined) return { verdict: 'data', confidence: 0.6, reason: `${reason}; and ${noise.message}` };
    return {
      verdict: 'undecided',
      confidence: 0.5,
      reason,
      wouldTell: 'a model that is much larger, or features that say more: if neither goes lower, it is the data',
    };
  }
  if (!rivals.some(({ kind }) => kind === 'further'))
    return {
      verdict: 'undecided',
      confidence: 0.5,
      reason: `the training loss is ${show(loss)}, but there was no time to see whether more training lowers it`,
      wouldTell: 'a larger budget',
    };
  return {
    verdict: 'healthy',
    confidence: Math.max(0.5, sure(1 / Math.max(gap, nearest, 1e-9))),
    reason: `the training loss, ${show(loss)}, is as low as that of anything else, and the validation loss, ${show(outside)}, is near it`,
  };
}

function scoreOf({ loss, accuracy }: Measured): string {
  return loss !== null ? `a loss of ${show(loss)}` : `an accuracy of ${show(100 * accuracy!)} %`;
}

/** The model's score in the measure that the rival has. */
const scoreBeside = (rival: Rival, own: Measured): string =>
  scoreOf(rival.train.loss === null ? { ...own, loss: null } : own);

/** ½ where a difference just counts, towards 1 as it grows. */
const sure = (times: number): number => (Number.isFinite(times) ? times / (times + 1) : 1);
