import fs from 'node:fs';
import zlib from 'node:zlib';
import { DataError } from '../errors';

/** No data file is read beyond this many bytes, packed or unpacked, unless the caller allows it. */
export const MAX_BYTES = 2 ** 30;

/** The bytes of a file as they are on disk. */
export function readFile(file: string, maxBytes: number): Buffer {
  let size: number;
  try {
    const stat = fs.statSync(file);
    if (!stat.isFile()) throw new DataError(`${file}: not a file`);
    size = stat.size;
    if (size <= maxBytes) return fs.readFileSync(file);
  } catch (error) {
    throw asDataError(file, error);
  }
  throw new DataError(`${file}: has ${size} bytes, at most ${maxBytes} are read`);
}

export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** The unpacked bytes; stops as soon as there are more than `maxBytes` of them, whatever the packed size says. */
export function gunzip(file: string, packed: Uint8Array, maxBytes: number): Buffer {
  try {
    return zlib.gunzipSync(packed, { maxOutputLength: Math.max(maxBytes, 1) });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      throw new DataError(`${file}: unpacks to more than the ${maxBytes} bytes expected`, { cause: error });
    throw new DataError(`${file}: not a whole gzip file (${(error as Error).message})`, { cause: error });
  }
}

/** The first unpacked bytes, for a look at a header: what the first 1,024 packed ones hold, and they may be damaged. */
export function gunzipStart(file: string, packed: Uint8Array): Buffer {
  try {
    return zlib.gunzipSync(packed.subarray(0, 1024), { finishFlush: zlib.constants.Z_SYNC_FLUSH });
  } catch (error) {
    throw new DataError(`${file}: not a gzip file (${(error as Error).message})`, { cause: error });
  }
}

/** What the file system said, as an error that names the file. */
export function asDataError(file: string, error: unknown): DataError {
  if (error instanceof DataError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT' || code === 'ENOTDIR')
    return new DataError(`${file}: no such file or directory`, { cause: error });
  return new DataError(`${file}: cannot be read (${message})`, { cause: error });
}
