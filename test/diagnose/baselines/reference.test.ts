import {
  fitConstant,
  fitLinear,
  fitLogistic,
  fitSupportVectorMachine,
  type Baseline,
} from '../../../lib/diagnose/baselines';
import { readRecording } from '../../reference/read';
import { cancer, digitLabels, digitProfiles, digits, floats, iris, labelsOf } from './samples';

interface Recorded {
  readonly loss: number;
  readonly objective: number;
}

const recorded = readRecording<Record<'linear' | 'logistic' | 'svm', Record<string, Recorded>>>('baselines');

/** Relative where the reference exceeds 1. */
function expectAbout(value: number, reference: number, tolerance: number): void {
  expect(Math.abs(value - reference)).toBeLessThanOrEqual(tolerance * Math.max(1, reference));
}

const first =
  (count: number) =>
  (row: number[]): number[] =>
    row.slice(0, count);
const pair = { features: iris.features.slice(50), labels: iris.labels.slice(50).map((label) => label - 1) };

const linear: Record<string, () => Promise<Baseline>> = {
  iris: () =>
    fitLinear({ x: floats(iris.features.map(first(3))), y: floats(iris.features.map((row) => row[3]!)) }, 'regression'),
  'iris two targets': () =>
    fitLinear(
      { x: floats(iris.features.map(first(2))), y: floats(iris.features.map((row) => row.slice(2))) },
      'regression',
    ),
  cancer: () => fitLinear(sizes, 'regression'),
  digits: () => fitLinear({ x: floats(digits.features), y: floats(digits.labels) }, 'regression'),
  'cancer ridge 3': () => fitLinear(sizes, 'regression', { alpha: 3 }),
};
const sizes = {
  x: floats(cancer.features.map((row) => row.slice(1))),
  y: floats(cancer.features.map((row) => row[0]!)),
};

const logistic: Record<string, () => Promise<Baseline>> = {
  'iris pair': () => fitLogistic({ x: floats(pair.features), y: labelsOf(pair.labels) }, 'binary'),
  'cancer ten features': () =>
    fitLogistic({ x: floats(cancer.features.map(first(10))), y: labelsOf(cancer.labels) }, 'binary'),
  'digits profile': () => fitLogistic({ x: floats(digitProfiles), y: labelsOf(digits.labels) }, 'multiclass'),
  'iris C 1': () => fitLogistic({ x: floats(iris.features), y: labelsOf(iris.labels) }, 'multiclass', { C: 1 }),
  'cancer C 0.5': () => fitLogistic({ x: floats(cancer.features), y: labelsOf(cancer.labels) }, 'binary', { C: 0.5 }),
  'digits C 0.1': () =>
    fitLogistic({ x: floats(digits.features), y: labelsOf(digits.labels) }, 'multiclass', { C: 0.1 }),
  'digits labels C 1': () =>
    fitLogistic({ x: floats(digits.features), y: floats(digitLabels) }, 'multilabel', { C: 1 }),
};

function machine(name: string): Promise<Baseline> {
  const [data, kernel, C] = name.split(' ') as ['iris' | 'cancer' | 'digits', 'linear' | 'rbf', string];
  const { features, labels } = { iris, cancer, digits }[data];
  const task = data === 'cancer' ? 'binary' : 'multiclass';
  return fitSupportVectorMachine({ x: floats(features), y: labelsOf(labels) }, task, { kernel, C: Number(C) });
}

test.each(Object.keys(recorded.linear))('linear regression of %s is the optimum of scikit-learn', async (name) => {
  const baseline = await linear[name]!();
  expectAbout(baseline.trainLoss, recorded.linear[name]!.loss, 1e-6);
  expectAbout(baseline.objective, recorded.linear[name]!.objective, 1e-6);
  expect(baseline.loss).toBe('meanSquareError');
});

test.each(Object.keys(recorded.logistic))('logistic regression of %s is the optimum of scikit-learn', async (name) => {
  const baseline = await logistic[name]!();
  expectAbout(baseline.trainLoss, recorded.logistic[name]!.loss, 1e-6);
  expectAbout(baseline.objective, recorded.logistic[name]!.objective, 1e-6);
  expect(baseline).toMatchObject({ converged: true, separable: false });
});

test.each(Object.keys(recorded.svm))('the support vector machine of %s is the one of scikit-learn', async (name) => {
  const baseline = await machine(name);
  expectAbout(baseline.objective, recorded.svm[name]!.objective, 1e-3);
  expectAbout(baseline.trainLoss, recorded.svm[name]!.loss, 1e-3);
  expect(baseline).toMatchObject({ converged: true, loss: 'hinge' });
});

test('a constant has the loss of the spread and of the entropy', async () => {
  const x = floats(iris.features);
  const widths = iris.features.map((row) => row[3]!);
  const mean = widths.reduce((a, b) => a + b) / 150;
  const { trainLoss } = await fitConstant({ x, y: floats(widths) }, 'regression');
  expectAbout(trainLoss, widths.reduce((sum, width) => sum + (width - mean) ** 2, 0) / 150, 1e-14);
  expectAbout((await fitConstant({ x, y: labelsOf(iris.labels) }, 'multiclass')).trainLoss, Math.log(3), 1e-14);
});
