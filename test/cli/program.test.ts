import { createProgram, isAnswered, UsageError } from '../../lib/cli/program';
import type { DiagnoseArguments } from '../../lib/cli/diagnose';
import type { ProfileArguments } from '../../lib/cli/profile';
import type { LandscapeArguments } from '../../lib/cli/landscape';
import type { RaceArguments } from '../../lib/cli/race';
import type { TrainArguments } from '../../lib/cli/train';

type Parsed = DiagnoseArguments | TrainArguments | ProfileArguments | LandscapeArguments | RaceArguments;

async function parse(...args: string[]): Promise<Parsed | undefined> {
  let parsed: Parsed | undefined;
  const program = await createProgram({
    train: (options) => {
      parsed = options;
      return Promise.resolve();
    },
    profile: (options) => {
      parsed = options;
      return Promise.resolve();
    },
    landscape: (options) => {
      parsed = options;
      return Promise.resolve();
    },
    race: (options) => {
      parsed = options;
      return Promise.resolve();
    },
    diagnose: (options) => {
      parsed = options;
      return Promise.resolve();
    },
    info: () => Promise.resolve(),
  });
  await program.parseAsync(['node', 'saddlepoint', ...args]);
  return parsed;
}

test('train has defaults', async () => {
  expect(await parse('train', 'digits')).toEqual({ optimizer: 'adam', seed: 0, json: false, snapshots: false });
});

test('profile takes what train takes, and its own', async () => {
  expect(await parse('profile', 'digits')).toEqual({ optimizer: 'adam', seed: 0, steps: 10, json: false });
  const flags = '--model mlp --optimizer sgd --momentum .5 --batch-size 7 --steps 3 --trace t.json --json'.split(' ');
  expect(await parse('profile', 'digits', ...flags)).toEqual({
    ...{ model: 'mlp', optimizer: 'sgd', momentum: 0.5, batchSize: 7, seed: 0 },
    ...{ steps: 3, trace: 't.json', json: true },
  });
  await expect(parse('profile', 'digits', '--epochs', '3')).rejects.toThrow(/unknown option '--epochs'/);
  await expect(parse('profile', 'digits', '--steps', '0')).rejects.toThrow(/at least 1/);
});

test('train reads every flag', async () => {
  const flags =
    '--data d --epochs 3 --optimizer sgd --lr 1e-2 --momentum .5 --batch-size 7 --seed 9 --threads 2 --backend portable --json --out o';
  expect(await parse('train', 'digits', ...flags.split(' '))).toEqual({
    data: 'd',
    epochs: 3,
    optimizer: 'sgd',
    lr: 0.01,
    momentum: 0.5,
    batchSize: 7,
    seed: 9,
    threads: 2,
    backend: 'portable',
    json: true,
    out: 'o',
    snapshots: false,
  });
});

test('landscape and race read their flags', async () => {
  expect(await parse('landscape', 'run', '--k', '3', '--max-products', '50', '--images', '64')).toEqual({
    ...{ where: 'run', images: 64, k: 3, maxProducts: 50, points: 21, seed: 0, out: 'landscape.html', json: false },
  });
  expect(await parse('race')).toEqual({
    ...{ surface: 'ravine', optimizers: ['sgd', 'momentum', 'adagrad', 'rmsprop', 'adam'] },
    ...{ steps: 200, out: 'race.html', json: false },
  });
  const flags = '--surface beale --optimizers sgd,lion --lr sgd=.01 --lr lion=.1 --schedule step:gamma=.5 --steps 9';
  expect(await parse('race', ...flags.split(' '), '--out', 'o.html', '--json')).toEqual({
    ...{ surface: 'beale', optimizers: ['sgd', 'lion'], lr: { sgd: 0.01, lion: 0.1 } },
    ...{ schedule: { name: 'step', settings: { gamma: 0.5 } }, steps: 9, out: 'o.html', json: true },
  });
  await expect(parse('race', '--surface', 'moon')).rejects.toThrow(/Allowed choices are saddle/);
  await expect(parse('race', '--optimizers', 'sgd,sgd')).rejects.toThrow(/given twice/);
  await expect(parse('race', '--schedule', 'reduce-on-plateau')).rejects.toThrow(/waits for a test/);
  await expect(parse('landscape')).rejects.toThrow(/missing required argument 'where'/);
});

test('train reads names with settings', async () => {
  const flags =
    '--model lenet --optimizer adamw --optimizer-option betas=0.9,0.95 --optimizer-option amsgrad=true --schedule multi-step:milestones=3,9,gamma=.5';
  expect(await parse('train', 'digits', ...flags.split(' '))).toEqual({
    model: 'lenet',
    optimizer: 'adamw',
    optimizerOption: { betas: [0.9, 0.95], amsgrad: true },
    schedule: { name: 'multi-step', settings: { milestones: [3, 9], gamma: 0.5 } },
    seed: 0,
    json: false,
    snapshots: false,
  });
  const plain = await parse('train', 'digits', '--schedule', 'none', '--optimizer-option', 'momentumForm=classical');
  expect(plain).toMatchObject({
    schedule: { name: 'none', settings: {} },
    optimizerOption: { momentumForm: 'classical' },
  });
});

test.each<[string, string[], string]>([
  ['no command', [], 'a command is needed; possible are train, profile, landscape, race, diagnose, info'],
  [
    'an unknown command',
    ['serve'],
    "unknown command 'serve'; possible are train, profile, landscape, race, diagnose, info",
  ],
  ['no dataset', ['train'], "missing required argument 'dataset'; see train --help"],
  ['an unknown dataset', ['train', 'cats'], 'Allowed choices are digits'],
  ['two datasets', ['train', 'digits', 'digits'], 'too many arguments'],
  ['an unknown flag', ['train', 'digits', '--epoch', '3'], "unknown option '--epoch'"],
  ['an unknown flag of info', ['info', '--seed', '1'], 'possible are --json'],
  ['a flag without its value', ['train', 'digits', '--data'], "option '--data <dir>' argument missing"],
  ['an empty path', ['train', 'digits', '--out', ''], '--out'],
  [
    'epochs 0',
    ['train', 'digits', '--epochs', '0'],
    "'--epochs <n>' argument '0' is invalid. It is an integer of at least 1",
  ],
  ['epochs 1.5', ['train', 'digits', '--epochs', '1.5'], '--epochs'],
  ['epochs 3x', ['train', 'digits', '--epochs', '3x'], '--epochs'],
  ['epochs in hexadecimal', ['train', 'digits', '--epochs', '0x10'], '--epochs'],
  ['a learning rate of NaN', ['train', 'digits', '--lr', 'NaN'], '--lr'],
  ['a negative learning rate', ['train', 'digits', '--lr', '-1'], 'It is a number of at least 0'],
  ['an infinite learning rate', ['train', 'digits', '--lr', '1e999'], '--lr'],
  ['a momentum of 1', ['train', 'digits', '--momentum', '1'], 'from 0 to below 1'],
  ['a batch size of 0', ['train', 'digits', '--batch-size', '0'], '--batch-size'],
  ['a seed beyond 2^53', ['train', 'digits', '--seed', '9007199254740993'], '--seed'],
  ['no threads', ['train', 'digits', '--threads', '0'], 'from 1 to 64'],
  ['an unknown backend', ['train', 'digits', '--backend', 'gpu'], 'Allowed choices are native, portable'],
  ['an unknown optimizer', ['train', 'digits', '--optimizer', 'newton'], 'Allowed choices are adadelta, adafactor'],
  ['an unknown model', ['train', 'digits', '--model', 'gpt'], 'Allowed choices are cnn, mlp, lenet'],
  ['an unknown schedule', ['train', 'digits', '--schedule', 'toString'], 'Allowed choices are warmup-cosine'],
  ['a schedule of functions', ['train', 'digits', '--schedule', 'lambda'], 'made of functions'],
  ['an option without a value', ['train', 'digits', '--optimizer-option', 'lr'], 'the form name=value'],
  ['an empty value', ['train', 'digits', '--optimizer-option', 'lr='], 'the form name=value'],
  ['a value that is nothing', ['train', 'digits', '--optimizer-option', 'eps=1x'], 'eps is a number, true, false'],
  ['a gap in a list', ['train', 'digits', '--optimizer-option', 'betas=0.9,'], 'betas is a number'],
  [
    'an option given twice',
    ['train', 'digits', '--optimizer-option', 'eps=1', '--optimizer-option', 'eps=2'],
    'eps is given twice',
  ],
  ['a schedule with nothing after the colon', ['train', 'digits', '--schedule', 'step:'], 'the form name=value'],
])('refuses %s in one line', async (_what, args, message) => {
  const error: unknown = await parse(...args).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(UsageError);
  expect((error as Error).message).toContain(message);
  expect((error as Error).message).not.toContain('\n');
});

test('help and version are answers, not errors', async () => {
  const write = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    for (const args of [['--help'], ['train', '--help'], ['--version']])
      expect(isAnswered(await parse(...args).catch((reason: unknown) => reason))).toBe(true);
    expect(write.mock.calls.join('')).toContain('--batch-size');
    expect(write.mock.calls.join('')).toContain('--schedule multi-step:milestones=200,400,gamma=0.2');
  } finally {
    write.mockRestore();
  }
});
