import { createModel, modelNames } from '../../lib/cli/models';
import { createOptimizer, optimizerNames, trainingDefaults } from '../../lib/cli/optimizers';
import { createSchedule, defaultSchedule, scheduleNames } from '../../lib/cli/schedules';
import { ValueError } from '../../lib/errors';
import * as optim from '../../lib/optim';
import { tensor, Variable } from '../../lib';
import { randn } from '../../lib/ops/random';

const STEPS = 30;
const parameters = () => [new Variable(tensor([[1, 2]]))];

/** Made of functions or of other schedules. */
const notByName = ['LambdaLR', 'MultiplicativeLR', 'SequentialLR', 'ChainedScheduler', 'WarmUp', 'LRScheduler'];

test('every rule of the library has its name', () => {
  const rules = Object.entries(optim).filter(
    ([, value]) => value.prototype !== undefined && 'step' in value.prototype && 'zeroGrad' in value.prototype,
  );
  const names = rules.map(([name]) => name.toLowerCase()).filter((name) => name !== 'optimizer');
  expect(optimizerNames).toEqual(names.sort());
  expect(optimizerNames).toEqual(expect.arrayContaining(['sgd', 'adam', 'adamw', 'lbfgs', 'lion', 'muon', 'rprop']));
});

test.each(optimizerNames)('%s is made, with its options', (name) => {
  const optimizer = createOptimizer(name, parameters(), { lr: 0.5 });
  expect(optimizer.constructor.name.toLowerCase()).toBe(name);
  expect(optimizer.paramGroups[0]!.lr).toBe(0.5);
  expect(() => createOptimizer(name, parameters(), { speed: 1 })).toThrow(/unknown option speed; possible are lr/);
});

test('adam and sgd have defaults for images', () => {
  expect(createOptimizer('adam', parameters(), {}).paramGroups[0]).toMatchObject({ lr: 3e-3 });
  expect(createOptimizer('sgd', parameters(), {}).paramGroups[0]).toMatchObject({ lr: 0.05, momentum: 0.9 });
  expect(createOptimizer('lbfgs', parameters(), {}).paramGroups[0]).toMatchObject({ lineSearchFn: 'strongWolfe' });
  expect(() => createOptimizer('newton', parameters(), {})).toThrow(ValueError);
});

test('lbfgs sees all images at once, up to a limit, at a constant rate', () => {
  const of = (name: string, images: number) => trainingDefaults(name, { images, batchSize: 32 });
  expect(of('lbfgs', 1438)).toEqual({ batchSize: 1438, schedule: { name: 'none', settings: {} } });
  expect(of('lbfgs', 60_000).batchSize).toBe(8192);
  expect(of('muon', 1438)).toEqual({ batchSize: 32, schedule: defaultSchedule });
});

test('every schedule of the library that words can describe has its name', () => {
  const made = new Set(
    scheduleNames.flatMap((name) => {
      const { perBatch, perEpoch } = createSchedule({ name, settings: {} }, sgd(), STEPS);
      return [perBatch, perEpoch].flatMap((schedule) => schedule?.constructor.name ?? []);
    }),
  );
  const schedules = Object.entries(optim).filter(
    ([name, value]) =>
      typeof value === 'function' &&
      (value.prototype instanceof optim.LRScheduler || value === optim.ReduceLROnPlateau) &&
      !notByName.includes(name),
  );
  expect([...made].sort()).toEqual(schedules.map(([name]) => name).sort());
});

test.each(scheduleNames)('%s runs through a training, also of one step', (name) => {
  for (const steps of [STEPS, 1]) {
    const optimizer = sgd();
    const { perBatch, perEpoch } = createSchedule({ name, settings: {} }, optimizer, steps);
    for (let step = 0; step < steps; step++) perBatch?.step();
    perEpoch?.step(1);
    expect(optimizer.paramGroups[0]!.lr).toBeGreaterThanOrEqual(0);
    expect(optimizer.paramGroups[0]!.lr).toBeLessThanOrEqual(0.4);
  }
});

test('settings are used; one milestone is a list', () => {
  const optimizer = sgd();
  const { perBatch } = createSchedule(
    { name: 'multi-step', settings: { milestones: 1, gamma: 0.5 } },
    optimizer,
    STEPS,
  );
  perBatch!.step();
  expect(optimizer.paramGroups[0]!.lr).toBe(0.2);
  expect(defaultSchedule.name).toBe('warmup-cosine');
});

test.each<[string, optim.CommonOptions | object, RegExp]>([
  ['step', { size: 1 }, /--schedule step: unknown option size; possible are stepSize, gamma/],
  ['step', { gamma: true }, /gamma is a number, got true/],
  ['step', { stepSize: [1, 2] }, /stepSize is a number, got 1,2/],
  ['step', { stepSize: 0.5 }, /StepLR: stepSize/],
  ['one-cycle', { annealStrategy: 'sin' }, /annealStrategy/],
  ['none', { gamma: 1 }, /unknown option gamma/],
  ['constructor', {}, /--schedule constructor: unknown/],
])('refuses %s with %j', (name, settings, message) => {
  const create = () => createSchedule({ name, settings: { ...settings } }, sgd(), STEPS);
  expect(create).toThrow(ValueError);
  expect(create).toThrow(message);
});

test.each(modelNames)('%s takes digits, of one channel or three', (name) => {
  for (const shape of [[1, 8, 8] as const, [3, 16, 12] as const])
    expect(createModel(name, shape, 7).forward(randn([2, ...shape])).shape).toEqual([2, 7]);
});

test('a model that does not fit the images is refused', () => {
  expect(() => createModel('lenet', [1, 6, 6], 10)).toThrow(/LeNet: images are at least 8 x 8, got 6 x 6/);
  expect(() => createModel('resnet20', [1, 3, 8], 10)).toThrow(/CifarNet: images are at least 4 x 4, got 3 x 8/);
  expect(() => createModel('toString', [1, 8, 8], 10)).toThrow(/--model toString: unknown; possible are cnn, mlp/);
});

function sgd(): ReturnType<typeof createOptimizer> {
  return createOptimizer('sgd', parameters(), { lr: 0.4 });
}
