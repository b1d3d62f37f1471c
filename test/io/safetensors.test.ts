import fc from 'fast-check';
import fs from 'node:fs';
import path from 'node:path';
import { DataError, DTypeError, ShapeError, ValueError } from '../../lib/errors';
import { encodeSafetensors, readSafetensors, writeSafetensors, type SafetensorsEntry } from '../../lib/io/safetensors';
import { dtypes, type DType } from '../../lib/tensor/dtype';
import { mutationsOf } from '../helpers/mutations';
import { temporaryDirectory } from '../helpers/temporary-directory';

const directory = temporaryDirectory();

/** The format by its definition: header length as little-endian uint64, header, data. */
function bytesOf(header: string | object, data: number[] | Uint8Array = []): Buffer {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, Uint8Array.from(data)]);
}

function u8(shape: number[], begin: number, end: number): object {
  return { dtype: 'BOOL', shape, data_offsets: [begin, end] };
}

const all = bytesOf(
  {
    __metadata__: { format: 'pt', author: 'ä"\\' },
    'layer.weight': { dtype: 'F32', shape: [2, 1], data_offsets: [0, 8] },
    flag: { dtype: 'BOOL', shape: [3], data_offsets: [8, 11] },
    // Not at a multiple of 8: allowed, and old writers do so.
    scalar: { dtype: 'F64', shape: [], data_offsets: [11, 19] },
    index: { data_offsets: [19, 27], shape: [2], dtype: 'I32' },
    steps: { dtype: 'I64', shape: [1], data_offsets: [27, 35] },
    empty: { dtype: 'F32', shape: [0, 5], data_offsets: [35, 35] },
  },
  [
    ...[0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0],
    ...[1, 0, 1],
    ...[0, 0, 0, 0, 0, 0, 0xf8, 0x3f],
    ...[1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff],
    ...[0, 0, 0, 0, 0, 0, 0, 0x80],
  ],
);

test.each(['bytes', 'a file'])('reads every dtype from %s', (from) => {
  const file = path.join(directory, 'all.safetensors');
  fs.writeFileSync(file, all);
  const { tensors, metadata } = readSafetensors(from === 'bytes' ? all : file);
  expect({ ...metadata }).toEqual({ format: 'pt', author: 'ä"\\' });
  expect({ ...tensors }).toEqual({
    'layer.weight': { dtype: 'float32', shape: [2, 1], data: Float32Array.of(1, -2) },
    flag: { dtype: 'bool', shape: [3], data: Uint8Array.of(1, 0, 1) },
    scalar: { dtype: 'float64', shape: [], data: Float64Array.of(1.5) },
    index: { dtype: 'int32', shape: [2], data: Int32Array.of(1, -1) },
    steps: { dtype: 'int64', shape: [1], data: BigInt64Array.of(-(2n ** 63n)) },
    empty: { dtype: 'float32', shape: [0, 5], data: new Float32Array(0) },
  });
});

test('the arrays are their own, not windows on the source', () => {
  const source = bytesOf({ a: u8([1], 0, 1) }, [1]);
  const { data } = readSafetensors(source).tensors.a!;
  source.fill(0);
  expect([...data]).toEqual([1]);
  expect(data.buffer.byteLength).toBe(1);
});

test('writes bytes that follow the definition: widest first, then by name, header padded to 8 with spaces', () => {
  const bytes = encodeSafetensors(
    {
      b: { dtype: 'bool', shape: [1], data: Uint8Array.of(1) },
      z: { dtype: 'int64', shape: [1], data: BigInt64Array.of(-1n) },
      a: { dtype: 'float32', shape: [1], data: Float32Array.of(1) },
      A: { dtype: 'float32', shape: [1], data: Float32Array.of(2) },
    },
    { format: 'pt' },
  );
  const header =
    '{"__metadata__":{"format":"pt"},"z":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},' +
    '"A":{"dtype":"F32","shape":[1],"data_offsets":[8,12]},"a":{"dtype":"F32","shape":[1],"data_offsets":[12,16]},' +
    '"b":{"dtype":"BOOL","shape":[1],"data_offsets":[16,17]}}';
  const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
  const data = [255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0x40, 0, 0, 0x80, 0x3f, 1];
  expect(Buffer.from(bytes)).toEqual(bytesOf(padded, data));
});

const names = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('__proto__', 'constructor', 'toString', '', '0', 'hasOwnProperty'),
);
const dtypeNames = fc.constantFrom(...(Object.keys(dtypes) as DType[]));
const shapes = fc.array(fc.nat(4), { maxLength: 4 });
const entries = fc.tuple(dtypeNames, shapes, fc.nat()).map(([dtype, shape, seed]): SafetensorsEntry => {
  const length = shape.reduce((a, b) => a * b, 1);
  const data = new dtypes[dtype].array(new ArrayBuffer(length * dtypes[dtype].bytes), 0, length);
  for (let i = 0; i < length; i++)
    if (data instanceof BigInt64Array) data[i] = BigInt(seed) * BigInt(i + 1);
    else data[i] = dtype === 'bool' ? (seed + i) % 2 : (seed * (i + 1)) % 1009;
  return { dtype, shape, data };
});
const contents = fc.dictionary(names, entries, { maxKeys: 6 });

test('what was written is read, whatever its names, and nothing gains a property by it', () => {
  const file = path.join(directory, 'any.safetensors');
  fc.assert(
    fc.property(contents, fc.dictionary(names, fc.string({ unit: 'grapheme' })), (tensors, metadata) => {
      writeSafetensors(file, tensors, metadata);
      const read = readSafetensors(file);
      expect(Object.entries(read.tensors).sort()).toEqual(Object.entries(tensors).sort());
      expect(Object.entries(read.metadata).sort()).toEqual(Object.entries(metadata).sort());
      expect(Buffer.from(encodeSafetensors(tensors, metadata))).toEqual(fs.readFileSync(file));
      expect(Object.getPrototypeOf(read.tensors)).toBeNull();
    }),
  );
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(fs.readdirSync(directory).filter((name) => name.startsWith('.'))).toEqual([]);
});

const length = (n: bigint) => {
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64LE(n);
  return bytes;
};
const rank9 = { dtype: 'F32', shape: new Array<number>(9).fill(1), data_offsets: [0, 4] };

test.each<[string, Uint8Array, string | RegExp]>([
  ['no length', Buffer.alloc(7), 'safetensors: has 7 bytes, expected at least 8'],
  ['a header longer than the file', length(9n), 'safetensors: says that its header has 9 bytes, expected at most 8'],
  ['an absurd header', length(2n ** 64n - 1n), /its header has 18446744073709551615 bytes, expected at most 8/],
  ['no header', length(0n), /header, character 0: expected \{/],
  [
    'bytes that are no UTF-8',
    Buffer.concat([length(1n).subarray(0, 8), Buffer.of(0xff)]),
    'safetensors: the header is not UTF-8',
  ],
  ['a byte order mark', bytesOf('\ufeff{}'), /expected \{/],
  ['no object', bytesOf('[]'), /expected \{/],
  ['an open object', bytesOf('{'), /expected a string/],
  ['a trailing comma', bytesOf(`{"a":${JSON.stringify(u8([0], 0, 0))},}`), /expected a string/],
  ['two objects', bytesOf('{}{}'), /header, character 2: expected nothing more/],
  ['a damaged string', bytesOf('{"a\\x":1}'), /header, character 1: a damaged string/],
  ['a line break in a string', bytesOf('{"a\n":1}'), /a damaged string/],
  ['an open string', bytesOf('{"a'), /a damaged string/],
  ['an open escape', bytesOf('{"a\\'), /a damaged string/],
  ['a tensor that is no object', bytesOf('{"a":1}'), /expected \{/],
  ['deep nesting', bytesOf(`{"a":${'['.repeat(1e6)}}`), /expected \{/],
  [
    'no dtype',
    bytesOf({ a: { shape: [0], data_offsets: [0, 0] } }),
    /tensor "a": expected dtype, shape and two data_offsets/,
  ],
  ['no shape', bytesOf({ a: { dtype: 'F32', data_offsets: [0, 0] } }), /expected dtype, shape and two data_offsets/],
  ['no offsets', bytesOf({ a: { dtype: 'F32', shape: [0] } }), /expected dtype, shape and two data_offsets/],
  ['one offset', bytesOf({ a: { dtype: 'F32', shape: [0], data_offsets: [0] } }), /two data_offsets/],
  [
    'three offsets',
    bytesOf({ a: { dtype: 'F32', shape: [0], data_offsets: [0, 0, 0] } }),
    /expected at most 2 numbers/,
  ],
  ['an unknown member', bytesOf({ a: { ...u8([0], 0, 0), color: 'red' } }), /tensor "a": "color" twice or not known/],
  [
    'a member twice',
    bytesOf('{"a":{"dtype":"F32","dtype":"F64","shape":[0],"data_offsets":[0,0]}}'),
    /"dtype" twice or not known/,
  ],
  [
    'a tensor twice',
    bytesOf(`{"a":${JSON.stringify(u8([0], 0, 0))},"a":${JSON.stringify(u8([0], 0, 0))}}`),
    /tensor "a" is there twice/,
  ],
  [
    'a tensor twice, once escaped',
    bytesOf(`{"a":${JSON.stringify(u8([0], 0, 0))},"\\u0061":${JSON.stringify(u8([0], 0, 0))}}`),
    /tensor "a" is there twice/,
  ],
  [
    'another dtype',
    bytesOf({ a: { dtype: 'BF16', shape: [0], data_offsets: [0, 0] } }),
    /tensor "a": dtype "BF16" is not supported; possible are F32, F64, I32, I64, BOOL/,
  ],
  [
    'a dtype of the prototype',
    bytesOf({ a: { dtype: 'toString', shape: [0], data_offsets: [0, 0] } }),
    /dtype "toString" is not supported/,
  ],
  ['nine dims', bytesOf({ a: rank9 }, [0, 0, 0, 0]), /expected at most 8 numbers/],
  ['a negative size', bytesOf({ a: u8([-1], 0, 0) }), /expected an integer of at least 0/],
  ['a fraction', bytesOf({ a: u8([0.5], 0, 0) }), /expected an integer of at least 0/],
  [
    'an exponent',
    bytesOf('{"a":{"dtype":"F32","shape":[1e3],"data_offsets":[0,0]}}'),
    /expected an integer of at least 0/,
  ],
  [
    'a size with a leading 0',
    bytesOf('{"a":{"dtype":"F32","shape":[00],"data_offsets":[0,0]}}'),
    /expected an integer of at least 0|expected \]/,
  ],
  ['a size beyond 2^53', bytesOf({ a: u8([2 ** 53], 0, 0) }), /expected an integer of at least 0/],
  ['a product that overflows', bytesOf({ a: u8([2 ** 40, 2 ** 40], 0, 0) }), /has more than 2147483647 elements/],
  [
    'a product that overflows beside a 0',
    bytesOf({ a: u8([2 ** 40, 2 ** 40, 0], 0, 0) }),
    /has more than 2147483647 elements/,
  ],
  [
    'too few bytes for the shape',
    bytesOf({ a: u8([3], 0, 2) }, [0, 0]),
    /data_offsets \[0, 2\] hold 2 bytes, expected 3 for BOOL of shape \[3\]/,
  ],
  ['offsets backwards', bytesOf({ a: u8([1], 1, 0) }, [0]), /hold -1 bytes, expected 1/],
  [
    'offsets beyond the data',
    bytesOf({ a: u8([2], 0, 2) }, [0]),
    'safetensors: tensor "a" ends at byte 2 of 1 bytes of data',
  ],
  ['an overlap', bytesOf({ a: u8([2], 0, 2), b: u8([2], 1, 3) }, [0, 0, 0]), /tensor "b" begins at byte 1, expected 2/],
  ['a gap', bytesOf({ a: u8([1], 0, 1), b: u8([1], 2, 3) }, [0, 0, 0]), /tensor "b" begins at byte 2, expected 1/],
  ['a gap at the start', bytesOf({ a: u8([1], 1, 2) }, [0, 0]), /tensor "a" begins at byte 1, expected 0/],
  ['bytes of no tensor', bytesOf({ a: u8([1], 0, 1) }, [0, 0]), 'safetensors: has 2 bytes of data, its tensors have 1'],
  ['metadata that is no text', bytesOf({ __metadata__: { a: 1 } }), /expected a string/],
  ['metadata twice', bytesOf('{"__metadata__":{},"__metadata__":{}}'), /__metadata__ is there twice/],
  ['a key of the metadata twice', bytesOf('{"__metadata__":{"a":"","a":""}}'), /__metadata__ has "a" twice/],
  [
    'a bool of 2',
    bytesOf({ a: u8([2], 0, 2) }, [1, 2]),
    'safetensors: tensor "a": byte 2 at index 1 is no bool, expected 0 or 1',
  ],
])('refuses %s', (_, bytes, message) => {
  expect(() => readSafetensors(bytes)).toThrow(DataError);
  expect(() => readSafetensors(bytes)).toThrow(message);
});

test('a header of more than 100 MB is refused before it is read', () => {
  const file = path.join(directory, 'long.safetensors');
  fs.writeFileSync(file, length(100_000_001n));
  fs.truncateSync(file, 200_000_000);
  expect(() => readSafetensors(file)).toThrow(
    `${file}: says that its header has 100000001 bytes, expected at most 100000000`,
  );
});

test('a missing file, a folder and a damaged file are named', () => {
  const missing = path.join(directory, 'none.safetensors');
  expect(() => readSafetensors(missing)).toThrow(DataError);
  expect(() => readSafetensors(missing)).toThrow(`${missing}: cannot be read`);
  expect(() => readSafetensors(directory)).toThrow(`${directory}: not a file`);
  const damaged = path.join(directory, 'damaged.safetensors');
  fs.writeFileSync(damaged, all.subarray(0, all.length - 1));
  expect(() => readSafetensors(damaged)).toThrow(`${damaged}: tensor "steps" ends at byte 35 of 34 bytes of data`);
});

test('anything damaged is a DataError or a valid result', () => {
  fc.assert(
    fc.property(mutationsOf(all), (bytes) => {
      try {
        for (const { dtype, shape, data } of Object.values(readSafetensors(bytes).tensors)) {
          expect(data).toBeInstanceOf(dtypes[dtype].array);
          expect(data).toHaveLength(shape.reduce((a, b) => a * b, 1));
        }
      } catch (error) {
        if (!(error instanceof DataError)) throw error;
      }
    }),
    { numRuns: 3000 },
  );
});

const good: SafetensorsEntry = { dtype: 'float32', shape: [1], data: Float32Array.of(1) };
test.each<[string, new (message: string) => Error, Record<string, SafetensorsEntry>, Record<string, string>, RegExp]>([
  [
    'a shape that does not fit',
    ShapeError,
    { a: { ...good, shape: [2] } },
    {},
    /tensor "a": shape \[2\] has 2 elements, data has 1/,
  ],
  ['a shape with a fraction', ShapeError, { a: { ...good, shape: [0.5] } }, {}, /tensor "a": sizes are integers/],
  [
    'data of another dtype',
    DTypeError,
    { a: { ...good, dtype: 'int32' } },
    {},
    /tensor "a": data of int32 is a Int32Array, got \[object Float32Array\]/,
  ],
  ['an unknown dtype', DTypeError, { a: { ...good, dtype: 'half' as DType } }, {}, /tensor "a": unknown dtype half/],
  ['the name of the metadata', ValueError, { __metadata__: good }, {}, /keeps this name for itself/],
  ['a name that is no text', ValueError, { '\ud800': good }, {}, /is not a text/],
  ['metadata that is no text', ValueError, {}, { a: 1 as unknown as string }, /is not a text/],
  ['a bool of 2', ValueError, { a: { dtype: 'bool', shape: [1], data: Uint8Array.of(2) } }, {}, /a bool is 0 or 1/],
])('does not write %s', (_, kind, tensors, metadata, message) => {
  const file = path.join(directory, 'unwritten.safetensors');
  expect(() => writeSafetensors(file, tensors, metadata)).toThrow(kind);
  expect(() => writeSafetensors(file, tensors, metadata)).toThrow(message);
  expect(fs.existsSync(file)).toBe(false);
});
