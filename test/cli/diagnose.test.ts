import fs from 'node:fs';
import path from 'node:path';
import { flagsOfFile, withConfiguration } from '../../lib/cli/configuration';
import { figuresOf, runCommand } from '../helpers/command';
import { temporaryDirectory } from '../helpers/temporary-directory';

jest.setTimeout(120_000);
const directory = temporaryDirectory();

function written(name: string, content: unknown): string {
  const file = path.join(directory, name);
  fs.writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

interface Found {
  readonly verdict: string;
  readonly rivals: readonly { readonly kind: string; readonly name: string }[];
  readonly evidence: readonly { readonly name: string; readonly message: string }[];
}

test('a file says what flags say, and flags behind it count more', () => {
  const file = written('flags.json', {
    ...{ model: 'mlp', lr: 0.01, batchSize: 8, optimizerOption: { betas: [0.8, 0.9], amsgrad: true } },
    ...{ schedule: 'step:gamma=0.5', snapshots: true, json: false },
  });
  const flags = [
    ...['--model', 'mlp', '--lr', '0.01', '--batch-size', '8', '--optimizer-option', 'betas=0.8,0.9'],
    ...['--optimizer-option', 'amsgrad=true', '--schedule', 'step:gamma=0.5', '--snapshots'],
  ];
  expect(flagsOfFile(file)).toEqual(flags);
  const args = ['train', 'digits', '--config', file, '--lr', '1'];
  expect(withConfiguration(args)).toEqual(['train', 'digits', ...flags, '--lr', '1']);
  expect(withConfiguration(['info'])).toEqual(['info']);
});

test.each([
  ['{', /is no configuration/],
  [[1], /is an object whose names are flags/],
  [{ lr: null }, /lr is a number, a word, a list of numbers, true or false, got null/],
])('what is no configuration says so: %#', (content, message) => {
  expect(() => flagsOfFile(written('wrong.json', content))).toThrow(message);
});

test('a training by a configuration: verdict, evidence, and a page that needs nothing else', async () => {
  const config = written('slow.json', { model: 'mlp', optimizer: 'sgd', lr: 1e-6, schedule: 'none', epochs: 2 });
  const out = path.join(directory, 'slow.html');
  const flags = ['diagnose', config, '--images', '200', '--budget', '20', '--out', out];
  const { code, stdout, stderr } = await runCommand([...flags, '--json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const found = JSON.parse(stdout) as Found;
  expect(found.verdict).toBe('optimisation-failure');
  expect(found.rivals.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['baseline', 'further', 'afresh']));
  const limit = found.evidence.find(({ name }) => name === 'largest stable learning rate')!;
  expect(limit.message).toMatch(/this training had 0.000001$/);
  const [history, trainings, layers] = figuresOf(out);
  expect(history!.series!.map(({ label, y }) => [label, y.length])).toEqual([
    ['training', 2],
    ['test', 2],
  ]);
  expect(trainings!.series!.length).toBe(5);
  expect(layers!.series![0]!.y).toHaveLength(3);
  expect(fs.readFileSync(out, 'utf8')).toContain('Optimisation has failed, not the model');
});

test('a training that has ended, in words', async () => {
  const run = path.join(directory, 'run');
  const trained = await runCommand(['train', 'digits', '--model', 'mlp', '--epochs', '4', '--json', '--out', run]);
  expect(trained.code).toBe(0);
  const out = path.join(directory, 'run.html');
  const { code, stdout, stderr } = await runCommand([
    'diagnose',
    run,
    '--images',
    '200',
    '--budget',
    '10',
    '--out',
    out,
  ]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(
    /^(healthy|overfitting|optimisation-failure|undecided) \(confidence [01]\.\d\d\): .*\n(What would tell: .*\n)?\nEvidence\n/,
  );
  expect(stdout).toMatch(/ {2}logistic regression has .* in training and .* in validation\n/);
  expect(stdout).toMatch(/run\.html: open it in a browser\n$/);
});

test('what is neither says so, and so does a flag that train does not have', async () => {
  const nothing = await runCommand(['diagnose', path.join(directory, 'nothing.json')]);
  expect([nothing.code, nothing.stderr]).toEqual([1, expect.stringMatching(/nothing.json: is no configuration/)]);
  const folder = await runCommand(['diagnose', directory]);
  expect([folder.code, folder.stderr]).toEqual([1, expect.stringMatching(/neither a configuration nor a folder that/)]);
  const unknown = await runCommand(['diagnose', written('unknown.json', { modle: 'mlp' })]);
  expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringMatching(/unknown option '--modle'/)]);
});
