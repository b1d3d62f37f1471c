import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { loadIdxDirectory } from '../../lib/data/mnist';
import { DataError, ValueError } from '../../lib/errors';
import { temporaryDirectory } from '../helpers/temporary-directory';

const directory = temporaryDirectory();
let folder: string;
let folders = 0;
beforeEach(() => {
  folder = path.join(directory, `set${folders++}`);
  fs.mkdirSync(folder);
});

function idx(shape: number[], data: number[], type = 8): Buffer {
  return Buffer.concat([
    Buffer.from([0, 0, type, shape.length, ...shape.flatMap((n) => [0, 0, 0, n])]),
    Buffer.from(data),
  ]);
}

/** `count` images of 2 x 2 whose pixels are all `first`, `first + 1`, ..., and as labels the same modulo 10. */
function writePair(part: string, count: number, first: number, packed = false): void {
  const values = Array.from({ length: count }, (_, i) => first + i);
  const images = idx(
    [count, 2, 2],
    values.flatMap((value) => [value, value, value, value]),
  );
  const labels = idx(
    [count],
    values.map((value) => value % 10),
  );
  const save = (name: string, bytes: Buffer) =>
    fs.writeFileSync(path.join(folder, packed ? `${name}.gz` : name), packed ? zlib.gzipSync(bytes) : bytes);
  save(`${part}-images-idx3-ubyte`, images);
  save(`${part}-labels-idx1-ubyte`, labels);
}

test('both pairs: train trains, t10k tests', () => {
  writePair('train', 6, 100);
  writePair('t10k', 2, 200, true);
  const { name, images, imageShape, labels, classes, train, test } = loadIdxDirectory(folder);
  expect(name).toBe(path.basename(folder));
  expect(imageShape).toEqual([1, 2, 2]);
  expect(classes).toBe(10);
  expect([...labels]).toEqual([0, 1, 2, 3, 4, 5, 0, 1]);
  expect([...train]).toEqual([0, 1, 2, 3, 4, 5]);
  expect([...test]).toEqual([6, 7]);
  expect(images).toHaveLength(8 * 4);
  expect(images[0]).toBe(Math.fround(100 / 255));
  expect(images[31]).toBe(Math.fround(201 / 255));
});

test.each(['train', 't10k'])('only %s: the first four fifths train', (part) => {
  writePair(part, 11, 0);
  const { train, test } = loadIdxDirectory(folder);
  expect([...train]).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  expect([...test]).toEqual([8, 9, 10]);
});

function refused(message: string): void {
  let error: unknown;
  try {
    loadIdxDirectory(folder);
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(DataError);
  expect((error as Error).message.replaceAll(folder, 'DIR').replaceAll(path.sep, '/')).toBe(message);
}

test('a folder that is missing, empty or half full is named', () => {
  refused('DIR: expected train-images-idx3-ubyte or t10k-images-idx3-ubyte (or .gz), found neither');
  writePair('t10k', 5, 0);
  fs.rmSync(path.join(folder, 't10k-labels-idx1-ubyte'));
  refused('DIR: t10k-labels-idx1-ubyte(.gz) is missing');
  writePair('t10k', 5, 0);
  fs.rmSync(path.join(folder, 't10k-images-idx3-ubyte'));
  refused('DIR: t10k-images-idx3-ubyte(.gz) is missing');
  fs.rmSync(folder, { recursive: true });
  refused('DIR: no such file or directory');
  fs.writeFileSync(folder, '');
  refused('DIR: no such file or directory');
});

test('files that do not go together are named', () => {
  writePair('t10k', 5, 0);
  const labels = path.join(folder, 't10k-labels-idx1-ubyte');
  fs.writeFileSync(labels, idx([4], [0, 1, 2, 3]));
  refused('DIR/t10k-labels-idx1-ubyte: has 4 labels, but DIR/t10k-images-idx3-ubyte has 5 images');
  fs.writeFileSync(labels, idx([5], [0, 1, 10, 3, 4]));
  refused('DIR/t10k-labels-idx1-ubyte: label 10 at index 2, expected 0 to 9');
  fs.writeFileSync(labels, idx([5, 1], [0, 1, 2, 3, 4]));
  refused('DIR/t10k-labels-idx1-ubyte: has shape [5, 1], expected 1 dims');
  fs.writeFileSync(labels, idx([5], [0, 1, 2, 3, 4], 9));
  refused('DIR/t10k-labels-idx1-ubyte: expected unsigned bytes (type 0x08)');
  writePair('t10k', 5, 0);
  fs.writeFileSync(path.join(folder, 't10k-images-idx3-ubyte'), idx([5, 0, 2], []));
  refused('DIR/t10k-images-idx3-ubyte: images of 0 x 2 have no pixels');
});

test('image sizes must agree, and there must be enough', () => {
  writePair('train', 5, 0);
  fs.writeFileSync(path.join(folder, 't10k-images-idx3-ubyte'), idx([1, 1, 2], [0, 0]));
  fs.writeFileSync(path.join(folder, 't10k-labels-idx1-ubyte'), idx([1], [0]));
  refused('DIR/t10k-images-idx3-ubyte: images are [1, 1, 2], those of DIR/train-images-idx3-ubyte are [1, 2, 2]');
  writePair('t10k', 0, 0);
  refused('DIR/train-images-idx3-ubyte: 5 images are too few to train and to test with');
  fs.rmSync(path.join(folder, 't10k-images-idx3-ubyte'));
  fs.rmSync(path.join(folder, 't10k-labels-idx1-ubyte'));
  writePair('train', 1, 0);
  refused('DIR/train-images-idx3-ubyte: 1 images are too few to train and to test with');
});

test('other numbers of classes can be asked for', () => {
  writePair('t10k', 10, 0);
  expect(() => loadIdxDirectory(folder, { classes: 5 })).toThrow(/label 5 at index 5, expected 0 to 4/);
  expect(loadIdxDirectory(folder, { classes: 26 }).classes).toBe(26);
  expect(() => loadIdxDirectory(folder, { classes: 0 })).toThrow(ValueError);
});
