import path from 'node:path';
import { readCsv } from '../../../lib/data/csv';
import { tensor } from '../../../lib';
import type { Tensor } from '../../../lib/tensor/tensor';

/** A table of features whose last column is the class. */
export interface Table {
  readonly features: number[][];
  readonly labels: number[];
}

function read(file: string[], skipLines: number): Table {
  const { rows, columns, values } = readCsv(path.join(__dirname, '..', '..', '..', ...file), { skipLines });
  const lines = Array.from({ length: rows }, (_, i) => [...values.subarray(i * columns, (i + 1) * columns)]);
  return { features: lines.map((line) => line.slice(0, -1)), labels: lines.map((line) => line[columns - 1]!) };
}

export const iris = read(['test', 'data', 'iris.csv'], 1);
export const cancer = read(['test', 'data', 'breast-cancer.csv'], 1);
export const digits = read(['data', 'digits', 'digits.csv.gz'], 0);

export const floats = (values: number[][] | number[]): Tensor => tensor(values, { dtype: 'float64' });
export const labelsOf = (values: number[]): Tensor => tensor(values, { dtype: 'int32' });

/** Digits are even or odd, at least 5, divisible by 3. */
export const digitLabels = digits.labels.map((digit) => [digit % 2, Number(digit >= 5), Number(digit % 3 === 0)]);

/** The mean of each column of pixels but the first and last. */
export const digitProfiles = digits.features.map((pixels) =>
  [1, 2, 3, 4, 5, 6].map((column) => pixels.reduce((sum, pixel, i) => sum + (i % 8 === column ? pixel / 8 : 0), 0)),
);
