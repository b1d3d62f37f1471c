// All set-up that `npm start` and `npm test` need: packages, addon, TypeScript; each only when its inputs have changed.
//   --only install,addon,typescript   just these steps
//   --force                           even if nothing has changed
//   --strict                          an addon that does not compile is an error (as with CI=true)
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { cache, hashInputs, isDone, lock, markDone, markUndone, root } from './once.mjs';
import { findHeaders, findToolchain } from './toolchain.mjs';

const options = process.argv.slice(2);
const force = options.includes('--force');
const strict = options.includes('--strict') || process.env.CI === 'true';
const only = options.includes('--only') ? options[options.indexOf('--only') + 1].split(',') : undefined;

const addon = path.join(root, 'build', 'Release', 'saddlepoint.node');

const steps = {
  install: {
    inputs: () => hashInputs([JSON.stringify(dependencies())], ['package-lock.json']),
    isThere: () => fs.existsSync(path.join(root, 'node_modules')),
    run: install,
  },
  addon: {
    inputs: () =>
      hashInputs(
        // The addon carries the version, and the loader compares it.
        [packageJson().version, process.platform, process.arch, process.env.CXX ?? '', process.env.CXXFLAGS ?? ''],
        ['binding.gyp', 'native', 'node_modules/node-addon-api/package.json'],
      ),
    isThere: () => fs.existsSync(addon),
    run: buildAddon,
  },
  typescript: {
    inputs: () => hashInputs([], ['lib', 'tsconfig.json', 'node_modules/typescript/package.json']),
    isThere: () => fs.existsSync(path.join(root, 'dist', 'index.js')),
    run: compileTypeScript,
  },
};

lock();
for (const [name, { inputs, isThere, run }] of Object.entries(steps)) {
  if (only !== undefined && !only.includes(name)) continue;
  if (!force && isThere() && isDone(name, inputs())) continue;
  markUndone(name);
  const before = inputs();
  // An install may write the lock file itself; the other steps' inputs can be edited while they run.
  if (run()) markDone(name, name === 'install' ? inputs() : before);
}

function packageJson() {
  return JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
}

function dependencies() {
  const { dependencies, optionalDependencies, devDependencies } = packageJson();
  return { dependencies, optionalDependencies, devDependencies };
}

function install() {
  console.error('setup: installing packages');
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  // No package here needs its install script, and npm would look for one to build the addon with.
  const flags = ['--ignore-scripts', '--include=dev', '--no-audit', '--no-fund'];
  if (!fs.existsSync(path.join(root, 'node_modules')) && execute('install', npm, ['ci', ...flags]).ok) return true;
  const { ok, tail } = execute('install', npm, ['install', ...flags]);
  if (!ok) fail(`npm could not install the packages:\n${tail}`);
  return true;
}

function buildAddon() {
  const { environment, missing } = findToolchain();
  if (missing !== undefined) {
    fs.rmSync(addon, { force: true });
    console.error(
      `setup: native addon skipped: ${missing} is missing; install it (Debian: apt install g++ make python3) ` +
        'and run this again. Until then the slower portable backend runs.',
    );
    return false;
  }
  console.error('setup: compiling the native addon (a minute or two)');
  const nodeGyp = path.join(root, 'node_modules', 'node-gyp', 'bin', 'node-gyp.js');
  const args = [
    nodeGyp,
    'configure',
    'build',
    '--loglevel=error',
    `--nodedir=${findHeaders()}`,
    `--jobs=${os.availableParallelism()}`,
  ];
  const { ok, tail } = execute('addon', process.execPath, args, environment);
  if (ok) return true;
  fs.rmSync(addon, { force: true });
  const message = `the native addon did not compile:\n${tail}`;
  if (strict) fail(message);
  console.error(`setup: ${message}\nsetup: going on with the slower portable backend.`);
  return false;
}

function compileTypeScript() {
  console.error('setup: compiling TypeScript');
  const fresh = path.join(cache, 'dist');
  fs.rmSync(fresh, { recursive: true, force: true });
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { ok, tail } = execute('typescript', process.execPath, [tsc, '-p', root, '--outDir', fresh, '--noEmitOnError']);
  if (!ok) fail(`TypeScript did not compile:\n${tail}`);
  // Replaced as a whole: nothing stays of files that lib/ no longer has.
  const dist = path.join(root, 'dist');
  fs.rmSync(dist, { recursive: true, force: true });
  fs.renameSync(fresh, dist);
  return true;
}

/** Runs a command with its output in .cache/<step>.log. */
function execute(step, command, args, env = process.env) {
  const log = path.join(cache, `${step}.log`);
  const output = fs.openSync(log, 'w');
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    env,
    stdio: ['ignore', output, output],
    shell: process.platform === 'win32' && command.endsWith('.cmd'),
  });
  fs.closeSync(output);
  const lines = fs.readFileSync(log, 'utf8').trimEnd().split('\n');
  const tail = error ? error.message : `${lines.slice(-40).join('\n')}\n(all of it: ${path.relative(root, log)})`;
  return { ok: status === 0, tail };
}

function fail(message) {
  console.error(`setup: ${message}`);
  process.exit(1);
}
