import fc from 'fast-check';
import { F, ShapeError, ValueError, AbortError, DTypeError } from '../../../lib';
import {
  fitConstant,
  fitLinear,
  fitLogistic,
  fitSmallNetwork,
  fitSupportVectorMachine,
  type Baseline,
  type BaselineData,
  type BaselineOptions,
  type Task,
} from '../../../lib/diagnose/baselines';
import { readRecording } from '../../reference/read';
import { digits, floats, iris, labelsOf } from './samples';

const x = floats(iris.features);
const classes: BaselineData = { x, y: labelsOf(iris.labels) };
const widths: BaselineData = {
  x: floats(iris.features.map((row) => row.slice(0, 3))),
  y: floats(iris.features.map((row) => row[3]!)),
};
const virginica: BaselineData = { x, y: labelsOf(iris.labels.map((label) => Number(label === 2))) };
const marks: BaselineData = { x, y: floats(iris.labels.map((label, i) => [Number(label > 0), i % 2])) };

const quick = { steps: 60, hidden: 8, learningRates: [0.03] };
const fits: [
  string,
  Task,
  BaselineData,
  (data: BaselineData, task: Task, options?: BaselineOptions) => Promise<Baseline>,
][] = [
  ['constant', 'regression', widths, fitConstant],
  ['constant', 'multiclass', classes, fitConstant],
  ['linear regression', 'regression', widths, fitLinear],
  ['logistic regression', 'binary', virginica, fitLogistic],
  [
    'logistic regression',
    'multiclass',
    classes,
    (data, task, options) => fitLogistic(data, task, { ...options, C: 1 }),
  ],
  ['logistic regression', 'multilabel', marks, (data, task, options) => fitLogistic(data, task, { ...options, C: 1 })],
  [
    'small network',
    'regression',
    widths,
    (data, task, options) => fitSmallNetwork(data, task, { ...options, ...quick }),
  ],
  [
    'small network',
    'multiclass',
    classes,
    (data, task, options) => fitSmallNetwork(data, task, { ...options, ...quick }),
  ],
  [
    'small network',
    'multilabel',
    marks,
    (data, task, options) => fitSmallNetwork(data, task, { ...options, ...quick }),
  ],
  ['linear support vector machine', 'multiclass', classes, fitSupportVectorMachine],
  [
    'rbf support vector machine',
    'binary',
    virginica,
    (data, task, options) => fitSupportVectorMachine(data, task, { ...options, kernel: 'rbf' }),
  ],
];

/** The loss of what is predicted for features that are not standardised, by the library's own functions. */
async function lossOfPredictions({ predict, loss }: Baseline, { x: features, y }: BaselineData): Promise<number> {
  const scores = predict(features);
  if (loss === 'meanSquareError') return F.mseLoss(scores, y).item();
  if (loss === 'crossEntropy') return F.crossEntropy(scores, y).item();
  if (loss === 'binaryCrossEntropy') return F.binaryCrossEntropyWithLogits(scores, y.to('float64')).item();
  const labels =
    scores.shape.length === 1
      ? y.to('float64')
      : floats(iris.labels.map((label) => [0, 1, 2].map((k) => Number(k === label))));
  return F.relu(labels.mul(2).sub(1).mul(scores).neg().add(1)).mean().item();
}

test.each(fits)('%s for %s: predictions for raw features have the reported loss', async (name, task, data, fit) => {
  const baseline = await fit(data, task);
  expect(baseline).toMatchObject({ name, task });
  expect(await lossOfPredictions(baseline, data)).toBeCloseTo(baseline.trainLoss, 10);
  expect(baseline.predict(data.x).shape).toEqual(task === 'multiclass' ? [150, 3] : data.y.shape);
});

test.each(fits)(
  '%s for %s: another fit gives the same bits, an aborted one an AbortError',
  async (_, task, data, fit) => {
    const [a, b] = [await fit(data, task), await fit(data, task)];
    for (const key of Object.keys(a.parameters))
      expect(await a.parameters[key]!.data()).toEqual(await b.parameters[key]!.data());
    await expect(fit(data, task, { signal: AbortSignal.abort() })).rejects.toThrow(AbortError);
  },
);

test('linear regression does not depend on how features are scaled, nor on features that say nothing new', async () => {
  const { trainLoss } = await fitLinear(widths, 'regression');
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.double({ min: 1e-4, max: 1e4, noNaN: true }), fc.integer({ min: -5, max: 5 })), {
        minLength: 3,
        maxLength: 3,
      }),
      async (scales) => {
        const rows = iris.features.map((row) => {
          const scaled = scales.map(([scale, shift], j) => (row[j]! + shift) * scale);
          return [...scaled, 7, scaled[0]! - 2 * scaled[1]!];
        });
        const other = await fitLinear({ x: floats(rows), y: widths.y }, 'regression');
        expect(Math.abs(other.trainLoss - trainLoss)).toBeLessThan(1e-9);
        expect(other.trainLoss).toBeCloseTo(await lossOfPredictions(other, { x: floats(rows), y: widths.y }), 9);
      },
    ),
    { numRuns: 20, seed: 7 },
  );
});

test('more features than samples are fitted without a residual', async () => {
  const rows = iris.features.slice(0, 5).map((row, i) => [...row, ...row.map((value) => Math.sin(i + value * 10))]);
  const { trainLoss } = await fitLinear({ x: floats(rows), y: floats([3, 1, 4, 1, 5]) }, 'regression');
  expect(trainLoss).toBeLessThan(1e-20);
});

describe('data without an optimum', () => {
  const line = (values: number[]) => floats(values.map((value) => [value]));

  test('separated data: the loss goes to 0', async () => {
    const y = labelsOf(iris.labels.map((label) => Number(label === 0)));
    expect(await fitLogistic({ x, y }, 'binary')).toMatchObject({
      separable: true,
      converged: false,
      trainAccuracy: 1,
    });
    expect((await fitLogistic({ x, y }, 'binary')).trainLoss).toBeLessThan(1e-8);
    expect(await fitLogistic({ x, y }, 'binary', { C: 1 })).toMatchObject({ separable: false, converged: true });
  });

  test('data that touch in one point: the infimum is the entropy of that point', async () => {
    const data = { x: line([-2, -1, 0, 0, 1, 2]), y: labelsOf([0, 0, 0, 1, 1, 1]) };
    const { separable, converged, trainLoss } = await fitLogistic(data, 'binary');
    expect([separable, converged]).toEqual([true, false]);
    expect(trainLoss).toBeCloseTo((2 * Math.LN2) / 6, 8);
  });

  test('data that overlap have one', async () => {
    const data = { x: line([-2, -1, 0.5, -0.5, 1, 2]), y: labelsOf([0, 0, 0, 1, 1, 1]) };
    expect(await fitLogistic(data, 'binary')).toMatchObject({ separable: false, converged: true });
  });

  test('one class of three is separated: what is left is the loss between the two others', async () => {
    const { linear: _, logistic } = readRecording<Record<string, Record<string, { loss: number }>>>('baselines');
    const { trainLoss, separable } = await fitLogistic(classes, 'multiclass');
    expect(separable).toBe(true);
    expect(trainLoss).toBeCloseTo((logistic!['iris pair']!.loss * 100) / 150, 8);
  });
});

test('with many unknowns L-BFGS finds the optimum that Newton finds', async () => {
  const constant = new Array<number>(600).fill(3);
  const wide = floats(iris.features.map((row) => [...row, ...constant]));
  for (const [task, y] of [['multiclass', classes.y] as const, ['multilabel', marks.y] as const]) {
    const newton = await fitLogistic({ x, y }, task, { C: 1 });
    const repeated =
      task === 'multilabel'
        ? floats(iris.features.map((row) => [...row, ...constant, ...constant, ...constant]))
        : wide;
    const lbfgs = await fitLogistic({ x: repeated, y }, task, { C: 1 });
    expect(lbfgs.converged).toBe(true);
    expect(Math.abs(lbfgs.objective - newton.objective)).toBeLessThan(1e-9);
    expect(Math.abs(lbfgs.trainLoss - newton.trainLoss)).toBeLessThan(1e-6);
  }
});

test('a small network does better than a linear model where classes are not linear', async () => {
  const rows = Array.from({ length: 200 }, (_, i) => [Math.sin(3 * i), Math.cos(7 * i)]);
  const data = { x: floats(rows), y: labelsOf(rows.map(([a, b]) => Number(a! * b! > 0))) };
  const line = await fitLogistic(data, 'binary');
  const network = await fitSmallNetwork(data, 'binary', { steps: 300, hidden: 32 });
  const machine = await fitSupportVectorMachine(data, 'binary', { kernel: 'rbf', C: 100 });
  expect(line.trainLoss).toBeGreaterThan(0.5);
  expect(network.trainLoss).toBeLessThan(0.1);
  expect(machine.trainAccuracy).toBeGreaterThan(0.97);
});

test('the event loop turns, progress is told, and an abort ends a fit that is under way', async () => {
  const data = { x: floats(digits.features), y: labelsOf(digits.labels) };
  const told: number[] = [];
  const controller = new AbortController();
  let turns = 0;
  const turn = (): void => {
    if (++turns < 100_000 && !controller.signal.aborted) setImmediate(turn);
    if (turns === 30) controller.abort(new Error('enough'));
  };
  const fit = fitLogistic(data, 'multiclass', {
    signal: controller.signal,
    onProgress: ({ iteration }) => told.push(iteration),
  });
  setImmediate(turn);
  await expect(fit).rejects.toThrow('enough');
  expect(turns).toBe(30);
  expect(told[0]).toBe(1);
});

test('what does not fit is refused, with what would', async () => {
  const y = classes.y;
  await expect(fitLinear(classes, 'multiclass')).rejects.toThrow('fitLinear: the task is regression, got multiclass');
  await expect(fitLogistic(widths, 'regression')).rejects.toThrow('see fitLinear');
  await expect(fitSupportVectorMachine(widths, 'regression')).rejects.toThrow(ValueError);
  await expect(fitConstant(classes, 'ranking' as Task)).rejects.toThrow('task is one of regression, binary');
  await expect(fitConstant(classes, 'binary')).rejects.toThrow('y is 0 or 1 for binary, got 2 as element 100');
  await expect(fitConstant(classes, 'multilabel')).rejects.toThrow('y is [n, k] for multilabel');
  await expect(fitConstant(classes, 'regression')).rejects.toThrow(DTypeError);
  await expect(fitConstant({ x, y: x }, 'multiclass')).rejects.toThrow(ShapeError);
  await expect(fitConstant({ x: floats([1, 2]), y }, 'multiclass')).rejects.toThrow('x is [n, features]');
  await expect(fitConstant(classes, 'multiclass', { classes: 2 })).rejects.toThrow(
    'labels are below classes = 2, got 2',
  );
  await expect(fitConstant({ x: x.div(0), y }, 'multiclass')).rejects.toThrow('x holds finite numbers');
  await expect(fitLogistic(classes, 'multiclass', { C: 0 })).rejects.toThrow('C is a finite number');
  await expect(fitLogistic(classes, 'multiclass', { c: 1 } as object)).rejects.toThrow('unknown option c');
  await expect(fitSupportVectorMachine(classes, 'multiclass', { gamma: 1 })).rejects.toThrow('of the kernel rbf only');
  await expect(fitSmallNetwork(classes, 'multiclass', { learningRates: [] })).rejects.toThrow('learningRates');
  const { predict } = await fitConstant(classes, 'multiclass');
  expect(() => predict(floats([[1, 2]]))).toThrow('x is [n, 4], got [1, 2]');
});
