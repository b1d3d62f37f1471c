import type { DataHint } from './data-hints';
import { DEAD, type Findings } from './evidence';
import { show, type Decision, type Rival } from './procedure';
import type { Retraining } from './trainings/retraining';

export interface Suggestion {
  readonly what: string;
  /** Which evidence it comes from. */
  readonly because: string;
  readonly code: string;
  /** By how much the training loss was seen to fall that way; null where nothing like it was tried. */
  readonly gain: number | null;
}

type Advice = Pick<Suggestion, 'what' | 'code'>;

const forHints: { readonly [kind in DataHint['kind']]: Advice } = {
  softmaxOfSeveralLabels: {
    what: 'a logit of its own for every label',
    code: 'F.binaryCrossEntropyWithLogits(logits, labels)',
  },
  meanSquareErrorOfClasses: {
    what: 'cross-entropy in place of mean square error',
    code: 'F.crossEntropy(logits, labels)',
  },
  featureScaling: { what: 'standardise the features', code: 'x.sub(x.mean({ dim: 0 })).div(x.std({ dim: 0 }))' },
  targetScaling: { what: 'standardise the targets', code: 'y.sub(y.mean()).div(y.std())' },
  labelNoise: {
    what: 'look at the labels that their neighbours contradict; soften the others',
    code: 'F.crossEntropy(logits, labels, { labelSmoothing: 0.1 })',
  },
  classImbalance: { what: 'weigh the classes', code: 'F.crossEntropy(logits, labels, { weight })' },
  constantFeatures: { what: 'leave out features that never change', code: 'x.slice([[0, n], [from, to]])' },
};

/** Best first: by what was seen to help, then in the order in which things usually do. */
export function suggestionsFor(
  decision: Decision,
  findings: Findings,
  retrainings: readonly Retraining[],
): Suggestion[] {
  if (decision.verdict === 'healthy') return [];
  const grave = ofHints(findings, (kind) => gravest.includes(kind));
  const others = ofHints(findings, (kind) => !gravest.includes(kind));
  const all = [...grave, ...ofVerdict(decision, findings, retrainings), ...others];
  return all.sort((a, b) => (b.gain ?? 0) - (a.gain ?? 0));
}

/** What keeps every training from getting far. */
const gravest: readonly DataHint['kind'][] = [
  ...(['softmaxOfSeveralLabels', 'meanSquareErrorOfClasses', 'featureScaling', 'targetScaling'] as const),
];

/** What a training of the model on other terms, or a fit on standardised data, was better by. */
const gainOf = ({ model }: Findings, { train }: Rival): number | null =>
  train.loss === null ? null : Math.max(0, model.train.loss - train.loss);

function ofHints(findings: Findings, isWanted: (kind: DataHint['kind']) => boolean): Suggestion[] {
  const linear = findings.rivals[1]!;
  const wanted = findings.hints.filter(({ kind }) => isWanted(kind));
  return wanted.map(({ kind, message }) => {
    const isTried = kind === 'featureScaling' || kind === 'targetScaling';
    return { ...forHints[kind], because: message, gain: isTried ? gainOf(findings, linear) : null };
  });
}

function ofVerdict(
  { verdict, reason }: Decision,
  findings: Findings,
  retrainings: readonly Retraining[],
): Suggestion[] {
  const untried = (what: string, code: string): Suggestion => ({ what, because: reason, code, gain: null });
  switch (verdict) {
    case 'optimisation-failure':
      return [
        ...retrainings.map((retraining) => ofRetraining(findings, retraining)).filter(({ gain }) => (gain ?? 0) > 0),
        ...ofSteps(findings),
        ...ofDeadUnits(findings),
        ...ofSaddle(findings),
        untried('normalise, and shorten the way of gradients', 'new nn.BatchNorm1d(width)'),
      ];
    case 'model-bias': {
      const best = findings.rivals.reduce((a, b) => ((b.train.loss ?? Infinity) < (a.train.loss ?? Infinity) ? b : a));
      const because = `${best.name} has ${show(best.train.loss)} in training`;
      const code = 'new nn.Linear(features, 128)';
      return [{ what: 'a wider or deeper model', because, code, gain: gainOf(findings, best) }];
    }
    case 'overfitting':
      return [
        untried('more data, or data made from them', 'x.flip({ dim: 3 })'),
        untried('decay of the weights', 'new optim.AdamW(model.parameters(), { weightDecay: 0.05 })'),
        untried('dropout', 'new nn.Dropout({ p: 0.3 })'),
      ];
    default:
      return [];
  }
}

function ofRetraining(findings: Findings, { rival, lr }: Retraining): Suggestion {
  const what = {
    baseline: '',
    further: `train on with Adam at ${lr}`,
    afresh: `train from fresh weights with Adam at ${lr}, which falls to 0 along a cosine`,
    shallower: 'fewer of the repeated layers, or shortcuts around them',
  }[rival.kind];
  const code =
    rival.kind === 'shallower' ? 'x.add(layer.forward(x))' : `new optim.Adam(model.parameters(), { lr: ${lr} })`;
  const because = `${rival.name} has ${show(rival.train.loss)} in training, the model ${show(findings.model.train.loss)}`;
  return { what, because, code, gain: gainOf(findings, rival) };
}

/** A learning rate above what curvature allows. */
function ofSteps({ standing, lr }: Findings): Suggestion[] {
  if (standing === null || lr === undefined || !(standing.largestCurvature * lr > 2)) return [];
  const limit = 2 / standing.largestCurvature;
  const because = `the learning rate is ${show(lr)}; gradient descent is stable up to ${show(limit)} where the model stands`;
  return [{ what: `a lower learning rate`, because, code: `lr: ${show(limit / 2)}`, gain: null }];
}

function ofDeadUnits({ statistics }: Findings): Suggestion[] {
  return statistics.activations
    .filter(({ dead }) => (dead ?? 0) > DEAD)
    .map(({ name, dead }) => ({
      what: `units of ${name} that can recover`,
      because: `${Math.round(100 * dead!)} % of them are 0 for every sample`,
      code: 'new nn.LeakyReLU()',
      gain: null,
    }));
}

function ofSaddle({ standing }: Findings): Suggestion[] {
  if (standing?.kind !== 'saddle') return [];
  return [
    {
      what: 'leave the saddle point along its negative curvature',
      because: standing.explanation,
      code: 'new PerturbedGradient(optimizer)',
      gain: null,
    },
  ];
}
