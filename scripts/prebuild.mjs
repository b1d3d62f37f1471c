// Compiles the addon and puts it, stripped, where the loader looks in a published package (the layout of pkg-prebuilds):
// prebuilds/saddlepoint-<platform>-<arch>[-musl]/node-napi-v9.node. An argument names another folder than prebuilds/.
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { root } from './once.mjs';

const packageJson = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
const built = path.join(root, 'build', 'Release', 'saddlepoint.node');

run(process.execPath, [path.join(root, 'scripts', 'setup.mjs'), '--only', 'install,addon', '--strict']);
if (!fs.existsSync(built)) fail('there is no addon to put into the package');

const libc = process.platform === 'linux' && !process.report.getReport().header.glibcVersionRuntime ? '-musl' : '';
const prebuilds = path.resolve(process.argv[2] ?? path.join(root, 'prebuilds'));
const folder = path.join(prebuilds, `saddlepoint-${process.platform}-${process.arch}${libc}`);
const target = path.join(folder, `node-napi-v${packageJson.binary.napi_versions[0]}.node`);
const temporary = `${target}.new`;
fs.mkdirSync(folder, { recursive: true });
fs.copyFileSync(built, temporary);
if (process.platform === 'linux') run('strip', ['--strip-unneeded', temporary]);
if (process.platform === 'darwin') run('strip', ['-x', temporary]);
fs.renameSync(temporary, target);
console.log(target);

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) fail(`${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ''}`);
}

function fail(message) {
  console.error(`prebuild: ${message}`);
  process.exit(1);
}
