import os from 'node:os';
import { DataError } from '../errors';
import { MAX_ELEMENTS, MAX_RANK } from '../tensor/shape';
import { gunzip, gunzipStart, isGzip, MAX_BYTES, readFile } from './files';

export type IdxArray = Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;

export interface Idx {
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data: IdxArray;
}

interface IdxHeader {
  readonly type: (typeof types)[number];
  readonly shape: number[];
  /** Of the header, and of header and data. */
  readonly headerBytes: number;
  readonly totalBytes: number;
}

const types = [
  { code: 0x08, array: Uint8Array },
  { code: 0x09, array: Int8Array },
  { code: 0x0b, array: Int16Array },
  { code: 0x0c, array: Int32Array },
  { code: 0x0d, array: Float32Array },
  { code: 0x0e, array: Float64Array },
] as const;

/**
 * Reads an IDX file, the format of MNIST: two zero bytes, a type, the number of dims, the sizes, then the numbers, all
 * big-endian; gzip-packed or not. Throws a DataError that names the file if it is anything else, shorter or longer.
 *
 *     const { shape, data } = readIdx('train-labels-idx1-ubyte.gz');
 *     shape; // [60000]
 */
export function readIdx(file: string, options: { readonly maxBytes?: number } = {}): Idx {
  const maxBytes = options.maxBytes ?? MAX_BYTES;
  const stored = readFile(file, maxBytes);
  const packed = isGzip(stored);
  // Of a packed file only the start is unpacked until the header has said, within the limit, how much there should be.
  const { type, shape, headerBytes, totalBytes } = parseHeader(
    file,
    packed ? gunzipStart(file, stored) : stored,
    maxBytes,
  );
  const bytes = packed ? gunzip(file, stored, totalBytes) : stored;
  if (bytes.length !== totalBytes)
    throw new DataError(`${file}: has ${bytes.length} bytes, expected ${totalBytes} for shape [${shape.join(', ')}]`);
  return { shape, data: decode(type, bytes.subarray(headerBytes)) };
}

function parseHeader(file: string, bytes: Buffer, maxBytes: number): IdxHeader {
  if (bytes.length < 4)
    throw new DataError(`${file}: has ${bytes.length} bytes, expected at least the 4 of an IDX file`);
  const type = types.find(({ code }) => code === bytes[2]);
  if (bytes[0] !== 0 || bytes[1] !== 0 || type === undefined)
    throw new DataError(`${file}: starts with bytes ${bytes.toString('hex', 0, 4)}, which is no IDX file`);
  const rank = bytes[3]!;
  if (rank < 1 || rank > MAX_RANK)
    throw new DataError(`${file}: header has ${rank} dims, expected from 1 to ${MAX_RANK}`);
  const headerBytes = 4 + 4 * rank;
  if (bytes.length < headerBytes)
    throw new DataError(`${file}: ends within the header of ${rank} dims, which has ${headerBytes} bytes`);
  const shape = Array.from({ length: rank }, (_, i) => bytes.readUInt32BE(4 + 4 * i));
  // Sizes of 0 are left out, so that one of them does not hide that the others are absurd.
  const elements = shape.reduce((product, size) => product * Math.max(size, 1), 1);
  const totalBytes = headerBytes + (shape.includes(0) ? 0 : elements * type.array.BYTES_PER_ELEMENT);
  if (elements > MAX_ELEMENTS || totalBytes > maxBytes)
    throw new DataError(
      `${file}: header has shape [${shape.join(', ')}], more than the ${maxBytes} bytes that are read`,
    );
  return { type, shape, headerBytes, totalBytes };
}

/** A copy, so that it is aligned and in the byte order of this processor. */
function decode({ array }: IdxHeader['type'], bytes: Uint8Array): IdxArray {
  const copy = Buffer.from(new Uint8Array(bytes).buffer);
  if (os.endianness() === 'LE')
    if (array.BYTES_PER_ELEMENT === 2) copy.swap16();
    else if (array.BYTES_PER_ELEMENT === 4) copy.swap32();
    else if (array.BYTES_PER_ELEMENT === 8) copy.swap64();
  return new array(copy.buffer);
}
