import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { types } from 'node:util';
import { opcodeNames } from '../../graph/program/elementwise';
import { PROGRAM_VERSION } from '../../graph/program/encode';
import { kernelNames } from '../../graph/program/kernels';
import type { NativeAddon } from './addon';

/** A place where an addon was looked for, and why it was not taken. */
export interface FailedAttempt {
  readonly path: string;
  readonly problem: string;
}

export interface LoadResult {
  /** Null if no place has an addon that fits. */
  readonly addon: NativeAddon | null;
  /** Of the addon; empty without one. */
  readonly path: string;
  readonly tried: readonly FailedAttempt[];
}

/**
 * Loads the native addon: the file that SADDLEPOINT_NATIVE_PATH names and no other or, without it, the first that fits
 * of a local build by node-gyp, one by cmake-js, and the prebuilt one of this platform. Never throws.
 */
export function loadAddon(): LoadResult {
  const root = packageRoot();
  const version = packageVersion(root);
  const tried: FailedAttempt[] = [];
  for (const path of candidates(root)) {
    try {
      return { addon: open(path, version), path, tried };
    } catch (error) {
      tried.push({ path, problem: types.isNativeError(error) ? error.message : String(error) });
    }
  }
  return { addon: null, path: '', tried };
}

/** The folder of package.json, above this file in the sources and in the installed package alike. */
function packageRoot(): string {
  let folder = __dirname;
  while (!existsSync(join(folder, 'package.json')) && dirname(folder) !== folder) folder = dirname(folder);
  return folder;
}

function packageVersion(root: string): string {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
  return version;
}

function* candidates(root: string): Generator<string> {
  const named = process.env.SADDLEPOINT_NATIVE_PATH;
  if (named !== undefined && named !== '') {
    yield named;
    return;
  }
  yield join(root, 'build', 'Release', 'saddlepoint.node');
  yield join(root, 'build-cmake', 'Release', 'saddlepoint.node');
  yield join(root, 'prebuilds', `saddlepoint-${process.platform}-${process.arch}${cLibrary()}`, 'node-napi-v9.node');
}

/** '-musl' on Linux systems without glibc, whose addons do not load there. */
function cLibrary(): string {
  if (process.platform !== 'linux') return '';
  const report = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  return report.header.glibcVersionRuntime === undefined ? '-musl' : '';
}

function open(path: string, version: string): NativeAddon {
  if (!existsSync(path)) throw new Error('there is no such file');
  if (process.platform === 'linux') checkLength(path);
  const loaded: unknown = createRequire(__filename)(path);
  if (typeof loaded !== 'object' || loaded === null) throw new Error('it is not the addon of saddlepoint');
  checkMatch(loaded, version);
  return loaded as NativeAddon;
}

/**
 * Throws if the file is shorter than its ELF header says: the system's loader would map the missing part, and touching
 * it ends the process.
 */
function checkLength(path: string): void {
  const header = Buffer.alloc(64);
  const file = openSync(path, 'r');
  try {
    const bytes = readSync(file, header, 0, header.length, 0);
    if (bytes < header.length || header.readUInt32BE(0) !== 0x7f454c46) throw new Error('it is not an ELF file');
    const sections = Number(header.readBigUInt64LE(40));
    const end = sections + header.readUInt16LE(58) * header.readUInt16LE(60);
    const { size } = fstatSync(file);
    if (size < end) throw new Error(`it is cut off: ${size} bytes of at least ${end}`);
  } finally {
    closeSync(file);
  }
}

/** Throws if the addon was not made from the sources that this package was made from. */
function checkMatch(addon: Partial<NativeAddon>, version: string): void {
  const pairs: [what: string, native: unknown, typescript: unknown][] = [
    ['version', addon.version, version],
    ['program format', addon.programVersion, PROGRAM_VERSION],
    ['list of kernels', addon.kernels?.join(), kernelNames.join()],
    ['list of operations', addon.opcodes?.join(), opcodeNames.join()],
  ];
  for (const [what, native, typescript] of pairs)
    if (native !== typescript)
      throw new Error(`its ${what} does not match: the addon has ${String(native)}, the package ${String(typescript)}`);
}
