import fc from 'fast-check';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { readIdx } from '../../lib/data/idx';
import { DataError } from '../../lib/errors';
import { mutationsOf } from '../helpers/mutations';
import { temporaryDirectory } from '../helpers/temporary-directory';

const directory = temporaryDirectory();

function write(content: Uint8Array): string {
  const file = path.join(directory, 'some-idx');
  fs.writeFileSync(file, content);
  return file;
}

/** The format by its definition: 0, 0, type, rank, sizes as big-endian uint32, data. */
function idx(type: number, shape: number[], data: Uint8Array): Buffer {
  const header = Buffer.alloc(4 + 4 * shape.length);
  header.set([0, 0, type, shape.length]);
  shape.forEach((size, i) => header.writeUInt32BE(size, 4 + 4 * i));
  return Buffer.concat([header, data]);
}

function messageOf(content: Uint8Array, options?: { maxBytes: number }): string {
  try {
    readIdx(write(content), options);
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    return (error as Error).message.replace(directory + path.sep, '');
  }
  throw new Error('it was read');
}

const images = idx(
  8,
  [2, 2, 3],
  Uint8Array.from({ length: 12 }, (_, i) => i * 20),
);

test.each([
  ['plain', images],
  ['packed', zlib.gzipSync(images)],
])('reads a %s file of bytes', (_, content) => {
  const { shape, data } = readIdx(write(content));
  expect(shape).toEqual([2, 2, 3]);
  expect(data).toEqual(Uint8Array.from({ length: 12 }, (_, i) => i * 20));
});

const view = Buffer.alloc(8);
view.writeDoubleBE(-1.5);
test.each<[number, Uint8Array, unknown]>([
  [0x09, Uint8Array.of(0xff, 2), Int8Array.of(-1, 2)],
  [0x0b, Uint8Array.of(0xff, 0xfe, 1, 0), Int16Array.of(-2, 256)],
  [0x0c, Uint8Array.of(0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff), Int32Array.of(256, -1)],
  [0x0d, Uint8Array.of(0x3f, 0x80, 0, 0), Float32Array.of(1)],
  [0x0e, view, Float64Array.of(-1.5)],
])('reads numbers of type %d', (type, bytes, expected) => {
  const length = (expected as Int8Array).length;
  expect(readIdx(write(idx(type, [length], bytes)))).toEqual({ shape: [length], data: expected });
});

test('a file without elements is a file', () => {
  expect(readIdx(write(idx(8, [0, 28], new Uint8Array(0))))).toEqual({ shape: [0, 28], data: new Uint8Array(0) });
});

const huge = 0xffffffff;
test.each<[string, Uint8Array, string]>([
  ['nothing', Buffer.alloc(0), 'some-idx: has 0 bytes, expected at least the 4 of an IDX file'],
  ['another file', Buffer.from('%PDF-1.7'), 'some-idx: starts with bytes 25504446, which is no IDX file'],
  ['an unknown type', idx(7, [1], Buffer.alloc(1)), 'some-idx: starts with bytes 00000701, which is no IDX file'],
  ['no dims', idx(8, [], Buffer.alloc(1)), 'some-idx: header has 0 dims, expected from 1 to 8'],
  ['too many dims', Buffer.from([0, 0, 8, 255]), 'some-idx: header has 255 dims, expected from 1 to 8'],
  ['a cut header', images.subarray(0, 15), 'some-idx: ends within the header of 3 dims, which has 16 bytes'],
  ['cut data', images.subarray(0, 27), 'some-idx: has 27 bytes, expected 28 for shape [2, 2, 3]'],
  ['trailing bytes', Buffer.concat([images, Buffer.of(1)]), 'some-idx: has 29 bytes, expected 28 for shape [2, 2, 3]'],
  [
    'too many elements',
    idx(8, [huge, huge, huge], Buffer.alloc(4)),
    `some-idx: header has shape [${huge}, ${huge}, ${huge}], more than the 1073741824 bytes that are read`,
  ],
  [
    'absurd sizes beside a 0',
    idx(8, [huge, huge, 0], Buffer.alloc(0)),
    `some-idx: header has shape [${huge}, ${huge}, 0], more than the 1073741824 bytes that are read`,
  ],
  [
    'more than there is',
    idx(8, [1000, 1000, 1000], Buffer.alloc(4)),
    'some-idx: has 20 bytes, expected 1000000016 for shape [1000, 1000, 1000]',
  ],
  ['packed data cut', zlib.gzipSync(images.subarray(0, 27)), 'some-idx: has 27 bytes, expected 28 for shape [2, 2, 3]'],
  [
    'packed trailing bytes',
    zlib.gzipSync(Buffer.concat([images, Buffer.of(1)])),
    'some-idx: unpacks to more than the 28 bytes expected',
  ],
])('refuses %s', (_, content, message) => {
  expect(messageOf(content)).toBe(message);
});

test('refuses damaged gzip, a missing file and a file over the limit', () => {
  expect(messageOf(zlib.gzipSync(images).subarray(0, 30))).toMatch(/^some-idx: not a whole gzip file/);
  expect(messageOf(Buffer.from([0x1f, 0x8b, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]))).toMatch(/^some-idx: not a gzip file/);
  expect(() => readIdx(path.join(directory, 'none'))).toThrow(/none: no such file or directory/);
  expect(messageOf(images, { maxBytes: 20 })).toBe('some-idx: has 28 bytes, at most 20 are read');
});

test('a gzip bomb behind a small header is unpacked only as far as the header says', () => {
  const bomb = zlib.gzipSync(Buffer.concat([images, Buffer.alloc(256 << 20)]), { level: 9 });
  const before = process.memoryUsage().arrayBuffers;
  expect(messageOf(bomb)).toBe('some-idx: unpacks to more than the 28 bytes expected');
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 << 20);
});

test('anything damaged is a DataError or what its header says', () => {
  fc.assert(
    fc.property(fc.oneof(mutationsOf(images), mutationsOf(zlib.gzipSync(images))), (bytes) => {
      try {
        const { shape, data } = readIdx(write(bytes));
        expect(data).toHaveLength(shape.reduce((a, b) => a * b, 1));
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
      }
    }),
    { numRuns: 1000 },
  );
});
