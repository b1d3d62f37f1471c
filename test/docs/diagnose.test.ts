import { readFileSync } from 'node:fs';
import path from 'node:path';
import { diagnoseCases, wordsOf } from '../../cases/diagnose-table';
import { backends } from '../helpers/backends';

jest.setTimeout(60_000);

const page = readFileSync(path.join(__dirname, '../../docs/diagnose.md'), 'utf8');
const commands = [...page.matchAll(/\n\$ npm run cases:diagnose -- "?([^"\n]*)"?\n([^`]*)```/g)].map(
  ([, wanted, output]) => [wanted!, output!.trimEnd().split('\n')] as const,
);
const withoutSeconds = (text: string): string => text.replace(/, \d+\.\d s\)$/m, ')');

test('there are commands to run, and the count of cases is right', () => {
  expect(commands).toHaveLength(3);
  expect(page).toContain(`runs all ${diagnoseCases.length},`);
});

const whenNative = backends.includes('native') ? test : test.skip;

whenNative.each(commands)('npm run cases:diagnose -- %s', async (wanted, expected) => {
  const lines: string[] = [];
  for (const one of diagnoseCases.filter(({ title }) => title.includes(wanted)))
    lines.push(...withoutSeconds(wordsOf(one, await one.run(), 0)).split('\n'));
  expect(lines).toEqual(expected.slice(0, -1).map(withoutSeconds));
});
