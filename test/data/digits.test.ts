import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { loadDigits } from '../../lib/data/digits';

const digits = loadDigits();

function countByLabel(indices: Iterable<number>): number[] {
  const counts = new Array<number>(10).fill(0);
  for (const index of indices) counts[digits.labels[index]!]!++;
  return counts;
}

test('has as many images of each digit as UCI says', () => {
  expect(digits.imageShape).toEqual([1, 8, 8]);
  expect(digits.classes).toBe(10);
  expect(digits.images).toHaveLength(1797 * 64);
  expect(countByLabel(digits.labels.keys())).toEqual([178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
});

test('has the numbers of the file, scaled by 1/16', () => {
  const file = path.join(__dirname, '..', '..', 'data', 'digits', 'digits.csv.gz');
  const lines = zlib.gunzipSync(fs.readFileSync(file)).toString().trim().split('\n');
  lines.forEach((line, row) => {
    const numbers = line.split(',').map(Number);
    expect(digits.labels[row]).toBe(numbers[64]);
    expect([...digits.images.subarray(row * 64, row * 64 + 64)]).toEqual(numbers.slice(0, 64).map((ink) => ink / 16));
  });
});

test('holds out a fifth of each digit, the same in every run', () => {
  expect(digits.test).toHaveLength(359);
  expect(digits.train).toHaveLength(1438);
  countByLabel(digits.test).forEach((count, digit) => {
    expect(Math.abs(count - countByLabel(digits.labels.keys())[digit]! / 5)).toBeLessThanOrEqual(1);
  });
  expect(loadDigits().test).toEqual(digits.test);
  expect([...digits.test.subarray(0, 8)]).toEqual([8, 14, 16, 21, 22, 23, 32, 36]);
});
