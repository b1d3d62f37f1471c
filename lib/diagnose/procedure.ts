import { significant } from '../tensor/print';
import type { DataHint } from './data-hints';

export type Verdict = 'model-bias' | 'optimisation-failure' | 'overfitting' | 'data' | 'healthy' | 'undecided';

/** A predictor that was fitted beside the model, on the same training data. */
export interface Rival {
  readonly name: string;
  readonly trainLoss: number;
  readonly validationLoss: number;
  /** Standard deviation of trainLoss over seeds; 0 for what has one optimum. */
  readonly spread: number;
  /** The model could compute what this one computes: contained in it, or a shallower network of its widths. */
  readonly isContained: boolean;
}

/** All that the verdict is made of. */
export interface Measurements {
  readonly trainLoss: number;
  readonly validationLoss: number;
  /** Of the best constant: the height from which all differences are measured. */
  readonly constantLoss: number;
  readonly rivals: readonly Rival[];
  /** The least training loss that a fresh optimizer reached from where the model stands. */
  readonly furtherLoss: number | null;
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
export const show = (value: number): string => significant(value, 3);

/** Differences below this share of the constant's loss do not count. */
const NOTABLE = 0.05;
/** A training loss above this share of the constant's is high. */
const HIGH = 0.3;
/** A validation loss this share of the constant's above the training loss is a gap. */
const GAP = 0.15;

/**
 * The questions in their order (Hung-yi Lee's guide to training, 2021): training loss first. Is it beaten by something that the
 * model contains, or by more training? Then optimisation is at fault. Is it beaten by something larger only? Then the model
 * is. Only if it is low is the validation loss looked at.
 */
export function decide(measurements: Measurements): Decision {
  const { trainLoss, validationLoss, constantLoss, rivals, furtherLoss, hints } = measurements;
  if (!Number.isFinite(trainLoss))
    return {
      verdict: 'optimisation-failure',
      confidence: 1,
      reason: `the training loss is ${trainLoss}: training diverged`,
    };
  const height = Math.max(constantLoss, Number.MIN_VALUE);
  /** By how many times what counts the lower one is below the other. */
  const below = (lower: number, higher: number, spread = 0): number =>
    (higher - lower) / (NOTABLE * height + 2 * spread);
  const has = (kind: DataHint['kind']): DataHint | undefined => hints.find((hint) => hint.kind === kind);

  const failures = rivals
    .filter(({ isContained }) => isContained)
    .map((rival) => ({ by: below(rival.trainLoss, trainLoss, rival.spread), rival }))
    .sort((a, b) => b.by - a.by);
  const further = furtherLoss === null ? -Infinity : below(furtherLoss, trainLoss);
  const scaling = has('featureScaling');
  const beaten = failures[0] !== undefined && failures[0].by > 1 ? failures[0] : null;
  if (beaten !== null || further > 1) {
    const by = Math.max(beaten?.by ?? 0, further);
    const reason =
      beaten !== null
        ? `the training loss, ${show(trainLoss)}, is above that of a ${beaten.rival.name}, ${show(beaten.rival.trainLoss)}, which the model could imitate`
        : `a fresh optimizer brings the training loss from ${show(trainLoss)} to ${show(furtherLoss!)}`;
    // Baselines standardise features: where scales are far apart, that is what they had and the model had not.
    if (scaling !== undefined && beaten !== null)
      return { verdict: 'data', confidence: sure(by), reason: `${reason}; and ${scaling.message}` };
    return { verdict: 'optimisation-failure', confidence: sure(by), reason };
  }

  const better = rivals
    .filter(({ isContained }) => !isContained)
    .map((rival) => ({ by: below(rival.trainLoss, trainLoss, rival.spread), rival }))
    .sort((a, b) => b.by - a.by)[0];
  if (better !== undefined && better.by > 1)
    return {
      verdict: 'model-bias',
      confidence: sure(better.by),
      reason: `a ${better.rival.name}, which the model could not imitate, reaches a training loss of ${show(better.rival.trainLoss)}; the model, ${show(trainLoss)}, and more training does not change that`,
    };

  const noise = has('labelNoise');
  const gap = (validationLoss - trainLoss) / (GAP * height);
  if (gap > 1 || !Number.isFinite(validationLoss)) {
    const reason = `the training loss is ${show(trainLoss)}, the validation loss ${show(validationLoss)}`;
    return noise !== undefined
      ? { verdict: 'data', confidence: sure(gap), reason: `${reason}; and ${noise.message}` }
      : { verdict: 'overfitting', confidence: sure(gap), reason };
  }
  if (trainLoss > HIGH * height) {
    const reason = `the training loss, ${show(trainLoss)}, is high, and nothing that was tried goes lower`;
    if (noise !== undefined) return { verdict: 'data', confidence: 0.6, reason: `${reason}; and ${noise.message}` };
    return {
      verdict: 'undecided',
      confidence: 0.5,
      reason,
      wouldTell: 'a model that is much larger, or features that say more: if neither goes lower, it is the data',
    };
  }
  if (furtherLoss === null)
    return {
      verdict: 'undecided',
      confidence: 0.5,
      reason: `the training loss is ${show(trainLoss)}, but there was no time to see whether more training lowers it`,
      wouldTell: 'a larger budget',
    };
  return {
    verdict: 'healthy',
    confidence: sure(1 / Math.max(gap, failures[0]?.by ?? 0, better?.by ?? 0, further, 1e-9)),
    reason: `the training loss, ${show(trainLoss)}, is as low as that of anything else, and the validation loss, ${show(validationLoss)}, is near it`,
  };
}

/** ½ where a difference just counts, towards 1 as it grows. */
const sure = (times: number): number => (Number.isFinite(times) ? times / (times + 1) : 1);
