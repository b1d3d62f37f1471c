import fs from 'node:fs';
import path from 'node:path';
import { DataError } from '../../lib/errors';
import { writeFileAtomic } from '../../lib/io/atomic';
import { temporaryDirectory } from '../helpers/temporary-directory';

const directory = temporaryDirectory();
afterEach(() => {
  jest.restoreAllMocks();
  for (const name of fs.readdirSync(directory)) fs.rmSync(path.join(directory, name), { recursive: true });
});

test('writes text, bytes and lists of bytes, over what was there', () => {
  const file = path.join(directory, 'file');
  writeFileAtomic(file, 'äb');
  expect(fs.readFileSync(file, 'utf8')).toBe('äb');
  writeFileAtomic(file, Uint8Array.of(1, 2));
  expect([...fs.readFileSync(file)]).toEqual([1, 2]);
  writeFileAtomic(file, [Uint8Array.of(1), new Uint8Array(0), Uint8Array.of(2, 3)]);
  expect([...fs.readFileSync(file)]).toEqual([1, 2, 3]);
  expect(fs.readdirSync(directory)).toEqual(['file']);
});

test('a symbolic link stays one', () => {
  fs.writeFileSync(path.join(directory, 'target'), 'old');
  fs.symlinkSync('target', path.join(directory, 'link'));
  writeFileAtomic(path.join(directory, 'link'), 'new');
  expect(fs.readFileSync(path.join(directory, 'target'), 'utf8')).toBe('new');
  expect(fs.readlinkSync(path.join(directory, 'link'))).toBe('target');
});

test.each(['writeSync', 'fsyncSync', 'renameSync'] as const)(
  'when %s fails, the old file stays and nothing else',
  (name) => {
    const file = path.join(directory, 'file');
    fs.writeFileSync(file, 'old');
    jest.spyOn(fs, name).mockImplementation(() => {
      throw new Error('disk full');
    });
    expect(() => writeFileAtomic(file, 'new')).toThrow(`${file}: cannot be written (disk full)`);
    jest.restoreAllMocks();
    expect(fs.readFileSync(file, 'utf8')).toBe('old');
    expect(fs.readdirSync(directory)).toEqual(['file']);
  },
);

test('a write that takes only some of the bytes is continued', () => {
  const file = path.join(directory, 'file');
  const { writeSync } = fs;
  jest
    .spyOn(fs, 'writeSync')
    .mockImplementation(((descriptor: number, bytes: Uint8Array, at: number, length: number) =>
      writeSync(descriptor, bytes, at, Math.min(length, 3))) as typeof fs.writeSync);
  writeFileAtomic(file, 'twelve bytes');
  expect(fs.readFileSync(file, 'utf8')).toBe('twelve bytes');
});

test('a folder that is missing, or in the place of the file, is named', () => {
  expect(() => writeFileAtomic(path.join(directory, 'none', 'file'), '')).toThrow(DataError);
  expect(() => writeFileAtomic(path.join(directory, 'none', 'file'), '')).toThrow(/none.file: cannot be written/);
  fs.mkdirSync(path.join(directory, 'folder'));
  expect(() => writeFileAtomic(path.join(directory, 'folder'), '')).toThrow(/folder: cannot be written/);
  expect(fs.readdirSync(directory)).toEqual(['folder']);
});
