import fs from 'node:fs';
import path from 'node:path';
import { figuresOf, linesOf, runCommand } from '../helpers/command';
import { temporaryDirectory } from '../helpers/temporary-directory';

jest.setTimeout(120_000);
const directory = temporaryDirectory();

test('race: what descent on the ravine does is a recursion', async () => {
  const out = path.join(directory, 'race.html');
  const flags = ['race', '--optimizers', 'sgd,momentum', '--lr', 'sgd=0.018', '--steps', '40', '--out', out, '--json'];
  const { code, stdout, stderr } = await runCommand(flags);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { tracks } = JSON.parse(stdout) as {
    tracks: { name: string; finalLoss: number; turns: { turned: number; of: number }[] }[];
  };
  // x ← (1 - lr) x and y ← (1 - 100 lr) y: across the ravine it changes sides at every step.
  const [x, y] = [-9 * (1 - 0.018) ** 40, (1 - 1.8) ** 40];
  expect(tracks[0]!.finalLoss / (0.5 * x ** 2 + 50 * y ** 2)).toBeCloseTo(1, 9);
  expect(tracks[0]!.turns).toEqual([
    { turned: 0, of: 39 },
    { turned: 39, of: 39 },
  ]);
  const [contours, loss] = figuresOf(out);
  expect(contours!.paths!.map(({ label, points }) => [label, points.length])).toEqual([
    ['sgd', 41],
    ['momentum', 41],
  ]);
  expect(contours!.paths![0]!.points[1]![1]).toBeCloseTo(-0.8, 12);
  expect(loss!.series![0]!.y[40]).toBe(tracks[0]!.finalLoss);
  expect(fs.readFileSync(out, 'utf8')).toContain('it swung to and fro in y, turning back in 39 of 39 steps');
});

test('race with a schedule says what the learning rate did, and prints a table', async () => {
  const out = path.join(directory, 'warm.html');
  const flags = ['race', '--optimizers', 'adam', '--schedule', 'warmup-cosine', '--steps', '50', '--out', out];
  const { code, stdout } = await runCommand(flags);
  expect(code).toBe(0);
  expect(linesOf(stdout)[0]).toMatch(/^adam +lr .* loss /);
  expect(fs.readFileSync(out, 'utf8')).toMatch(/its learning rate went from [\d.]+ over [\d.]+ to/);
  const wrong = await runCommand(['race', '--lr', 'lion=1', '--out', out]);
  expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringMatching(/--lr lion=1: takes name=number, of sgd/)]);
});

test('landscape of a surface: every point is looked at', async () => {
  const out = path.join(directory, 'surface.html');
  const { code, stdout } = await runCommand(['landscape', 'himmelblau', '--out', out]);
  expect(code).toBe(0);
  expect(stdout.match(/: saddle: the loss curves up and down/g)).toHaveLength(4);
  expect(
    figuresOf(out)[0]!
      .marks!.map(({ label }) => label)
      .sort(),
  ).toEqual([...['maximum', 'minimum', 'minimum', 'minimum', 'minimum', 'saddle', 'saddle', 'saddle', 'saddle']]);
});

test('landscape of a run: verdict, spectrum, slices and the path of its training', async () => {
  const run = path.join(directory, 'run');
  const trained = await runCommand(
    'train digits --model lenet --epochs 3 --seed 1 --snapshots --json --out'.split(' ').concat(run),
  );
  expect({ code: trained.code, stderr: trained.stderr }).toEqual({ code: 0, stderr: '' });
  const out = path.join(directory, 'run.html');
  const flags = ['landscape', run, '--images', '64', '--points', '7', '--k', '2', '--out', out, '--json'];
  const { code, stdout, stderr } = await runCommand(flags);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const found = JSON.parse(stdout) as { largest: { value: number }[]; smallest: { value: number }[]; trace: number };
  expect(found).toMatchObject({ run, kind: 'not-critical', converged: true, parameters: 44426 });
  expect(found.largest[0]!.value).toBeGreaterThan(found.largest[1]!.value);
  expect(found.smallest[0]!.value).toBeLessThan(0);
  const figures = figuresOf(out);
  expect(figures.map(({ kind }) => kind)).toEqual(['lines', 'lines', 'contours', 'contours']);
  // Before training, and after three epochs.
  expect(figures[3]!.paths![0]!.points).toHaveLength(4);
  expect(figures[3]!.paths![0]!.points[3]).toEqual([0, 0]);
});

test('what is no run says so', async () => {
  const { code, stderr } = await runCommand(['landscape', path.join(directory, 'nothing')]);
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/is neither a surface nor a folder that train --out wrote/),
  ]);
  const alone = await runCommand(['train', 'digits', '--snapshots']);
  expect([alone.code, alone.stderr]).toEqual([1, expect.stringMatching(/--snapshots: needs --out/)]);
});
