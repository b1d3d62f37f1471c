// What an addon is compiled with: a compiler, make, python, and Node's headers. Nothing is downloaded.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { cache, root } from './once.mjs';

function firstThatRuns(commands) {
  return commands.find((command) => {
    const [program, ...rest] = command.split(' ');
    return spawnSync(program, [...rest, '--version'], { stdio: 'ignore' }).status === 0;
  });
}

/** { environment } to compile in, or { missing }: what to install. On Windows node-gyp itself finds Visual Studio. */
export function findToolchain() {
  if (process.platform === 'win32') return { environment: process.env };
  const { CXX, PYTHON, MAKE } = process.env;
  const compiler = firstThatRuns(CXX ? [CXX] : ['g++', 'c++', 'clang++']);
  if (compiler === undefined) return { missing: CXX ? `the compiler CXX=${CXX}` : 'a C++ compiler' };
  if (firstThatRuns([MAKE ?? 'make']) === undefined) return { missing: 'make' };
  const python = firstThatRuns(PYTHON ? [PYTHON] : ['python3', 'python']);
  if (python === undefined) return { missing: 'python3' };
  // binding.gyp asks `node` for paths: let it be this one.
  const searched = [path.dirname(process.execPath), process.env.PATH].join(path.delimiter);
  return { environment: { ...process.env, CXX: compiler, PYTHON: python, PATH: searched } };
}

/** A folder with include/node as node-gyp's --nodedir wants it: Node's own, else made from node-api-headers. */
export function findHeaders() {
  const prefix = path.dirname(path.dirname(fs.realpathSync(process.execPath)));
  const own = path.join(prefix, 'include', 'node');
  if (['node_api.h', 'common.gypi'].every((name) => fs.existsSync(path.join(own, name)))) return prefix;
  const made = path.join(cache, 'headers');
  const include = path.join(made, 'include', 'node');
  fs.cpSync(path.join(root, 'node_modules', 'node-api-headers', 'include'), include, { recursive: true });
  fs.writeFileSync(path.join(include, 'common.gypi'), commonGypi);
  fs.writeFileSync(path.join(include, 'config.gypi'), JSON.stringify(process.config, stringifyBooleans));
  return made;
}

// node-gyp reads these two beside the headers, and node-api-headers has only headers.
const commonGypi = `{
  'target_defaults': {
    'default_configuration': 'Release',
    'configurations': {
      'Debug': { 'cflags': ['-g', '-O0'], 'xcode_settings': { 'GCC_OPTIMIZATION_LEVEL': '0' } },
      'Release': { 'cflags': ['-O3'], 'xcode_settings': { 'GCC_OPTIMIZATION_LEVEL': '3' } },
    },
  },
}
`;

function stringifyBooleans(_key, value) {
  return typeof value === 'boolean' ? String(value) : value;
}
