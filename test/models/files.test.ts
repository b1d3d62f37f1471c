import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { io, manualSeed, noGrad, useBackend } from '../../lib';
import { backends, onEachBackend } from '../helpers/backends';
import { temporaryDirectory } from '../helpers/temporary-directory';
import { build, distance, inputOf, outputsOf, roundingBound, type Recipe } from '../reference/networks';
import { readRecording } from '../reference/read';

interface Case {
  readonly tier: 'both' | 'native' | 'full';
  readonly name: string;
  readonly args: readonly unknown[];
  readonly shape: readonly number[];
}

const { cases, file } = readRecording<{
  cases: readonly Case[];
  file: Omit<Case, 'tier'> & { readonly y: { readonly data: readonly number[] } };
}>('models');
const reference = path.join(__dirname, '../reference');
const written = path.join(reference, 'cifar8.safetensors');
const directory = temporaryDirectory();
const recipe: Recipe = [file.name, file.args];

onEachBackend('a file that Python wrote', (backend) => {
  test('gives the outputs that PyTorch gives', () => {
    const model = build(recipe);
    expect(model.loadStateDict(io.loadWeights(written))).toEqual({ missingKeys: [], unexpectedKeys: [] });
    expect(distance(outputsOf(model.double(), recipe, file.shape, 'float64'), file.y.data)).toBeLessThan(1e-13);
  });

  test('is written again byte for byte: header, order, dtypes, offsets and numbers', async () => {
    const model = build(recipe);
    model.loadStateDict(io.loadWeights(written));
    const again = path.join(directory, `${backend}.safetensors`);
    await io.saveWeights(again, model.stateDict(), { format: 'pt' });
    expect(fs.readFileSync(again).equals(fs.readFileSync(written))).toBe(true);
  });
});

// The way back needs PyTorch, which few machines have: there these tests are reported as skipped.
const python = '/usr/bin/python3';
const hasTorch = spawnSync(python, ['-c', 'import numpy, torch']).status === 0;

(hasTorch ? describe : describe.skip)('files that PyTorch reads', () => {
  const isFull = process.env.SADDLEPOINT_TEST_FULL === '1';
  const hasNative = backends.includes('native');
  const possible = cases.filter(({ tier }) => tier === 'both' || (hasNative && (tier === 'native' || isFull)));
  const shown = isFull
    ? possible
    : possible.filter(({ name }, i, all) => all.findIndex((other) => other.name === name) === i);

  test.each([
    ['float32', 2 ** -24],
    ['float64', 2 ** -53],
  ] as const)(
    'they have identical outputs there, and come back byte for byte: %s',
    async (dtype, roundoff) => {
      useBackend(backends.at(-1)!);
      manualSeed(3);
      // One after the other, as some are large.
      for (const group of isFull ? shown.map((one) => [one]) : [shown]) {
        const saved: { file: string; y: number[]; bound: number }[] = [];
        for (const [i, { name, args, shape }] of group.entries()) {
          const model = build([name, args]).to(dtype);
          // So that running statistics are not those of the start.
          noGrad(() => model.forward(inputOf([name, args], shape, dtype))).dataSync();
          const file = path.join(directory, `${dtype}-${i}.safetensors`);
          const metadata = { network: JSON.stringify([name, args]), input: JSON.stringify(shape) };
          await io.saveWeights(file, model.stateDict(), metadata);
          const y = outputsOf(model, [name, args], shape, dtype);
          saved.push({ file, y, bound: 2 * roundingBound(model, roundoff) });
        }
        execFileSync(python, [path.join(reference, 'networks', 'roundtrip.py'), ...saved.map(({ file }) => file)]);
        for (const { file, y, bound } of saved) {
          const expected = io.readSafetensors(`${file}.outputs`).tensors.y!;
          expect(expected.dtype).toBe(dtype);
          expect(distance(y, Array.from(expected.data, Number))).toBeLessThan(bound);
          expect(fs.readFileSync(`${file}.again`).equals(fs.readFileSync(file))).toBe(true);
          for (const name of [file, `${file}.outputs`, `${file}.again`]) fs.rmSync(name);
        }
      }
    },
    isFull ? 1_200_000 : 120_000,
  );
});
