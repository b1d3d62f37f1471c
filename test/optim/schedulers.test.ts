import { nn, ones } from '../../lib';
import { ValueError } from '../../lib/errors';
import { SGD, StepLR, WarmupCosineLR } from '../../lib/optim';

const optimizer = (): SGD =>
  new SGD([{ params: [new nn.Parameter(ones([1]))] }, { params: [new nn.Parameter(ones([1]))], lr: 4 }], { lr: 1 });

const rates = (scheduler: { step(): void; getLastLr(): number[] }, steps: number): number[][] =>
  Array.from({ length: steps }, (_, i) => {
    if (i > 0) scheduler.step();
    return scheduler.getLastLr();
  });

test('StepLR multiplies every stepSize steps', () => {
  const scheduler = new StepLR(optimizer(), 3, { gamma: 0.5 });
  expect(rates(scheduler, 8).map(([lr]) => lr)).toEqual([1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25]);
  expect(scheduler.getLastLr()).toEqual([0.25, 1]);
});

test('WarmupCosineLR rises linearly, then follows half a cosine', () => {
  const scheduler = new WarmupCosineLR(optimizer(), 10, { warmupSteps: 4, etaMin: 0.1 });
  const expected = [
    0.2,
    0.4,
    0.6,
    0.8,
    1,
    ...[1, 2, 3, 4, 5, 6].map((t) => 0.1 + 0.45 * (1 + Math.cos((Math.PI * t) / 6))),
  ];
  const actual = rates(scheduler, 11);
  actual.forEach(([lr], i) => expect(lr).toBeCloseTo(expected[i]!, 14));
  expect(actual[10]![0]).toBeCloseTo(0.1, 14);
  expect(actual[4]![1]).toBe(4);
  scheduler.step();
  expect(scheduler.getLastLr()[0]).toBe(0.1);
});

test('the rate is set as soon as the schedule is made, and is a function of the step', () => {
  const owner = optimizer();
  const scheduler = new WarmupCosineLR(owner, 100, { warmupSteps: 9 });
  expect(owner.paramGroups[0]!.lr).toBe(0.1);
  expect(scheduler.lrAt(0, 1)).toBe(0.1);
  expect(scheduler.lrAt(9, 1)).toBe(1);
});

test('state dicts continue', () => {
  const first = new StepLR(optimizer(), 2);
  rates(first, 5);
  const second = new StepLR(optimizer(), 2);
  second.loadStateDict(first.stateDict());
  expect(second.getLastLr()).toEqual(first.getLastLr());
  expect(first.stateDict()).toEqual({ last_epoch: 4, base_lrs: [1, 4] });
  expect(() => second.loadStateDict({ last_epoch: -1, base_lrs: [1, 4] })).toThrow(ValueError);
  expect(() => second.loadStateDict({ last_epoch: 1, base_lrs: [1] })).toThrow(ValueError);
});

test.each<[string, () => unknown]>([
  ['StepLR: stepSize', () => new StepLR(optimizer(), 0)],
  ['StepLR: gamma', () => new StepLR(optimizer(), 1, { gamma: NaN })],
  ['StepLR: the first argument is an optimizer', () => new StepLR(null as never, 1)],
  ['WarmupCosineLR: totalSteps', () => new WarmupCosineLR(optimizer(), 0.5)],
  ['WarmupCosineLR: warmupSteps', () => new WarmupCosineLR(optimizer(), 5, { warmupSteps: -1 })],
  ['WarmupCosineLR: warmupSteps is below totalSteps', () => new WarmupCosineLR(optimizer(), 5, { warmupSteps: 5 })],
  ['WarmupCosineLR: etaMin', () => new WarmupCosineLR(optimizer(), 5, { etaMin: -1 })],
])('refuses %s', (message, make) => {
  expect(make).toThrow(ValueError);
  expect(make).toThrow(message);
});
