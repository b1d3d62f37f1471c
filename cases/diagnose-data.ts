import { readFileSync } from 'node:fs';
import path from 'node:path';
import { tensor, type Tensor } from '../lib';
import { loadDigits } from '../lib/data';
import { philox, unit53 } from '../lib/tensor/philox';

/** Samples to train or to validate with. */
export interface Data {
  readonly x: Tensor;
  readonly y: Tensor;
}

export interface Split {
  readonly train: Data;
  readonly validation: Data;
}

/** Numbers from 0 to 1, the same at every call. */
export function uniforms(seed: number): () => number {
  const words = new Uint32Array(4);
  let block = 0;
  return () => {
    philox(seed, 0, block++, words);
    return unit53(words[0]!, words[1]!);
  };
}

/** Standard normal (Box and Muller 1958). */
export function normals(seed: number): () => number {
  const uniform = uniforms(seed);
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

type Relabel = (label: number) => number;

/** Digits as rows of 64 numbers: of the 1,797 `count` to train with, 400 others to validate. */
export function digits(count = 1000, relabel: Relabel = (label) => label): Split {
  const { images, labels } = loadDigits();
  const part = (from: number, size: number, change: Relabel): Data => {
    const indices = Array.from({ length: size }, (_, i) => from + i);
    return {
      x: tensor(indices.map((i) => [...images.subarray(64 * i, 64 * i + 64)])),
      y: tensor(Int32Array.from(indices, (i) => change(labels[i]!))),
    };
  };
  return { train: part(0, count, relabel), validation: part(1000, 400, relabel) };
}

/** The same as images. */
export function digitImages(count = 1000): Split {
  const { train, validation } = digits(count);
  const images = ({ x, y }: Data): Data => ({ x: x.reshape([x.shape[0]!, 1, 8, 8]), y });
  return { train: images(train), validation: images(validation) };
}

/** The digits with three labels at once: even, above four, prime. */
export function propertiesOfDigits(): Split {
  const { train, validation } = digits();
  const labelled = ({ x, y }: Data): Data => {
    const classes = Array.from(y.dataSync() as Int32Array);
    const row = (digit: number): number[] => [
      Number(digit % 2 === 0),
      Number(digit > 4),
      Number([2, 3, 5, 7].includes(digit)),
    ];
    return { x, y: tensor(classes.map(row)) };
  };
  return { train: labelled(train), validation: labelled(validation) };
}

/** Another label by chance for a share of the samples. */
export function byChance(share: number, classes: number, seed = 11): Relabel {
  const uniform = uniforms(seed);
  return (label) => (uniform() < share ? Math.floor(uniform() * classes) : label);
}

function rowsOf(file: string): number[][] {
  const lines = readFileSync(path.join(__dirname, '../test/data', file), 'utf8')
    .trim()
    .split('\n')
    .slice(1);
  return lines.map((line) => line.split(',').map(Number));
}

/** Every second row to train with, the others to validate. */
function alternating(rows: readonly number[][], labelOf: (label: number) => number, isInteger: boolean): Split {
  const part = (first: 0 | 1): Data => {
    const own = rows.filter((_, i) => i % 2 === first);
    const labels = own.map((row) => labelOf(row.at(-1)!));
    return { x: tensor(own.map((row) => row.slice(0, -1))), y: tensor(isInteger ? Int32Array.from(labels) : labels) };
  };
  return { train: part(0), validation: part(1) };
}

function standardised(rows: readonly number[][]): number[][] {
  const columns = rows[0]!.length - 1;
  const moments = Array.from({ length: columns }, (_, j) => {
    const mean = rows.reduce((sum, row) => sum + row[j]!, 0) / rows.length;
    return [mean, Math.sqrt(rows.reduce((sum, row) => sum + (row[j]! - mean) ** 2, 0) / rows.length)] as const;
  });
  return rows.map((row) => row.map((value, j) => (j < columns ? (value - moments[j]![0]) / moments[j]![1] : value)));
}

export const iris = (relabel: Relabel = (label) => label): Split =>
  alternating(standardised(rowsOf('iris.csv')), relabel, true);

/** Features that differ by factors of a hundred thousand, unless they are standardised. */
export const cancer = (isStandardised: boolean): Split => {
  const rows = rowsOf('breast-cancer.csv');
  return alternating(isStandardised ? standardised(rows) : rows, (label) => label, false);
};

/** Points in a square: those of a ring have label 1. No line separates them. */
export function rings(): Split {
  const uniform = uniforms(3);
  const part = (count: number): Data => {
    const points = Array.from({ length: count }, () => [4 * uniform() - 2, 4 * uniform() - 2]);
    return { x: tensor(points), y: tensor(points.map(([a, b]) => Number(Math.hypot(a!, b!) < 1.4))) };
  };
  return { train: part(400), validation: part(200) };
}

/** sin(3 x) of one number, `scale` times as large, with noise of a standard deviation. */
export function sine(count: number, noise: number, scale = 1): Split {
  const [uniform, normal] = [uniforms(5), normals(6)];
  const part = (size: number): Data => {
    const points = Array.from({ length: size }, () => 4 * uniform() - 2);
    return {
      x: tensor(points.map((point) => [point])),
      y: tensor(points.map((point) => [scale * (Math.sin(3 * point) + noise * normal())])),
    };
  };
  return { train: part(count), validation: part(300) };
}

/** Many features, two of which tell the label, and few samples. */
export function manyFeatures(count: number, features: number): Split {
  const normal = normals(8);
  const part = (size: number): Data => {
    const points = Array.from({ length: size }, () => Array.from({ length: features }, normal));
    return { x: tensor(points), y: tensor(points.map(([a, b]) => Number(a! + b! > 0))) };
  };
  return { train: part(count), validation: part(300) };
}
