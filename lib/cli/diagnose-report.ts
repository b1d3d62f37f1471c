import type { Curve, Diagnosis, Measured } from '../diagnose';
import type { LinesFigure, Report, Section } from '../page/report';
import type { DiagnoseArguments, Trained } from './diagnose';
import { show } from './figures';

type Circumstances = Pick<DiagnoseArguments, 'config' | 'budget' | 'seed' | 'images'> & {
  /** Training images that were looked at. */
  readonly used: number;
  readonly seconds: number;
};

const verdicts: { readonly [verdict in Diagnosis['verdict']]: string } = {
  'model-bias': 'The model is too simple',
  'optimisation-failure': 'Optimisation has failed, not the model',
  overfitting: 'The model overfits',
  data: 'The data are at fault',
  healthy: 'Nothing is the matter',
  undecided: 'Undecided',
};

/** The page of a diagnosis. */
export function diagnosisReport(trained: Trained, found: Diagnosis, circumstances: Circumstances): Report {
  const { verdict, confidence, reason, wouldTell } = found;
  return {
    title: `What is the matter with ${trained.title}?`,
    verdict: [
      `${verdicts[verdict]} (${verdict}, confidence ${confidence.toFixed(2)}): ${reason}.`,
      ...(wouldTell === undefined ? [] : [`What would tell: ${wouldTell}.`]),
    ],
    sections: [
      ...suggestionsSection(found),
      rivalsSection(found),
      ...curvesSection(trained, found),
      layersSection(found),
      evidenceSection(found),
      madeBy(circumstances),
    ],
  };
}

function suggestionsSection({ suggestions }: Diagnosis): Section[] {
  if (suggestions.length === 0) return [];
  const lines = suggestions.map(({ what, because, code, gain }) => [
    what,
    code,
    gain === null ? 'not tried' : show(gain),
    because,
  ]);
  return [
    {
      heading: 'What to try, best first',
      text: ['Gain is by how much the training loss was lower where that was tried.'],
      tables: [{ head: ['change', 'code', 'gain', 'because'], lines }],
    },
  ];
}

function rivalsSection({ model, rivals }: Diagnosis): Section {
  const numbers = (train: Measured, validation: Measured, spread: number): string[] => [
    `${loss(train)}${spread > 0 ? ` ± ${show(spread)}` : ''}`,
    loss(validation),
    percent(train),
    percent(validation),
  ];
  const lines = rivals.map(({ name, train, validation, spread, isContained }) => [
    name,
    ...numbers(train, validation, spread),
    isContained ? 'yes' : 'no',
  ]);
  return {
    heading: 'Beside others, on the same images',
    text: [
      'A training loss below the model’s shows a failure of optimisation where the model could compute the same, and a model that is too simple where it could not.',
    ],
    tables: [
      {
        head: ['', 'training loss', 'validation loss', 'right in training', 'right in validation', 'could be imitated'],
        lines: [['the model', ...numbers(model.train, model.validation, 0), ''], ...lines],
      },
    ],
  };
}

const loss = (measured: Measured): string => (measured.loss === null ? '-' : show(measured.loss));
const percent = ({ accuracy }: Measured): string => (accuracy === null ? '-' : `${(100 * accuracy).toFixed(1)} %`);

/** Curves that span less are easier to read on an even scale. */
const DECADE = 10;

function curvesSection({ history }: Trained, { curves }: Diagnosis): Section[] {
  const figures: LinesFigure[] = [];
  const all = history.flatMap(({ trainLoss, testLoss }) => [trainLoss, testLoss]).filter(Number.isFinite);
  if (history.length > 1)
    figures.push({
      ...{ kind: 'lines', title: 'Training as it was', xLabel: 'epoch', yLabel: 'loss' },
      isLogarithmic: Math.max(...all) > DECADE * Math.min(...all),
      x: history.map(({ epoch }) => epoch),
      series: [
        { label: 'training', y: history.map(({ trainLoss }) => finite(trainLoss)), color: 0 },
        { label: 'test', y: history.map(({ testLoss }) => finite(testLoss)), color: 1 },
      ],
    });
  if (curves.length > 0) figures.push(figureOf(curves));
  return figures.length === 0 ? [] : [{ heading: 'Losses over time', figures }];
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);

/** Curves that were measured at different steps, over all of these. */
function figureOf(curves: readonly Curve[]): LinesFigure {
  const x = [...new Set(curves.flatMap(({ steps }) => steps))].sort((a, b) => a - b);
  const series = curves.map(({ name, steps, losses }, color) => {
    const at = new Map(steps.map((step, i) => [step, losses[i]!]));
    return { label: name, y: x.map((step) => between(step, steps, at)), color };
  });
  return {
    ...{ kind: 'lines', title: 'Other trainings of the model, by Adam', xLabel: 'step' },
    ...{ yLabel: 'loss of a mini-batch', isLogarithmic: true, x, series },
  };
}

/** The value at a step; on the line between two where the curve has none, so that it is drawn in one piece. */
function between(step: number, steps: readonly number[], at: ReadonlyMap<number, number>): number | null {
  const after = steps.findIndex((other) => other >= step);
  if (after < 0) return null;
  const [right, left] = [steps[after]!, steps[Math.max(0, after - 1)]!];
  if (right === step || after === 0) return right === step ? finite(at.get(right)!) : null;
  const share = (step - left) / (right - left);
  return finite((1 - share) * at.get(left)! + share * at.get(right)!);
}

function layersSection({ statistics: { activations, parameters } }: Diagnosis): Section {
  const share = (value: number | null): string => (value === null ? '' : `${(100 * value).toFixed(0)} %`);
  const weights = parameters.filter(({ name }) => name.endsWith('weight'));
  const figures: LinesFigure[] =
    weights.length < 3
      ? []
      : [
          {
            ...{
              kind: 'lines',
              title: 'Gradients from the first layer to the last',
              xLabel: 'weight',
              yLabel: 'length',
            },
            isLogarithmic: true,
            x: weights.map((_, i) => i + 1),
            series: [
              { label: 'gradient', y: weights.map(({ gradientNorm }) => finite(gradientNorm)), color: 0 },
              { label: 'weight', y: weights.map(({ weightNorm }) => finite(weightNorm)), color: 1 },
            ],
          },
        ];
  return {
    heading: 'Layer by layer',
    text: ['Of some training images: what each layer gives, and how long its weights and their gradients are.'],
    figures,
    tables: [
      {
        head: ['layer', 'kind', 'mean', 'standard deviation', 'units always 0', 'saturated'],
        lines: activations.map(({ name, kind, mean, std, dead, saturated }) => [
          ...[name, kind, show(mean), show(std), share(dead), share(saturated)],
        ]),
      },
      {
        head: ['parameter', 'length', 'length of its gradient'],
        lines: parameters.map(({ name, weightNorm, gradientNorm }) => [name, show(weightNorm), show(gradientNorm)]),
      },
    ],
  };
}

const evidenceSection = ({ evidence }: Diagnosis): Section => ({
  heading: 'Evidence',
  tables: [{ head: ['what', 'in words'], lines: evidence.map(({ name, message }) => [name, message]) }],
});

const madeBy = ({ config, budget, seed, images, used, seconds }: Circumstances): Section => ({
  heading: 'Made by',
  text: [
    `npx saddlepoint diagnose ${config} --budget ${budget} --images ${images} --seed ${seed}`,
    `${used} training images; ${seconds.toFixed(0)} seconds.`,
  ],
});
