import { decide, type DataHint, type Measurements, type Rival, type RivalKind } from '../../lib/diagnose';

interface Given {
  readonly loss?: number;
  readonly validation?: number;
  readonly accuracy?: number;
  readonly rivals?: readonly Rival[];
  readonly hints?: readonly DataHint['kind'][];
}

/** As good outside as in training, unless it is said. */
const rival = (name: string, loss: number | null, options: Partial<Rival> & { accuracy?: number } = {}): Rival => ({
  ...{ kind: 'baseline', name, spread: 0, isContained: true },
  train: { loss, accuracy: options.accuracy ?? null },
  validation: { loss, accuracy: options.accuracy ?? null },
  ...options,
});
const constant = rival('the best constant', 2.3, { accuracy: 0.1 });
const trained = (kind: RivalKind, loss: number, options: Partial<Rival> = {}): Rival =>
  rival(kind, loss, { kind, ...options });
const larger = (loss: number, options: Partial<Rival> = {}): Rival =>
  rival('a network', loss, { isContained: false, ...options });

function measurementsOf({ loss = 0.1, validation = loss + 0.05, accuracy = 0.97, ...given }: Given): Measurements {
  const { rivals = [rival('a linear model', 0.2), larger(0.08), trained('further', 0.09)], hints = [] } = given;
  return {
    model: { train: { loss, accuracy }, validation: { loss: validation, accuracy } },
    rivals: [constant, ...rivals],
    hints: hints.map((kind) => ({ kind, value: 1, threshold: 0.5, message: `hint of ${kind}` })),
  };
}

const outside = (loss: number): Partial<Rival> => ({ validation: { loss, accuracy: null } });

test.each<[string, Given, string]>([
  ['as good as all others', {}, 'healthy'],
  ['a linear model does better', { loss: 0.5 }, 'optimisation-failure'],
  ['no number', { loss: NaN }, 'optimisation-failure'],
  [
    'more training does better',
    { loss: 0.19, rivals: [larger(0.1), trained('further', 0.01)] },
    'optimisation-failure',
  ],
  [
    'fresh weights do better',
    { loss: 0.9, rivals: [larger(0.9), trained('further', 0.9), trained('afresh', 0.1)] },
    'optimisation-failure',
  ],
  [
    'fewer layers do better',
    { loss: 0.9, rivals: [larger(0.9), trained('further', 0.9), trained('shallower', 0.1)] },
    'optimisation-failure',
  ],
  [
    'only what is larger does better',
    { loss: 0.9, rivals: [rival('a linear model', 0.9), larger(0.1), trained('afresh', 0.9)] },
    'model-bias',
  ],
  [
    'only a machine that has another loss does better',
    {
      ...{ loss: 1, accuracy: 0.6 },
      rivals: [larger(1), rival('a machine', null, { isContained: false, accuracy: 0.99 }), trained('afresh', 1)],
    },
    'model-bias',
  ],
  [
    'what is better in training has it by heart',
    { loss: 1, rivals: [larger(0, outside(3)), trained('further', 0.2, outside(2))], hints: ['labelNoise'] },
    'data',
  ],
  [
    'what is larger does better, but the model was not trained afresh',
    { loss: 0.9, rivals: [larger(0.1), trained('further', 0.9)] },
    'undecided',
  ],
  [
    'more training does better, and what is larger much better',
    { loss: 0.9, rivals: [larger(0), trained('further', 0.7), trained('afresh', 0.7)] },
    'model-bias',
  ],
  [
    'more training does better, and what is larger little more',
    { loss: 0.9, rivals: [larger(0), trained('further', 0.7), trained('afresh', 0.2)] },
    'optimisation-failure',
  ],
  ['no time to train on', { rivals: [larger(0.08)] }, 'undecided'],
  ['a gap to validation', { validation: 1 }, 'overfitting'],
  ['a gap, and labels that contradict each other', { validation: 1, hints: ['labelNoise'] }, 'data'],
  ['features of far apart scales', { loss: 0.9, hints: ['featureScaling'] }, 'data'],
  ['targets far from 1', { loss: 0.9, hints: ['targetScaling'] }, 'data'],
  [
    'features of far apart scales, but the model itself did better with them',
    { loss: 0.9, rivals: [larger(0.9), trained('further', 0.1)], hints: ['featureScaling'] },
    'optimisation-failure',
  ],
  ['a loss that does not fit', { loss: 0.9, hints: ['meanSquareErrorOfClasses'] }, 'optimisation-failure'],
  ['nothing goes lower', { loss: 2, rivals: [larger(1.98), trained('further', 2)] }, 'undecided'],
  ['nothing goes lower, and labels contradict', { loss: 2, rivals: [larger(2)], hints: ['labelNoise'] }, 'data'],
  [
    'what the spread over seeds does not separate',
    { loss: 0.5, rivals: [rival('a linear model', 0.49), trained('afresh', 0.3, { spread: 0.1 })] },
    'undecided',
  ],
])('%s: %#', (_, given, verdict) => {
  const decision = decide(measurementsOf(given));
  expect(decision).toMatchObject({ verdict });
  expect(decision.confidence).toBeGreaterThanOrEqual(0.5);
  expect(decision.confidence).toBeLessThanOrEqual(1);
  expect(decision.wouldTell === undefined).toBe(verdict !== 'undecided');
});

test('the reason says what was compared, in the measure in which it was', () => {
  const { reason } = decide(measurementsOf({ loss: 0.9, rivals: [rival('a linear model', 0.2)] }));
  expect(reason).toBe(
    'in training the model has a loss of 0.9, and a linear model, which the model could imitate, a loss of 0.2',
  );
  const machine = rival('a machine', null, { isContained: false, accuracy: 0.99 });
  const byErrors = decide(measurementsOf({ loss: 0.1, accuracy: 0.6, rivals: [machine, trained('afresh', 0.1)] }));
  expect(byErrors.reason).toMatch(
    /has an accuracy of 60 %, and a machine, which it could not imitate, an accuracy of 99 %/,
  );
});
