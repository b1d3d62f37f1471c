import { nn, optim, stats, tensor, type Tensor } from '../../lib';
import { ValueError } from '../../lib/errors';
import type { CommonOptions, Optimizer } from '../../lib/optim';
import { onEachBackend } from '../helpers/backends';

/** A rate at which each rule gets down the ravine below, and options that use all of its state. */
const rules: Record<string, { lr: number; [option: string]: unknown }> = {
  Adadelta: { lr: 10, weightDecay: 1e-4 },
  Adafactor: { lr: 0.05 },
  Adagrad: { lr: 0.5, lrDecay: 1e-3, average: true },
  Adam: { lr: 0.05, amsgrad: true },
  AdamW: { lr: 0.05 },
  Adamax: { lr: 0.1 },
  Adan: { lr: 0.05, weightDecay: 1e-4 },
  ASGD: { lr: 0.05, t0: 20 },
  LAMB: { lr: 0.02 },
  Lion: { lr: 0.04, weightDecay: 0.1 },
  Muon: { lr: 0.02 },
  NAdam: { lr: 0.05 },
  RAdam: { lr: 0.05 },
  RMSprop: { lr: 0.02, momentum: 0.5, init: 'gradient' },
  Rprop: { lr: 0.05 },
  SGD: { lr: 0.05, momentum: 0.8, momentumForm: 'averaged' },
};

type Make = new (parameters: nn.Parameter[], options: object) => Optimizer<CommonOptions>;

const make = (name: string): { x: nn.Parameter; optimizer: Optimizer<CommonOptions>; step: () => Promise<void> } => {
  const x = new nn.Parameter(tensor([3, -2, 0.5, 1], { shape: [2, 2] }));
  const optimizer = new (optim as unknown as Record<string, Make>)[name]!([x], rules[name]!);
  const step = (): Promise<void> => {
    optimizer.zeroGrad();
    ravine(x).backward();
    return optimizer.step();
  };
  return { x, optimizer, step };
};

/** Ten times as steep along one element as along another. */
const ravine = (x: nn.Parameter): Tensor =>
  x
    .square()
    .mul(
      tensor([
        [0.5, 5],
        [1, 2],
      ]),
    )
    .sum();

test('all of them are here', () => {
  const made = Object.entries(optim).filter(([, value]) => value.prototype instanceof optim.Optimizer);
  expect(Object.keys(rules).sort()).toEqual(made.map(([name]) => name).sort());
});

/** What no option takes, of the kind that its default has. */
function wrongFor(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(() => NaN);
  return typeof value === 'number' || value === null ? NaN : 'neither';
}

describe.each([...Object.keys(rules), 'LBFGS'])('options of %s', (name) => {
  const create = (options: object) =>
    new (optim as unknown as Record<string, Make>)[name]!([new nn.Parameter(tensor([1]))], options);
  const { params: _, ...defaults } = create({}).paramGroups[0]!;

  test.each(Object.entries(defaults))('%s is not anything', (option, value) => {
    const refused = (): unknown => create({ [option]: wrongFor(value) });
    expect(refused).toThrow(ValueError);
    expect(refused).toThrow(new RegExp(`^${name}: ${option}\\b`));
  });

  test('an unknown one is refused', () => {
    expect(() => create({ learningRate: 1 })).toThrow(ValueError);
    expect(() => create({ learningRate: 1 })).toThrow(`${name}: unknown option learningRate; possible are lr, `);
  });
});

onEachBackend('every optimizer', () => {
  test.each(Object.keys(rules))('%s: to climb is to descend what is negated', async (name) => {
    const [one, two] = [make(name), make(name)];
    two.optimizer.paramGroups[0]!.maximize = true;
    for (let i = 0; i < 4; i++) {
      await one.step();
      two.optimizer.zeroGrad();
      ravine(two.x).neg().backward();
      await two.optimizer.step();
    }
    expect(two.x.dataSync()).toEqual(one.x.dataSync());
  });

  test.each(Object.keys(rules))('%s gets down a ravine', async (name) => {
    const { x, step } = make(name);
    const before = ravine(x).itemSync();
    for (let i = 0; i < 150; i++) await step();
    expect(ravine(x).itemSync()).toBeLessThan(0.1 * before);
  });

  test.each(Object.keys(rules))('%s compiles nothing again while rate and step change', async (name) => {
    const { optimizer, step } = make(name);
    for (let i = 0; i < 8; i++) await step();
    const { compilations } = stats();
    for (let i = 0; i < 5; i++) {
      optimizer.paramGroups[0]!.lr *= 0.9;
      await step();
    }
    expect(stats().compilations).toBe(compilations);
  });

  test.each(Object.keys(rules))('%s continues from a state dict to the same bits', async (name) => {
    const [one, two] = [make(name), make(name)];
    for (let i = 0; i < 7; i++) await one.step();
    two.x.assign(one.x);
    two.optimizer.loadStateDict(one.optimizer.stateDict());
    for (let i = 0; i < 4; i++) {
      await one.step();
      await two.step();
    }
    expect(two.x.dataSync()).toEqual(one.x.dataSync());
    expect(Object.keys(two.optimizer.stateDict().state['0'] ?? {})).toEqual(
      Object.keys(one.optimizer.stateDict().state['0'] ?? {}),
    );
  });

  test.each(Object.keys(rules))('%s: stepSync gives the bits of step', async (name) => {
    const [one, two] = [make(name), make(name)];
    for (let i = 0; i < 5; i++) {
      await one.step();
      two.optimizer.zeroGrad();
      ravine(two.x).backward();
      two.optimizer.stepSync();
    }
    expect(two.x.dataSync()).toEqual(one.x.dataSync());
  });
});
