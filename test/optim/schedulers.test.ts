import { nn, ones } from '../../lib';
import { ValueError } from '../../lib/errors';
import {
  Adadelta,
  ChainedScheduler,
  ConstantLR,
  CosineAnnealingLR,
  CosineAnnealingWarmRestarts,
  CyclicLR,
  ExponentialLR,
  InverseSquareRootLR,
  LambdaLR,
  LinearLR,
  MultiStepLR,
  OneCycleLR,
  PolynomialLR,
  ReduceLROnPlateau,
  SequentialLR,
  SGD,
  StepLR,
  SWALR,
  WarmUp,
  WarmupCosineLR,
  WarmupStableDecayLR,
} from '../../lib/optim';

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

test('InverseSquareRootLR is the schedule of the Transformer', () => {
  const [width, warmup] = [512, 40];
  const owner = new SGD([new nn.Parameter(ones([1]))], { lr: 1 / Math.sqrt(width * warmup) });
  rates(new InverseSquareRootLR(owner, warmup), 100).forEach(([lr], i) => {
    const step = i + 1;
    const expected = width ** -0.5 * Math.min(step ** -0.5, step * warmup ** -1.5);
    expect(Math.abs(lr! - expected)).toBeLessThan(1e-14);
  });
});

test.each(['linear', 'cosine', 'sqrt'] as const)('WarmupStableDecayLR rises, stays, and falls: %s', (decay) => {
  const options = { warmupSteps: 4, decaySteps: 8, decay, etaMin: 0.1 };
  const fall = {
    linear: (p: number) => 1 - p,
    cosine: (p: number) => (1 + Math.cos(Math.PI * p)) / 2,
    sqrt: (p: number) => 1 - Math.sqrt(p),
  };
  const actual = rates(new WarmupStableDecayLR(optimizer(), 20, options), 25).map(([lr]) => lr!);
  expect(actual.slice(0, 4)).toEqual([0.2, 0.4, 0.6, 0.8]);
  expect(actual.slice(4, 13)).toEqual(Array.from({ length: 9 }, () => 1));
  for (let t = 12; t < 25; t++) expect(actual[t]).toBeCloseTo(0.1 + 0.9 * fall[decay](Math.min(1, (t - 12) / 8)), 14);
});

describe('WarmUp', () => {
  test('rises to the first rate of any schedule, then is that schedule', () => {
    const owner = optimizer();
    const actual = rates(new WarmUp(new ExponentialLR(owner, 0.5), 3), 6).map(([lr]) => lr);
    expect(actual).toEqual([0.25, 0.5, 0.75, 1, 0.5, 0.25]);
    const cosine = rates(new WarmUp(new CosineAnnealingLR(optimizer(), 6, { etaMin: 0.1 }), 4), 11);
    const reference = rates(new WarmupCosineLR(optimizer(), 10, { warmupSteps: 4, etaMin: 0.1 }), 11);
    cosine.forEach((row, i) => row.forEach((lr, j) => expect(lr).toBeCloseTo(reference[i]![j]!, 14)));
  });

  test('holds the first momentum of a cycle', () => {
    const owner = new SGD([new nn.Parameter(ones([1]))], { lr: 1, momentum: 0.5 });
    const scheduler = new WarmUp(new OneCycleLR(owner, 1, { totalSteps: 10 }), 2);
    expect(owner.paramGroups[0]!.momentum).toBe(0.95);
    expect(owner.paramGroups[0]!.lr).toBeCloseTo(0.04 / 3, 14);
    scheduler.step();
    scheduler.step();
    expect(owner.paramGroups[0]!.momentum).toBe(0.95);
    expect(owner.paramGroups[0]!.lr).toBeCloseTo(0.04, 14);
    scheduler.step();
    expect(owner.paramGroups[0]!.momentum).toBeLessThan(0.95);
  });

  test('around ReduceLROnPlateau counts after the warm-up, and continues from a state dict', () => {
    const owner = optimizer();
    const make = (): WarmUp => new WarmUp(new ReduceLROnPlateau(owner, { factor: 0.5, patience: 1 }), 2);
    let scheduler = make();
    const actual = [owner.paramGroups[0]!.lr];
    for (let step = 0; step < 9; step++) {
      scheduler.step(1);
      if (step === 5) {
        const saved = scheduler.stateDict();
        const lr = owner.paramGroups.map((group) => group.lr);
        scheduler = make();
        owner.paramGroups.forEach((group, i) => (group.lr = lr[i]!));
        scheduler.loadStateDict(saved);
      }
      actual.push(owner.paramGroups[0]!.lr);
    }
    expect(actual).toEqual([1 / 3, 2 / 3, 1, 1, 1, 0.5, 0.5, 0.25, 0.25, 0.125]);
  });
});

test('combined schedules nest, and continue from a state dict', () => {
  const make = (): { owner: SGD; scheduler: WarmUp } => {
    const owner = optimizer();
    const chained = new ChainedScheduler([new StepLR(owner, 3, { gamma: 0.5 }), new ExponentialLR(owner, 0.9)]);
    return { owner, scheduler: new WarmUp(new SequentialLR(owner, [new LinearLR(owner), chained], [4]), 2) };
  };
  const [one, two] = [make(), make()];
  const seen = rates(one.scheduler, 13);
  expect(seen[12]![0]).toBeCloseTo(0.5 ** 2 * 0.9 ** 6, 14);
  two.scheduler.loadStateDict(one.scheduler.stateDict());
  expect(two.scheduler.getLastLr()).toEqual(seen[12]);
  expect(two.scheduler.stateDict()).toEqual(one.scheduler.stateDict());
  const { _schedulers: _, ...without } = one.scheduler.stateDict();
  expect(() => two.scheduler.loadStateDict(without)).toThrow(/_schedulers/);
});

test('a second schedule starts from the rate before the first', () => {
  const owner = optimizer();
  new ConstantLR(owner, { factor: 0.1 });
  expect(new ExponentialLR(owner, 0.5).getLastLr()).toEqual([1, 4]);
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
  ['LambdaLR: lrLambda is a function', () => new LambdaLR(optimizer(), 0.5 as never)],
  ['LambdaLR: lrLambda are 2 values, one a group, got 1', () => new LambdaLR(optimizer(), [() => 1])],
  ['MultiStepLR: milestones[1]', () => new MultiStepLR(optimizer(), [3, 2])],
  ['ConstantLR: factor', () => new ConstantLR(optimizer(), { factor: 1.5 })],
  ['LinearLR: endFactor', () => new LinearLR(optimizer(), { endFactor: -1 })],
  ['PolynomialLR: totalIters', () => new PolynomialLR(optimizer(), { totalIters: 0 })],
  ['CosineAnnealingLR: tMax', () => new CosineAnnealingLR(optimizer(), 0)],
  ['CosineAnnealingWarmRestarts: tMult', () => new CosineAnnealingWarmRestarts(optimizer(), 5, { tMult: 1.5 })],
  ['CyclicLR: mode is one of', () => new CyclicLR(optimizer(), 0, 1, { mode: 'square' as never })],
  [
    'CyclicLR: the optimizer has neither momentum nor betas',
    () => new CyclicLR(new Adadelta([new nn.Parameter(ones([1]))]), 0, 1),
  ],
  ['OneCycleLR: needs totalSteps, or epochs', () => new OneCycleLR(optimizer(), 1, { epochs: 3 })],
  [
    'OneCycleLR: totalSteps is 2, and step() was called 3 times',
    () => rates(new OneCycleLR(optimizer(), 1, { totalSteps: 2 }), 4),
  ],
  ['ReduceLROnPlateau: factor', () => new ReduceLROnPlateau(optimizer(), { factor: 1 })],
  ['ReduceLROnPlateau: the metric', () => new ReduceLROnPlateau(optimizer()).step('1' as never)],
  [
    'SequentialLR: 1 schedules have 0 milestones, got 1',
    () => {
      const owner = optimizer();
      return new SequentialLR(owner, [new StepLR(owner, 1)], [4]);
    },
  ],
  ['ChainedScheduler: takes a list', () => new ChainedScheduler([])],
  [
    'ChainedScheduler: schedulers[1] is of another optimizer',
    () => new ChainedScheduler([new StepLR(optimizer(), 1), new StepLR(optimizer(), 1)]),
  ],
  ['WarmUp: the first argument is a schedule', () => new WarmUp(optimizer() as never, 3)],
  ['WarmUp: warmupSteps', () => new WarmUp(new StepLR(optimizer(), 1), -1)],
  ['InverseSquareRootLR: warmupSteps', () => new InverseSquareRootLR(optimizer(), 0)],
  [
    'WarmupStableDecayLR: 15 warmupSteps and 10 decaySteps exceed 20',
    () => new WarmupStableDecayLR(optimizer(), 20, { warmupSteps: 15, decaySteps: 10 }),
  ],
  ['SWALR: swaLr', () => new SWALR(optimizer(), -1)],
  ['WarmupCosineLR: etaMin', () => new WarmupCosineLR(optimizer(), 5, { etaMin: -1 })],
])('refuses %s', (message, make) => {
  expect(make).toThrow(ValueError);
  expect(make).toThrow(message);
});
