import type { DataHint } from './data-hints';
import { DEAD } from './evidence';
import { show, type Decision, type Rival } from './procedure';
import type { LayerStatistics } from './statistics';

export interface Suggestion {
  readonly what: string;
  /** Which evidence it comes from. */
  readonly because: string;
  readonly code: string;
}

interface Grounds {
  readonly hints: readonly DataHint[];
  readonly statistics: LayerStatistics;
  readonly further: { readonly loss: number; readonly lr: number };
  readonly rivals: readonly Rival[];
  readonly trainLoss: number;
}

const forHints: { readonly [kind in DataHint['kind']]: Pick<Suggestion, 'what' | 'code'> } = {
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

/** Those of the verdict in the order in which they usually help, after what the data themselves ask for. */
export function suggestionsFor(decision: Decision, grounds: Grounds): Suggestion[] {
  const { hints, statistics, further, rivals, trainLoss } = grounds;
  const ofHints = [...hints].map(({ kind, message }): Suggestion => ({ ...forHints[kind], because: message }));
  switch (decision.verdict) {
    case 'healthy':
      return [];
    case 'optimisation-failure': {
      const dead = statistics.activations.filter((layer) => (layer.dead ?? 0) > DEAD);
      const ofLayers = dead.map(({ name, dead: share }): Suggestion => ({
        what: `units of ${name} that can recover`,
        because: `${Math.round(100 * share!)} % of them are 0 for every sample`,
        code: 'new nn.LeakyReLU()',
      }));
      const ofSteps: Suggestion[] =
        further.loss < trainLoss
          ? [
              {
                what: `train on with Adam at ${further.lr}`,
                because: `that brought the training loss from ${show(trainLoss)} to ${show(further.loss)}`,
                code: `new optim.Adam(model.parameters(), { lr: ${further.lr} })`,
              },
            ]
          : [];
      return [
        ...ofHints,
        ...ofLayers,
        ...ofSteps,
        {
          what: 'normalise, and shorten the way of gradients',
          because: decision.reason,
          code: 'new nn.BatchNorm1d(width)',
        },
        {
          what: 'leave what may be a saddle point',
          because: decision.reason,
          code: 'new PerturbedGradient(optimizer)',
        },
      ];
    }
    case 'model-bias': {
      const best = rivals.reduce((a, b) => (b.trainLoss < a.trainLoss ? b : a));
      return [
        {
          what: 'a wider or deeper model',
          because: `a ${best.name} reaches ${show(best.trainLoss)}`,
          code: 'new nn.Linear(features, 128)',
        },
        ...ofHints,
      ];
    }
    case 'overfitting':
      return [
        ...ofHints,
        { what: 'more data, or data made from them', because: decision.reason, code: 'x.flip({ dim: 3 })' },
        {
          what: 'decay of the weights',
          because: decision.reason,
          code: 'new optim.AdamW(model.parameters(), { weightDecay: 0.05 })',
        },
        { what: 'dropout', because: decision.reason, code: 'new nn.Dropout({ p: 0.3 })' },
      ];
    case 'data':
    case 'undecided':
      return ofHints;
  }
}
