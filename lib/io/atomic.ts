import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { DataError } from '../errors';

/**
 * Writes a file so that it is never seen half-written: into a temporary file beside it, synced to disk, then renamed.
 * On failure the file is as it was, nothing else is left behind, and a DataError names the file.
 *
 *     writeFileAtomic('history.json', JSON.stringify(history));
 */
export function writeFileAtomic(file: string, content: string | Uint8Array | readonly Uint8Array[]): void {
  const chunks = Array.isArray(content) ? (content as readonly Uint8Array[]) : [content as string | Uint8Array];
  try {
    const target = followLinks(file);
    const temporary = path.join(
      path.dirname(target),
      `.${path.basename(target)}.${process.pid}.${randomBytes(6).toString('hex')}`,
    );
    try {
      writeAndSync(temporary, chunks);
      fs.renameSync(temporary, target);
    } catch (error) {
      fs.rmSync(temporary, { force: true });
      throw error;
    }
    syncDirectory(path.dirname(target));
  } catch (error) {
    throw new DataError(`${file}: cannot be written (${(error as Error).message})`, { cause: error });
  }
}

/** The file behind a symbolic link, so that the link stays one. */
function followLinks(file: string): string {
  try {
    return fs.realpathSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return path.resolve(file);
    throw error;
  }
}

function writeAndSync(file: string, chunks: readonly (string | Uint8Array)[]): void {
  const descriptor = fs.openSync(file, 'wx');
  try {
    for (const chunk of chunks) {
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
      for (let at = 0; at < bytes.length;)
        at += fs.writeSync(descriptor, bytes, at, Math.min(bytes.length - at, 2 ** 30));
    }
    fs.fsyncSync(descriptor);
  } finally {
    fs.closeSync(descriptor);
  }
}

/** Makes the rename itself last through a power cut; not every platform can open a folder, and none needs it to. */
function syncDirectory(directory: string): void {
  if (process.platform === 'win32') return;
  const descriptor = fs.openSync(directory, 'r');
  try {
    fs.fsyncSync(descriptor);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
  } finally {
    fs.closeSync(descriptor);
  }
}
