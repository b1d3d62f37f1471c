import { decide, type Measurements } from '../../lib/diagnose';

const rival = (name: string, trainLoss: number, isContained: boolean, spread = 0) => ({
  ...{ name, trainLoss, validationLoss: trainLoss, spread, isContained },
});
const healthy: Measurements = {
  ...{ trainLoss: 0.1, validationLoss: 0.15, constantLoss: 2.3, furtherLoss: 0.09, hints: [] },
  rivals: [rival('constant', 2.3, true), rival('linear', 0.2, true), rival('network', 0.08, false)],
};
const hint = (kind: 'labelNoise' | 'featureScaling') => ({
  kind,
  value: 1,
  threshold: 0.5,
  message: `hint of ${kind}`,
});

test.each<[string, Partial<Measurements>, string]>([
  ['as good as all others', {}, 'healthy'],
  ['a linear model does better', { trainLoss: 0.5, validationLoss: 0.5 }, 'optimisation-failure'],
  ['no number', { trainLoss: NaN }, 'optimisation-failure'],
  ['more training does better', { trainLoss: 0.19, furtherLoss: 0.01 }, 'optimisation-failure'],
  [
    'only what is larger does better',
    { rivals: [rival('linear', 0.9, true), rival('network', 0.1, false)], trainLoss: 0.9, furtherLoss: 0.9 },
    'model-bias',
  ],
  ['no time to train on', { furtherLoss: null }, 'undecided'],
  ['a gap to validation', { validationLoss: 1 }, 'overfitting'],
  ['a gap, and labels that contradict each other', { validationLoss: 1, hints: [hint('labelNoise')] }, 'data'],
  ['features of far apart scales', { trainLoss: 0.9, hints: [hint('featureScaling')] }, 'data'],
  [
    'nothing goes lower',
    {
      trainLoss: 2,
      validationLoss: 2,
      furtherLoss: 2,
      rivals: [rival('linear', 2, true), rival('network', 1.98, false)],
    },
    'undecided',
  ],
  [
    'what the spread over seeds does not separate',
    {
      trainLoss: 0.5,
      validationLoss: 0.5,
      furtherLoss: 0.5,
      rivals: [rival('linear', 0.49, true), rival('network', 0.3, true, 0.1)],
    },
    'healthy',
  ],
])('%s: %#', (_, changes, verdict) => {
  const decision = decide({ ...healthy, ...changes });
  expect(decision.verdict).toBe(verdict);
  expect(decision.confidence).toBeGreaterThanOrEqual(0.5);
  expect(decision.confidence).toBeLessThanOrEqual(1);
  expect(decision.wouldTell === undefined).toBe(verdict !== 'undecided');
});
