import fc from 'fast-check';
import fs from 'node:fs';
import path from 'node:path';
import zlib from 'node:zlib';
import { readCsv, type CsvOptions } from '../../lib/data/csv';
import { DataError } from '../../lib/errors';
import { mutationsOf } from '../helpers/mutations';
import { temporaryDirectory } from '../helpers/temporary-directory';

const directory = temporaryDirectory();

function write(content: string | Uint8Array): string {
  const file = path.join(directory, 'table.csv');
  fs.writeFileSync(file, content);
  return file;
}

function read(content: string | Uint8Array, options?: CsvOptions): { rows: number; columns: number; values: number[] } {
  const { rows, columns, values } = readCsv(write(content), options);
  return { rows, columns, values: [...values] };
}

/** The message without the folder that the file is in. */
function messageOf(content: string | Uint8Array, options?: CsvOptions): string {
  try {
    readCsv(write(content), options);
  } catch (error) {
    expect(error).toBeInstanceOf(DataError);
    return (error as Error).message.replace(directory + path.sep, '');
  }
  throw new Error('it was read');
}

test.each([
  ['1,2\n3,4\n', { rows: 2, columns: 2, values: [1, 2, 3, 4] }],
  ['1,2\r\n3,4', { rows: 2, columns: 2, values: [1, 2, 3, 4] }],
  ['-1.5e3,+.25,7.', { rows: 1, columns: 3, values: [-1500, 0.25, 7] }],
  ['5', { rows: 1, columns: 1, values: [5] }],
])('reads %j', (content, expected) => {
  expect(read(content)).toEqual(expected);
});

test('reads a gzip file and passes over a heading', () => {
  const packed = zlib.gzipSync('two,columns,and,more\n1,2\n');
  expect(read(packed, { skipLines: 1, columns: 2 })).toEqual({ rows: 1, columns: 2, values: [1, 2] });
});

test.each<[string, CsvOptions | undefined, string]>([
  ['', undefined, 'table.csv: has 0 lines, expected more than 0'],
  ['1\n', { skipLines: 1 }, 'table.csv: has 1 lines, expected more than 1'],
  ['1,2\n3\n', undefined, 'table.csv, line 2: given 1 columns, expected 2'],
  ['1,2,3\n', { columns: 2 }, 'table.csv, line 1: given 3 columns, expected 2'],
  ['1,2\n\n3,4\n', undefined, 'table.csv, line 2: given 1 columns, expected 2'],
  ['1,2\n3,x\n', undefined, 'table.csv, line 2, column 2: given "x", expected a number'],
  ['1,\n', undefined, 'table.csv, line 1, column 2: given "", expected a number'],
  ['1, 2\n', undefined, 'table.csv, line 1, column 2: given " 2", expected a number'],
  ['NaN\n', undefined, 'table.csv, line 1, column 1: given "NaN", expected a number'],
  ['Infinity\n', undefined, 'table.csv, line 1, column 1: given "Infinity", expected a number'],
  ['1e999\n', undefined, 'table.csv, line 1, column 1: given "1e999", expected a number'],
  ['0x10\n', undefined, 'table.csv, line 1, column 1: given "0x10", expected a number'],
  ['"1"\n', undefined, 'table.csv, line 1, column 1: given "\\"1\\"", expected a number'],
  [
    'h\n17\n',
    { skipLines: 1, columns: [{ min: 0, max: 16, integer: true }] },
    'table.csv, line 2, column 1: given "17", expected an integer from 0 to 16',
  ],
  ['1.5\n', { columns: [{ integer: true }] }, 'table.csv, line 1, column 1: given "1.5", expected an integer'],
  ['-1\n', { columns: [{ min: 0 }] }, 'table.csv, line 1, column 1: given "-1", expected a number of at least 0'],
  ['9\n', { columns: [{ max: 8 }] }, 'table.csv, line 1, column 1: given "9", expected a number of at most 8'],
])('refuses %j (%j): %s', (content, options, message) => {
  expect(messageOf(content, options)).toBe(message);
});

test('quotes no more of a field than its start', () => {
  expect(messageOf('z'.repeat(1000))).toBe(
    `table.csv, line 1, column 1: given "${'z'.repeat(40)}...", expected a number`,
  );
});

test('refuses missing files, folders, files that are too large, and damaged gzip', () => {
  expect(() => readCsv(path.join(directory, 'none.csv'))).toThrow(/none\.csv: no such file or directory/);
  expect(() => readCsv(directory)).toThrow(/not a file/);
  expect(messageOf('1,2,3,4', { maxBytes: 6 })).toBe('table.csv: has 7 bytes, at most 6 are read');
  expect(messageOf(zlib.gzipSync('1,2').subarray(0, 15))).toMatch(/^table.csv: not a whole gzip file/);
});

test('a gzip bomb is unpacked only to the limit', () => {
  const bomb = zlib.gzipSync(Buffer.alloc(64 << 20, '1'));
  expect(bomb.length).toBeLessThan(100_000);
  expect(messageOf(bomb, { maxBytes: 1 << 20 })).toBe('table.csv: unpacks to more than the 1048576 bytes expected');
});

test('a long first line among many short ones takes no memory for a full table', () => {
  const content = `${'1,'.repeat(100_000)}1\n${'1\n'.repeat(100_000)}`;
  expect(messageOf(content)).toBe('table.csv, line 2: given 1 columns, expected 100001');
});

test('reads what was written, and anything damaged is a DataError or a table', () => {
  const numbers = fc.double({ noNaN: true, noDefaultInfinity: true });
  const tables = fc
    .integer({ min: 1, max: 5 })
    .chain((columns) =>
      fc.array(fc.array(numbers, { minLength: columns, maxLength: columns }), { minLength: 1, maxLength: 8 }),
    );
  fc.assert(
    fc.property(tables, (table) => {
      const content = table.map((row) => row.join(',')).join('\n');
      expect(read(content).values).toEqual(table.flat().map((x) => (Object.is(x, -0) ? 0 : x)));
    }),
  );
  const valid = Buffer.from('0,1.5,-2e3\r\n12,0.25,7\n4,5,6\n');
  fc.assert(
    fc.property(fc.oneof(mutationsOf(valid), mutationsOf(zlib.gzipSync(valid))), (bytes) => {
      try {
        const { rows, columns, values } = read(bytes);
        expect(values).toHaveLength(rows * columns);
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
      }
    }),
    { numRuns: 500 },
  );
});
