// Steps that run once for each content of their inputs, and one process at a time.
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

export const root = path.dirname(import.meta.dirname);
export const cache = path.join(root, '.cache');

/** A hash of texts and of the files (folders: all files below them, by name) that a step reads. */
export function hashInputs(texts, files) {
  const hash = createHash('sha256');
  for (const text of texts) hash.update(`${text}\0`);
  for (const file of files.flatMap(filesBelow))
    hash
      .update(`${file}\0`)
      .update(fs.readFileSync(path.join(root, file)))
      .update('\0');
  return hash.digest('hex');
}

function filesBelow(file) {
  const stat = fs.statSync(path.join(root, file), { throwIfNoEntry: false });
  if (stat === undefined) return [];
  if (!stat.isDirectory()) return [file];
  return fs
    .readdirSync(path.join(root, file))
    .sort()
    .flatMap((name) => filesBelow(`${file}/${name}`));
}

export function isDone(step, hash) {
  try {
    return fs.readFileSync(path.join(cache, `${step}.done`), 'utf8') === hash;
  } catch {
    return false;
  }
}

export function markDone(step, hash) {
  const target = path.join(cache, `${step}.done`);
  const temporary = `${target}.${process.pid}`;
  fs.writeFileSync(temporary, hash);
  fs.renameSync(temporary, target);
}

export function markUndone(step) {
  fs.rmSync(path.join(cache, `${step}.done`), { force: true });
}

const LOCK_EXPIRES_MS = 15 * 60_000;

/** Waits until no other living process holds the lock, then holds it until this process exits. */
export function lock() {
  fs.mkdirSync(cache, { recursive: true });
  const file = path.join(cache, 'lock');
  const mine = `${file}.${process.pid}`;
  fs.writeFileSync(mine, String(process.pid));
  for (let attempt = 0; !tryLink(mine, file); attempt++) {
    if (attempt === 0) console.error('setup: waiting for another setup to finish');
    if (!isHeld(file)) fs.rmSync(file, { force: true });
    else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
  }
  fs.rmSync(mine);
  process.on('exit', () => fs.rmSync(file, { force: true }));
}

/** A hard link to a file that already holds our process id: the lock is never seen half-written. */
function tryLink(from, to) {
  try {
    fs.linkSync(from, to);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function isHeld(file) {
  try {
    if (Date.now() - fs.statSync(file).mtimeMs > LOCK_EXPIRES_MS) return false;
    process.kill(Number(fs.readFileSync(file, 'utf8')), 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
