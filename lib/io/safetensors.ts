import fs from 'node:fs';
import os from 'node:os';
import { DataError, DTypeError, ShapeError, ValueError } from '../errors';
import { dtypes, checkDType, type DType, type TypedArray } from '../tensor/dtype';
import { checkShape, formatShape, sizeOf } from '../tensor/shape';
import { writeFileAtomic } from './atomic';
import { formatNames, METADATA_KEY, parseHeader, quote, type Header, type HeaderEntry } from './safetensors-header';

/** One tensor of a file: row-major numbers; bool as bytes of 0 and 1, int64 as bigints. */
export interface SafetensorsEntry {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: TypedArray;
}

export interface Safetensors {
  /** By name; the object has no prototype, so every name is a tensor of the file. */
  readonly tensors: Readonly<Record<string, SafetensorsEntry>>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The format's own limit: a longer header is taken for a damaged file. */
const MAX_HEADER_BYTES = 100_000_000;
const LENGTH_BYTES = 8;

/**
 * Reads a safetensors file, given by its path or as bytes: the format that PyTorch's ecosystem keeps weights in. dtypes
 * F32, F64, I32, I64 and BOOL. Nothing is allocated that the file does not have; a file that is not exactly what its
 * header says is a DataError that names it.
 *
 *     const { tensors } = readSafetensors('model.safetensors');
 *     tensors['0.weight'].shape; // [32, 64]
 */
export function readSafetensors(source: string | Uint8Array): Safetensors {
  if (typeof source !== 'string')
    return readFrom('safetensors', source.length, (target, from) => {
      target.set(source.subarray(from, from + target.length));
    });
  let descriptor: number | undefined;
  try {
    descriptor = fs.openSync(source, 'r');
    const stat = fs.fstatSync(descriptor);
    if (!stat.isFile()) throw new DataError(`${source}: not a file`);
    return readFrom(source, stat.size, readerOf(source, descriptor));
  } catch (error) {
    if (error instanceof DataError) throw error;
    throw new DataError(`${source}: cannot be read (${(error as Error).message})`, { cause: error });
  } finally {
    if (descriptor !== undefined) fs.closeSync(descriptor);
  }
}

/** Fills the target with the bytes that start at `from`. */
type ReadAt = (target: Uint8Array, from: number) => void;

function readerOf(file: string, descriptor: number): ReadAt {
  return (target, from) => {
    for (let at = 0; at < target.length;) {
      const read = fs.readSync(descriptor, target, at, Math.min(target.length - at, 2 ** 30), from + at);
      if (read === 0) throw new DataError(`${file}: became shorter while it was read`);
      at += read;
    }
  };
}

function readFrom(file: string, size: number, readAt: ReadAt): Safetensors {
  const { header, headerEnd } = readHeader(file, size, readAt);
  const tensors = Object.create(null) as Record<string, SafetensorsEntry>;
  for (const [name, entry] of header.entries) tensors[name] = readEntry(file, name, entry, headerEnd, readAt);
  const metadata = Object.create(null) as Record<string, string>;
  for (const [key, value] of header.metadata) metadata[key] = value;
  return { tensors, metadata };
}

function readHeader(file: string, size: number, readAt: ReadAt): { header: Header; headerEnd: number } {
  if (size < LENGTH_BYTES) throw new DataError(`${file}: has ${size} bytes, expected at least ${LENGTH_BYTES}`);
  const lengthBytes = Buffer.alloc(LENGTH_BYTES);
  readAt(lengthBytes, 0);
  const length = lengthBytes.readBigUInt64LE();
  if (length > MAX_HEADER_BYTES || Number(length) > size - LENGTH_BYTES)
    throw new DataError(
      `${file}: says that its header has ${length} bytes, expected at most ${Math.min(MAX_HEADER_BYTES, size - LENGTH_BYTES)}`,
    );
  const bytes = Buffer.alloc(Number(length));
  readAt(bytes, LENGTH_BYTES);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new DataError(`${file}: the header is not UTF-8`, { cause: error });
  }
  const headerEnd = LENGTH_BYTES + bytes.length;
  return { header: parseHeader(file, text, size - headerEnd), headerEnd };
}

/** Into an array of its own: in the file it may start anywhere. */
function readEntry(
  file: string,
  name: string,
  entry: HeaderEntry,
  headerEnd: number,
  readAt: ReadAt,
): SafetensorsEntry {
  const { dtype, shape, begin, end } = entry;
  const bytes = new Uint8Array(end - begin);
  readAt(bytes, headerEnd + begin);
  const wrong = dtype === 'bool' ? bytes.findIndex((byte) => byte > 1) : -1;
  if (wrong >= 0)
    throw new DataError(
      `${file}: tensor ${quote(name)}: byte ${bytes[wrong]} at index ${wrong} is no bool, expected 0 or 1`,
    );
  toOrFromLittleEndian(bytes, dtype);
  return { dtype, shape, data: new dtypes[dtype].array(bytes.buffer, 0, bytes.length / dtypes[dtype].bytes) };
}

/**
 * Writes tensors, by name, and optional texts as a safetensors file, atomically: a reader sees the old file or the new.
 * Throws before anything is written if a shape does not fit its data, and a DataError if the file cannot be written.
 *
 *     writeSafetensors('model.safetensors', { weight: { dtype: 'float32', shape: [2], data: Float32Array.of(1, 2) } });
 */
export function writeSafetensors(
  file: string,
  tensors: Readonly<Record<string, SafetensorsEntry>>,
  metadata: Readonly<Record<string, string>> = {},
): void {
  writeFileAtomic(file, encode(tensors, metadata));
}

/**
 * The same as `writeSafetensors`, as bytes in memory.
 *
 *     const { tensors } = readSafetensors(encodeSafetensors(weights));
 */
export function encodeSafetensors(
  tensors: Readonly<Record<string, SafetensorsEntry>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  return Buffer.concat(encode(tensors, metadata));
}

function encode(
  tensors: Readonly<Record<string, SafetensorsEntry>>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array[] {
  const entries = Object.entries(tensors);
  for (const [name, entry] of entries) checkEntry(name, entry);
  // Wide dtypes first, so that every tensor starts at a multiple of its width; then by name: equal tensors, equal bytes.
  entries.sort(([a, x], [b, y]) => dtypes[y.dtype].bytes - dtypes[x.dtype].bytes || (a < b ? -1 : 1));
  const members: string[] = [];
  const texts = Object.entries(metadata);
  for (const [key, value] of texts) checkText(METADATA_KEY, key, value);
  if (texts.length > 0)
    members.push(
      `${JSON.stringify(METADATA_KEY)}:{${texts.map((pair) => pair.map((x) => JSON.stringify(x)).join(':')).join(',')}}`,
    );
  const chunks: Uint8Array[] = [];
  let at = 0;
  for (const [name, { dtype, shape, data }] of entries) {
    const end = at + data.byteLength;
    members.push(
      `${JSON.stringify(name)}:${JSON.stringify({ dtype: formatNames[dtype], shape, data_offsets: [at, end] })}`,
    );
    chunks.push(littleEndianBytes(dtype, data));
    at = end;
  }
  const json = Buffer.from(`{${members.join(',')}}`);
  const header = Buffer.alloc(LENGTH_BYTES + Math.ceil(json.length / 8) * 8, ' ');
  if (header.length - LENGTH_BYTES > MAX_HEADER_BYTES)
    throw new ValueError(
      `writeSafetensors: a header of ${json.length} bytes, at most ${MAX_HEADER_BYTES} are possible`,
    );
  header.writeBigUInt64LE(BigInt(header.length - LENGTH_BYTES));
  json.copy(header, LENGTH_BYTES);
  return [header, ...chunks];
}

function checkEntry(name: string, { dtype, shape, data }: SafetensorsEntry): void {
  const where = `writeSafetensors: tensor ${quote(name)}`;
  if (name === METADATA_KEY) throw new ValueError(`${where}: the format keeps this name for itself`);
  checkText('tensors', name);
  checkDType(where, dtype);
  checkShape(where, shape);
  if (!(data instanceof dtypes[dtype].array))
    throw new DTypeError(
      `${where}: data of ${dtype} is a ${dtypes[dtype].array.name}, got ${Object.prototype.toString.call(data)}`,
    );
  if (data.length !== sizeOf(shape))
    throw new ShapeError(
      `${where}: shape ${formatShape(shape)} has ${sizeOf(shape)} elements, data has ${data.length}`,
    );
  if (dtype === 'bool' && (data as Uint8Array).some((byte) => byte > 1))
    throw new ValueError(`${where}: a bool is 0 or 1`);
}

/** UTF-8 has no place for half a surrogate pair. */
function checkText(where: string, ...texts: string[]): void {
  for (const text of texts)
    if (typeof text !== 'string' || /\p{Surrogate}/u.test(text))
      throw new ValueError(`writeSafetensors: ${where}: ${JSON.stringify(text)} is not a text`);
}

function littleEndianBytes(dtype: DType, data: TypedArray): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return os.endianness() === 'LE' ? bytes : toOrFromLittleEndian(bytes.slice(), dtype);
}

function toOrFromLittleEndian(bytes: Uint8Array, dtype: DType): Uint8Array {
  const width = dtypes[dtype].bytes;
  if (os.endianness() === 'BE' && width > 1)
    for (let at = 0; at < bytes.length; at += width) bytes.subarray(at, at + width).reverse();
  return bytes;
}
