import path from 'node:path';
import { readCsv } from './csv';
import type { Dataset } from './dataset';
import { stratifiedSplit } from './split';

const FILE = path.join(__dirname, '..', '..', 'data', 'digits', 'digits.csv.gz');
const PIXELS = 64;
const LARGEST_PIXEL = 16;
const CLASSES = 10;

// Independent of any training seed: every run is tested on the same images.
const SPLIT_SEED = 1998;
const TEST_FRACTION = 0.2;

/**
 * The handwritten digits that come with the package: 1,797 images of 8 x 8, of which a fifth of each class is for
 * testing, the same in every run (Alpaydin and Kaynak 1998; see data/digits/README.md).
 *
 *     const { images, labels, train, test } = loadDigits();
 *     images.length; // 1797 * 64
 */
export function loadDigits(): Dataset {
  const pixel = { min: 0, max: LARGEST_PIXEL, integer: true };
  const label = { min: 0, max: CLASSES - 1, integer: true };
  const { rows, columns, values } = readCsv(FILE, { columns: [...new Array<typeof pixel>(PIXELS).fill(pixel), label] });
  const images = new Float32Array(rows * PIXELS);
  const labels = new Int32Array(rows);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < PIXELS; i++) images[row * PIXELS + i] = values[row * columns + i]! / LARGEST_PIXEL;
    labels[row] = values[row * columns + PIXELS]!;
  }
  const split = stratifiedSplit(labels, TEST_FRACTION, SPLIT_SEED);
  return { name: 'digits', images, imageShape: [1, 8, 8], labels, classes: CLASSES, ...split };
}
