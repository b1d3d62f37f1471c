import { decide, type Rival } from '../../lib/diagnose';
import { evidenceOf, type Findings } from '../../lib/diagnose/evidence';
import { suggestionsFor } from '../../lib/diagnose/suggestions';
import type { Retraining } from '../../lib/diagnose/trainings/retraining';

const rival = (kind: Rival['kind'], name: string, loss: number): Rival => ({
  ...{ kind, name, spread: 0, isContained: true },
  train: { loss, accuracy: null },
  validation: { loss, accuracy: null },
});
const retraining = (kind: Rival['kind'], loss: number, lr: number): Retraining => ({
  ...{ rival: rival(kind, kind, loss), lr, steps: 10, curves: [] },
});
const retrainings = [
  retraining('further', 0.8, 0.001),
  retraining('afresh', 0.1, 0.01),
  retraining('shallower', 2, 0.1),
];

const findings: Findings = {
  model: { train: { loss: 1, accuracy: null }, validation: { loss: 1, accuracy: null } },
  rivals: [
    rival('baseline', 'the best constant', 2),
    rival('baseline', 'a linear model', 0.5),
    ...retrainings.map((one) => one.rival),
  ],
  hints: [
    { kind: 'constantFeatures', value: 1, threshold: 0, message: 'one never changes' },
    { kind: 'meanSquareErrorOfClasses', value: 1, threshold: 0, message: 'of classes' },
  ],
  statistics: {
    loss: 1,
    activations: [{ name: 'relu', kind: 'ReLU', mean: 0, std: 0, dead: 0.9, saturated: null }],
    parameters: [1e-7, 1].map((gradientNorm, i) => ({
      name: `${i}.weight`,
      weightNorm: 1,
      gradientNorm,
      updateRatio: null,
    })),
  },
  standing: {
    ...{ kind: 'saddle', gradientNorm: 0, largestCurvature: 100, smallestCurvature: -1, explanation: 'up and down' },
  },
  lr: 0.1,
};

test('what was seen to help comes first, by its gain; what fits nothing is left out', () => {
  const found = suggestionsFor(decide(findings), findings, retrainings);
  expect(found.map(({ what, gain }) => [what, gain])).toEqual([
    ['train from fresh weights with Adam at 0.01, which falls to 0 along a cosine', 0.9],
    ['train on with Adam at 0.001', expect.closeTo(0.2)],
    ['cross-entropy in place of mean square error', null],
    ['a lower learning rate', null],
    ['units of relu that can recover', null],
    ['leave the saddle point along its negative curvature', null],
    ['normalise, and shorten the way of gradients', null],
    ['leave out features that never change', null],
  ]);
  const slower = found[3]!;
  expect([slower.code, slower.because]).toEqual(['lr: 0.01', expect.stringMatching(/is 0.1;.* up to 0.02 where/)]);
});

test('a learning rate that curvature allows, and a model that is healthy', () => {
  const slow = { ...findings, lr: 0.01 };
  expect(suggestionsFor(decide(slow), slow, []).map(({ what }) => what)).not.toContain('a lower learning rate');
  const healthy = { verdict: 'healthy', confidence: 1, reason: '' } as const;
  expect(suggestionsFor(healthy, findings, retrainings)).toEqual([]);
});

test('all that was measured is evidence', () => {
  const names = evidenceOf(findings).map(({ name }) => name);
  expect(names).toEqual([
    ...['train loss', 'validation loss', 'the best constant', 'a linear model', 'further', 'afresh', 'shallower'],
    ...['point: saddle', 'largest stable learning rate', 'dead units', 'gradient ratio'],
    ...['constantFeatures', 'meanSquareErrorOfClasses'],
  ]);
  const limit = evidenceOf(findings).find(({ name }) => name === 'largest stable learning rate')!;
  expect([limit.value, limit.message]).toEqual([0.02, expect.stringMatching(/this training had 0.1$/)]);
});
