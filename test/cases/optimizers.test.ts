import { readFileSync } from 'node:fs';
import path from 'node:path';
import { optimizerCases, REQUIRED_ACCURACY } from '../../cases/optimizer-table';
import { optimizerNames } from '../../lib/cli/optimizers';
import { backends } from '../helpers/backends';
import { linesOf, runCommand } from '../helpers/command';

const page = readFileSync(path.join(__dirname, '../../docs/optimizers.md'), 'utf8');
const nameOf = (flags: string): string => /^--optimizer (\w+)/.exec(flags)![1]!;

test('every optimizer has a setting', () => {
  expect([...new Set(optimizerCases.map(({ flags }) => nameOf(flags)))].sort()).toEqual(optimizerNames);
});

test('what was measured is enough', () => {
  const poor = optimizerCases.filter(({ accuracy, mean }) => Math.min(accuracy, mean) < REQUIRED_ACCURACY);
  expect(poor).toEqual([]);
});

test('the page has the table', () => {
  const lines = page.split('\n## LeNet on the digits\n')[1]!.split('\n## ')[0]!.split('\n');
  const rows = lines.filter((line) => line.startsWith('| `--'));
  expect(rows).toEqual(
    optimizerCases.map(({ flags, accuracy, mean }) => `| \`${flags}\` | ${accuracy.toFixed(4)} | ${mean.toFixed(4)} |`),
  );
});

// Of each kind one, natively; all of them: npm run cases:optimizers.
const short = [
  '--optimizer sgd --lr 0.05 --momentum 0.9',
  '--optimizer adagrad --lr 0.03',
  '--optimizer muon --lr 0.02 --epochs 10',
];
const whenNative = backends.includes('native') ? test : test.skip;

whenNative.each(short)(
  'LeNet reaches it with %s',
  async (flags) => {
    expect(optimizerCases.map((one) => one.flags)).toContain(flags);
    const given = ['train', 'digits', '--model', 'lenet', '--backend', 'native', '--json', ...flags.split(' ')];
    const { stdout, stderr } = await runCommand(given);
    expect(stderr).toBe('');
    const { testAccuracy } = JSON.parse(linesOf(stdout).at(-1)!) as { testAccuracy: number };
    expect(testAccuracy).toBeGreaterThanOrEqual(REQUIRED_ACCURACY);
  },
  120_000,
);
