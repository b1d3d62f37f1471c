import fs from 'node:fs';
import path from 'node:path';
import { DataError, ValueError } from '../errors';
import type { Dataset } from './dataset';
import { asDataError } from './files';
import { readIdx } from './idx';

/** The greatest number of classes that labels of one byte can tell apart. */
const MAX_CLASSES = 256;

interface Pair {
  readonly imagesFile: string;
  readonly pixels: Uint8Array;
  readonly imageShape: readonly [number, number, number];
  readonly labels: Uint8Array;
}

/**
 * Reads a folder with files of MNIST's names (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-...; each also as
 * .gz). With both pairs, `train` trains and `t10k` tests; with one, its first four fifths train and the rest tests.
 * Throws a DataError that names the file for anything missing, damaged or that does not go together.
 *
 *     const { images, imageShape } = loadIdxDirectory('data/mnist');
 *     imageShape; // [1, 28, 28]
 */
export function loadIdxDirectory(directory: string, options: { readonly classes?: number } = {}): Dataset {
  const { classes = 10 } = options;
  if (!Number.isInteger(classes) || classes < 1 || classes > MAX_CLASSES)
    throw new ValueError(`loadIdxDirectory: classes is an integer from 1 to ${MAX_CLASSES}, got ${classes}`);
  const files = listFiles(directory);
  const train = readPair(directory, files, 'train', classes);
  const test = readPair(directory, files, 't10k', classes);
  const pairs = [train, test].filter((pair) => pair !== undefined);
  const [first, second] = pairs;
  if (first === undefined)
    throw new DataError(
      `${directory}: expected train-images-idx3-ubyte or t10k-images-idx3-ubyte (or .gz), found neither`,
    );
  if (second !== undefined && second.imageShape.join() !== first.imageShape.join())
    throw new DataError(
      `${second.imagesFile}: images are [${second.imageShape.join(', ')}], ` +
        `those of ${first.imagesFile} are [${first.imageShape.join(', ')}]`,
    );
  const count = pairs.reduce((sum, { labels }) => sum + labels.length, 0);
  const trainCount = second === undefined ? Math.floor((count * 4) / 5) : first.labels.length;
  if (trainCount === 0 || trainCount === count)
    throw new DataError(`${first.imagesFile}: ${count} images are too few to train and to test with`);
  const indices = Int32Array.from({ length: count }, (_, i) => i);
  return {
    name: path.basename(path.resolve(directory)),
    images: scale(pairs),
    imageShape: first.imageShape,
    labels: Int32Array.from(pairs.flatMap(({ labels }) => [...labels])),
    classes,
    train: indices.slice(0, trainCount),
    test: indices.slice(trainCount),
  };
}

function listFiles(directory: string): Set<string> {
  try {
    return new Set(fs.readdirSync(directory));
  } catch (error) {
    throw asDataError(directory, error);
  }
}

/** The images and labels of one part, or undefined where neither file exists. */
function readPair(directory: string, files: Set<string>, part: string, classes: number): Pair | undefined {
  const imagesFile = find(directory, files, `${part}-images-idx3-ubyte`);
  const labelsFile = find(directory, files, `${part}-labels-idx1-ubyte`);
  if (imagesFile === undefined && labelsFile === undefined) return undefined;
  if (imagesFile === undefined) throw new DataError(`${directory}: ${part}-images-idx3-ubyte(.gz) is missing`);
  if (labelsFile === undefined) throw new DataError(`${directory}: ${part}-labels-idx1-ubyte(.gz) is missing`);

  const { shape, data: pixels } = readBytes(imagesFile, 3);
  const { data: labels } = readBytes(labelsFile, 1);
  const [count, height, width] = shape as [number, number, number];
  if (height === 0 || width === 0) throw new DataError(`${imagesFile}: images of ${height} x ${width} have no pixels`);
  if (labels.length !== count)
    throw new DataError(`${labelsFile}: has ${labels.length} labels, but ${imagesFile} has ${count} images`);
  const wrong = labels.findIndex((label) => label >= classes);
  if (wrong >= 0)
    throw new DataError(`${labelsFile}: label ${labels[wrong]} at index ${wrong}, expected 0 to ${classes - 1}`);
  return { imagesFile, pixels, imageShape: [1, height, width], labels };
}

function find(directory: string, files: Set<string>, name: string): string | undefined {
  const found = [name, `${name}.gz`].find((candidate) => files.has(candidate));
  return found === undefined ? undefined : path.join(directory, found);
}

function readBytes(file: string, rank: number): { shape: readonly number[]; data: Uint8Array } {
  const { shape, data } = readIdx(file);
  if (!(data instanceof Uint8Array)) throw new DataError(`${file}: expected unsigned bytes (type 0x08)`);
  if (shape.length !== rank) throw new DataError(`${file}: has shape [${shape.join(', ')}], expected ${rank} dims`);
  return { shape, data };
}

function scale(pairs: readonly Pair[]): Float32Array {
  const images = new Float32Array(pairs.reduce((sum, { pixels }) => sum + pixels.length, 0));
  let at = 0;
  for (const { pixels } of pairs) for (const pixel of pixels) images[at++] = pixel / 255;
  return images;
}
