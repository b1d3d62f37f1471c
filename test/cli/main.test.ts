import fs from 'node:fs';
import path from 'node:path';
import { readSafetensors } from '../../lib/io';
import { backends } from '../helpers/backends';
import { linesOf, runCommand } from '../helpers/command';
import { temporaryDirectory } from '../helpers/temporary-directory';

const root = path.join(__dirname, '..', '..');
const directory = temporaryDirectory();

describe('train digits', () => {
  jest.setTimeout(120_000);
  const quick = ['train', 'digits', '--epochs', '1', '--batch-size', '64', '--seed', '1'];

  test.each(backends)('trains on the %s backend, prints JSON lines and writes its results', async (backend) => {
    const out = path.join(directory, 'new', backend);
    const { code, stdout, stderr } = await runCommand([...quick, '--backend', backend, '--json', '--out', out]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const events = linesOf(stdout).map((line) => JSON.parse(line) as { [key: string]: unknown });
    expect(events.map(({ event }) => event)).toEqual(['start', 'epoch', 'end']);
    expect(events[2]).toEqual({
      event: 'end',
      dataset: 'digits',
      testAccuracy: expect.any(Number) as number,
      trainLoss: expect.any(Number) as number,
      epochs: 1,
      seconds: expect.any(Number) as number,
      backend,
      isa: expect.any(String) as string,
      threads: expect.any(Number) as number,
    });
    expect(events[2]!.testAccuracy).toBeGreaterThan(0.5);
    const { tensors } = readSafetensors(path.join(out, 'model.safetensors'));
    expect(Object.keys(tensors)).toContain('1.running_mean');
    expect(tensors['0.weight']!.shape).toEqual([16, 1, 3, 3]);
    const history = JSON.parse(fs.readFileSync(path.join(out, 'history.json'), 'utf8')) as { history: object[] };
    expect(history.history).toHaveLength(1);
    expect(history).toMatchObject({ testAccuracy: events[2]!.testAccuracy, settings: { seed: 1, optimizer: 'adam' } });
    expect(fs.readdirSync(out).sort()).toEqual(['history.json', 'model.safetensors']);
  });

  test('prints a line an epoch where there is no terminal', async () => {
    const { code, stdout } = await runCommand([...quick, '--optimizer', 'sgd', '--lr', '0.1', '--threads', '1']);
    expect(code).toBe(0);
    expect(linesOf(stdout)).toHaveLength(4);
    expect(linesOf(stdout)[2]).toMatch(/^epoch 1\/1 {2}train loss \d/);
    expect(stdout).not.toContain('\x1b');
  });

  test('trains another model by another rule and schedule, and records which', async () => {
    const out = path.join(directory, 'chosen');
    const flags =
      '--json --model lenet --optimizer adamw --optimizer-option betas=0.9,0.95 --schedule one-cycle:pctStart=0.2';
    const { code, stdout, stderr } = await runCommand([...quick, ...flags.split(' '), '--lr', '0.003', '--out', out]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(linesOf(stdout)[0]!)).toMatchObject({ event: 'start', optimizer: 'adamw', lr: 0.003 });
    const history = JSON.parse(fs.readFileSync(path.join(out, 'history.json'), 'utf8')) as object;
    expect(history).toMatchObject({
      settings: {
        model: 'lenet',
        optimizerOption: { betas: [0.9, 0.95] },
        schedule: { name: 'one-cycle', settings: { pctStart: 0.2 } },
      },
    });
    expect(Object.keys(readSafetensors(path.join(out, 'model.safetensors')).tensors)).toContain('fc3.weight');
  });

  test('a plateau lowers the rate between epochs', async () => {
    // A loss would have to fall to a hundredth: every epoch but the first is a bad one.
    const flags =
      '--epochs 3 --batch-size 256 --model mlp --lr 0.01 --json --schedule reduce-on-plateau:patience=0,threshold=0.99,factor=0.5';
    const { code, stdout } = await runCommand(['train', 'digits', ...flags.split(' ')]);
    expect(code).toBe(0);
    const events = linesOf(stdout).map((line) => JSON.parse(line) as { event: string; lr: number });
    expect(events.filter(({ event }) => event === 'epoch').map(({ lr }) => lr)).toEqual([0.01, 0.01, 0.005]);
  });

  test('Ctrl-C saves what there is and ends with 130', async () => {
    const out = path.join(directory, 'interrupted');
    let sent = false;
    const { code, stdout, stderr } = await runCommand(['train', 'digits', '--epochs', '500', '--json', '--out', out], {
      onOutput: (output, kill) => {
        if (sent || !output.includes('"epoch":1,')) return;
        sent = true;
        kill('SIGINT');
      },
    });
    expect({ code, stderr }).toEqual({ code: 130, stderr: '' });
    expect(JSON.parse(linesOf(stdout).at(-1)!)).toMatchObject({ event: 'interrupted', dataset: 'digits' });
    expect(fs.readdirSync(out).sort()).toEqual(['history.json', 'model.safetensors']);
  });

  test.each<[string, string[], string]>([
    ['a folder that is not there', ['--data', path.join(directory, 'missing')], 'missing: no such file or directory'],
    ['an output below a file', ['--out', path.join(root, 'package.json', 'x')], '--out'],
    // There Node's mkdir with `recursive` never returns.
    ...(process.platform === 'linux'
      ? [
          ['an output where no folder can be made', ['--out', '/proc/saddlepoint/run'], '--out'] as [
            string,
            string[],
            string,
          ],
        ]
      : []),
    ['momentum for adam', ['--momentum', '0.9'], '--momentum 0.9: only --optimizer sgd takes it'],
    [
      'an unknown option',
      ['--optimizer', 'lion', '--optimizer-option', 'beta=1'],
      'possible are lr, betas, weightDecay',
    ],
    ['a bad option', ['--optimizer-option', 'betas=0.9'], 'betas are two numbers'],
    ['a rate given twice', ['--lr', '1', '--optimizer-option', 'lr=1'], '--lr gives it too'],
    ['an unknown setting', ['--schedule', 'step:size=3'], 'possible are stepSize, gamma'],
    ['a bad setting', ['--schedule', 'step:gamma=true'], 'gamma is a number, got true'],
  ])('refuses %s before anything starts', async (_what, args, message) => {
    const { code, stdout, stderr } = await runCommand(['train', 'digits', ...args]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(linesOf(stderr)).toHaveLength(1);
    expect(stderr).toContain(message);
  });

  test('a wrong flag ends with 2 and one line; DEBUG shows the stack', async () => {
    const { code, stdout, stderr } = await runCommand(['train', 'digits', '--epochs', 'many']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toBe(
      "saddlepoint: option '--epochs <n>' argument 'many' is invalid. It is an integer of at least 1.\n",
    );
    const debug = await runCommand(['train', 'digits', '--epochs', 'many'], { env: { DEBUG: '1' } });
    expect(debug.code).toBe(2);
    expect(debug.stderr).toContain('at ');
  });
});

describe('info', () => {
  test('names backend, instruction set, threads and versions', async () => {
    const { code, stdout } = await runCommand(['info', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      node: process.version,
      backend: expect.any(String) as string,
      isa: expect.any(String) as string,
      threads: expect.any(Number) as number,
      reason: expect.any(String) as string,
    });
  });

  test('says why an addon is not used', async () => {
    const broken = path.join(directory, 'broken.node');
    fs.writeFileSync(broken, 'not an addon');
    const { code, stdout } = await runCommand(['info'], { env: { SADDLEPOINT_NATIVE_PATH: broken } });
    expect(code).toBe(0);
    expect(stdout).toContain(broken);
  });
});
