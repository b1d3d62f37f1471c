import { ValueError } from '../../lib';
import { dataHints, type DataHint } from '../../lib/diagnose/data-hints';
import { cancer, floats, iris, labelsOf } from './baselines/samples';

const x = floats(iris.features);
const y = labelsOf(iris.labels);
const kinds = (hints: DataHint[]): string[] => hints.map(({ kind }) => kind);

test('iris gives no hint', async () => {
  expect(await dataHints({ x, y }, 'multiclass', { loss: 'crossEntropy' })).toEqual([]);
});

test('the nearest neighbours disagree where a brute search says so', async () => {
  const labels = iris.labels.map((label, i) => (i % 4 === 0 ? (label + 1) % 3 : label));
  const deviations = [0, 1, 2, 3].map((j) => {
    const mean = iris.features.reduce((sum, row) => sum + row[j]!, 0) / 150;
    return Math.sqrt(iris.features.reduce((sum, row) => sum + (row[j]! - mean) ** 2, 0) / 150);
  });
  const share = (stride: number): number => {
    const picked = iris.features.map((_, i) => i).filter((i) => i % stride === 0);
    const distance = (i: number, j: number): number =>
      deviations.reduce((sum, s, f) => sum + ((iris.features[i]![f]! - iris.features[j]![f]!) / s) ** 2, 0);
    const disagreeing = picked.filter((i) => {
      const nearest = picked.filter((j) => j !== i).sort((a, b) => distance(i, a) - distance(i, b)).slice(0, 3); // prettier-ignore
      return nearest.filter((j) => labels[j] !== labels[i]).length >= 2;
    });
    return disagreeing.length / picked.length;
  };
  for (const [maxSamples, stride] of [
    [150, 1],
    [75, 2],
  ] as const) {
    const hints = await dataHints({ x, y: labelsOf(labels) }, 'multiclass', { neighbours: 3, maxSamples });
    expect(kinds(hints)).toEqual(['labelNoise']);
    expect(Math.abs(hints[0]!.value - share(stride))).toBeLessThanOrEqual(3 / 150);
  }
});

test('targets that nearest neighbours contradict: half the square of their difference', async () => {
  // Neighbours come in pairs that are far from all others: 0 and 0.1, 10 and 10.1, ...
  const points = Array.from({ length: 60 }, (_, i) => [10 * Math.floor(i / 2) + 0.1 * (i % 2)]);
  const targets = points.map((_, i) => Math.sin(i) + (i % 2 === 0 ? 1 : -1));
  const mean = targets.reduce((sum, target) => sum + target / 60, 0);
  const variance = targets.reduce((sum, target) => sum + (target - mean) ** 2 / 60, 0);
  const share = targets.reduce((sum, target, i) => sum + (target - targets[i ^ 1]!) ** 2 / (120 * variance), 0);
  expect(share).toBeGreaterThan(0.9);
  // As much as chance: the features are no judge.
  expect(await dataHints({ x: floats(points), y: floats(targets.map((y) => [y])) }, 'regression')).toEqual([]);
  const trend = targets.map((target, i) => target + 1.5 * Math.cos(Math.floor(i / 2)));
  const [hint] = await dataHints({ x: floats(points), y: floats(trend.map((y) => [y])) }, 'regression');
  const middle = trend.reduce((sum, target) => sum + target / 60, 0);
  const spread = trend.reduce((sum, target) => sum + (target - middle) ** 2 / 60, 0);
  const expected = trend.reduce((sum, target, i) => sum + (target - trend[i ^ 1]!) ** 2 / (120 * spread), 0);
  expect(hint).toMatchObject({ kind: 'labelNoise', value: expect.closeTo(expected, 6) as number, threshold: 0.5 });
});

test('labels by chance, in features that do not tell them, are no noise', async () => {
  const points = Array.from({ length: 100 }, (_, i) =>
    [0, 1, 2, 3, 4, 5, 6, 7].map((j) => Math.sin((i + 1) * (j + 2.5))),
  );
  const labels = labelsOf(points.map((_, i) => Number(Math.sin(i * i) > 0)));
  expect(kinds(await dataHints({ x: floats(points), y: labels }, 'binary'))).toEqual([]);
});

test('scales of features and targets, and features that say nothing', async () => {
  const data = { x: floats(cancer.features.map((row) => [...row, 5])), y: labelsOf(cancer.labels) };
  const hints = await dataHints(data, 'binary');
  expect(kinds(hints)).toEqual(['featureScaling', 'constantFeatures']);
  expect(hints[1]!.value).toBe(1);
  const targets = { x, y: floats(iris.features.map((row) => [row[0]!, row[1]! * 1000, row[2]! / 1000])) };
  const scaled = await dataHints(targets, 'regression');
  expect(scaled.map(({ kind, message }) => [kind, message.slice(0, 8)])).toEqual([
    ['targetScaling', 'target 1'],
    ['targetScaling', 'target 2'],
  ]);
});

test('imbalance of classes and of labels', async () => {
  const rare = { x, y: labelsOf(iris.labels.map((_, i) => Number(i < 10))) };
  const [hint] = await dataHints(rare, 'binary');
  expect(hint).toMatchObject({ kind: 'classImbalance', value: 14, threshold: 10 });
  const labels = { x, y: floats(iris.labels.map((label, i) => [Number(label > 0), Number(i < 5)])) };
  expect((await dataHints(labels, 'multilabel'))[0]!.message).toMatch(/^label 1: the most frequent class has 145/);
});

test('losses that do not fit the task', async () => {
  expect(kinds(await dataHints({ x, y }, 'multiclass', { loss: 'meanSquareError' }))).toEqual([
    'meanSquareErrorOfClasses',
  ]);
  const several = { x, y: floats(iris.labels.map((label, i) => [Number(label > 0), i % 2])) };
  const [hint] = await dataHints(several, 'multilabel', { loss: 'crossEntropy' });
  // One label exactly: 25 of the first species, and 50 of the others.
  expect(hint).toMatchObject({ kind: 'softmaxOfSeveralLabels', value: 75 / 150 });
  const single = { x, y: floats(iris.labels.map((label) => [0, 1, 2].map((k) => Number(k === label)))) };
  expect(await dataHints(single, 'multilabel', { loss: 'crossEntropy' })).toEqual([]);
});

test('refuses options outside their range', async () => {
  await expect(dataHints({ x, y }, 'multiclass', { loss: 'hinge' as never })).rejects.toThrow('loss is one of');
  await expect(dataHints({ x, y }, 'multiclass', { neighbours: 0 })).rejects.toThrow(ValueError);
  await expect(dataHints({ x, y }, 'multiclass', { neighbours: 9, maxSamples: 9 })).rejects.toThrow(
    'fewer than maxSamples',
  );
  await expect(dataHints({ x, y }, 'multiclass', { signal: AbortSignal.abort() })).rejects.toThrow('aborted');
});
