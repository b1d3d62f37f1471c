import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseCompare, parseSummary, UsageError } from '../../benchmarks/arguments';
import { compareRows, describeComparison, readRows } from '../../benchmarks/compare';
import { rowOf, type Row } from '../../benchmarks/rows';

const row = (title: string, seconds: number, peer: string | null = null): Row =>
  rowOf({ suite: 's', case: title, threads: 1, unit: 'ms' }, seconds, peer === null ? null : { name: peer, amount: 1 });

test('cases are matched by name and threads, once however many peers they have; the slowest comes first', () => {
  const before = [row('a', 1), row('b', 2, 'torch'), row('b', 2, 'ort'), row('gone', 1)];
  const after = [row('a', 0.5), row('b', 4, 'torch'), row('b', 4, 'ort'), row('new', 1)];
  const comparison = compareRows(before, after);
  expect(comparison.changes.map(({ name, ratio }) => [name, ratio])).toEqual([
    ['s, b, threads: 1', 2],
    ['s, a, threads: 1', 0.5],
  ]);
  expect(comparison.geometricMean).toBeCloseTo(1, 12);
  expect(comparison.unmatched).toEqual(['s, gone, threads: 1', 's, new, threads: 1']);
  const text = describeComparison(comparison, 1.5);
  expect(text).toMatch(/slower by more than 1.5: 1\n {2}2.000 {2}s, b, threads: 1: 2000 to 4000 ms/);
  expect(text).toMatch(/faster by more than 1.5: 1\n {2}0.500 {2}s, a/);
  expect(describeComparison(comparison, 2)).toMatch(/slower by more than 2: 0/);
  expect(compareRows([], []).geometricMean).toBe(1);
});

test('files without rows, and words that are not possible, are usage errors', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'compare-'));
  const write = (name: string, text: string): string => {
    fs.writeFileSync(path.join(folder, name), text);
    return path.join(folder, name);
  };
  expect(readRows(write('good.json', JSON.stringify([row('a', 1)])))).toHaveLength(1);
  const broken = [{ ours: 0 }, { ratio: '1' }, { work: null }, { work: { group: 1 } }];
  const rows = broken.map((part) => JSON.stringify([{ ...row('a', 1), ...part }]));
  for (const text of ['', '{}', '[1]', '[{"suite":"s"}]', ...rows])
    expect(() => readRows(write('bad.json', text))).toThrow(UsageError);
  expect(() => readRows(path.join(folder, 'missing.json'))).toThrow(/missing\.json/);
  fs.rmSync(folder, { recursive: true });

  expect(parseSummary(['a', '--filter', '^b'])).toEqual({ file: 'a', filter: /^b/ });
  for (const words of [[], ['a', 'b'], ['a', '--filter', '('], ['a', '--no']])
    expect(() => parseSummary(words)).toThrow(UsageError);

  expect(parseCompare(['a', 'b', '--threshold', '1.25'])).toEqual({ before: 'a', after: 'b', threshold: 1.25 });
  expect(parseCompare(['a', 'b']).threshold).toBe(1.1);
  for (const words of [
    ['a'],
    ['a', 'b', 'c'],
    ['a', 'b', '--threshold', '0.5'],
    ['a', 'b', '--threshold', 'x'],
    ['--no'],
  ])
    expect(() => parseCompare(words)).toThrow(UsageError);
});
