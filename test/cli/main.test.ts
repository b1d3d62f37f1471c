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
