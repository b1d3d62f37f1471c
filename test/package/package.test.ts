import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { temporaryDirectory } from '../helpers/temporary-directory';

jest.setTimeout(120_000);

const root = path.join(__dirname, '..', '..');
const directory = temporaryDirectory();
const hasAddon = fs.existsSync(path.join(root, 'build', 'Release', 'saddlepoint.node'));
const whereThereIsAnAddon = hasAddon ? describe : describe.skip;

// Nothing of this process's set-up decides what runs in an installed package.
const environment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !/^(npm_|SADDLEPOINT_|NODE_|JEST_)/i.test(name)),
);

function npm(cwd: string, ...args: string[]): string {
  return execFileSync('npm', args, { cwd, env: environment, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function pack(source: string, name: string): string {
  const destination = path.join(directory, name);
  fs.mkdirSync(destination);
  npm(source, 'pack', '--ignore-scripts', '--pack-destination', destination);
  return path.join(destination, fs.readdirSync(destination)[0]!);
}

/** An empty project with nothing but the tarball installed. */
function install(tarball: string, name: string): string {
  const project = path.join(directory, name);
  fs.mkdirSync(project);
  fs.writeFileSync(path.join(project, 'package.json'), '{ "private": true }');
  npm(project, 'install', '--ignore-scripts', '--offline', '--omit=optional', '--no-audit', '--no-fund', tarball);
  return project;
}

/** Runs a script in a project and reads the JSON that it prints. */
function run(project: string, file: string, script: string): unknown {
  fs.writeFileSync(path.join(project, file), script);
  const { status, stdout, stderr } = spawnSync(process.execPath, [file], {
    cwd: project,
    env: environment,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${file} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout);
}

interface Info {
  backend: string;
  reason: string;
  tried: { path: string; problem: string }[];
}

function backendInfo(project: string): Info {
  return run(project, 'info.cjs', "console.log(JSON.stringify(require('saddlepoint').backendInfo()));") as Info;
}

/** Fits a plane through points on it; prints the backend, the last loss, and what other modules were loaded. */
const training = `
  const { backendInfo, manualSeed, tensor, nn, optim } = require('saddlepoint');
  manualSeed(1);
  const model = new nn.Linear(2, 1);
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
  const x = tensor([[0, 0], [0, 1], [1, 0], [1, 1]]);
  const y = tensor([[1], [-1], [4], [2]]);
  async function main() {
    let loss;
    for (let step = 0; step < 200; step++) {
      optimizer.zeroGrad();
      loss = nn.functional.mseLoss(model.forward(x), y);
      loss.backward();
      await optimizer.step();
    }
    const own = require('node:path').dirname(require.resolve('saddlepoint/package.json'));
    const modules = Object.keys(require.cache).filter((file) => !file.startsWith(own) && file !== __filename);
    console.log(JSON.stringify({ backend: backendInfo().backend, loss: await loss.item(), modules }));
  }
  main();
`;

interface Training {
  backend: string;
  loss: number;
  modules: string[];
}

let portable: string;
let unpacked: string;

beforeAll(() => {
  const tarball = pack(root, 'packed');
  execFileSync('tar', ['xf', tarball, '-C', directory]);
  unpacked = path.join(directory, 'package');
  // Whatever this checkout has built for itself is not part of the test.
  fs.rmSync(path.join(unpacked, 'prebuilds'), { recursive: true, force: true });
  portable = install(pack(unpacked, 'portable'), 'portable-project');
});

describe('without a prebuilt addon', () => {
  test('has what it needs and nothing else', () => {
    const top = new Set(fs.readdirSync(unpacked));
    for (const name of ['LICENSE', 'README.md', 'binding.gyp', 'data', 'dist', 'native', 'package.json'])
      expect(top).toContain(name);
    for (const name of ['lib', 'test', 'scripts', 'build', 'node_modules']) expect(top).not.toContain(name);
    expect(fs.existsSync(path.join(unpacked, 'native', 'test'))).toBe(false);
  });

  test('trains through the portable backend, without a module of others', () => {
    const { backend, loss, modules } = run(portable, 'train.cjs', training) as Training;
    expect(backend).toBe('portable');
    expect(loss).toBeLessThan(1e-3);
    expect(modules).toEqual([]);
  });

  test('says why', () => {
    const { reason, tried } = backendInfo(portable);
    expect(reason).toMatch(/no native addon loads .*there is no such file/);
    expect(tried.map(({ path: file }) => file.replace(/^.*saddlepoint[\\/](?=build|prebuilds)/, ''))).toContain(
      path.join('build', 'Release', 'saddlepoint.node'),
    );
  });

  test('import and require are one and the same, in every entry', () => {
    const script = `
      import { createRequire } from 'node:module';
      const require = createRequire(import.meta.url);
      const differences = [];
      const parts = ['nn', 'models', 'optim', 'data', 'io', 'landscape', 'diagnose'].map((part) => 'saddlepoint/' + part);
      for (const entry of ['saddlepoint', ...parts]) {
        const imported = await import(entry);
        const required = require(entry);
        if (Object.keys(required).length === 0) differences.push(entry);
        for (const name of Object.keys(required)) if (imported[name] !== required[name]) differences.push(entry + ' ' + name);
      }
      console.log(JSON.stringify({ differences, digits: (await import('saddlepoint/data')).loadDigits().labels.length }));
    `;
    expect(run(portable, 'same.mjs', script)).toEqual({ differences: [], digits: 1797 });
  });

  test('TypeScript finds the types from CommonJS and from modules', () => {
    const files = ['consumer.cts', 'consumer.mts'].map((name) => path.join(portable, name));
    for (const file of files)
      fs.writeFileSync(
        file,
        `import { tensor, type Tensor } from 'saddlepoint';
         import { Linear } from 'saddlepoint/nn';
         import { SGD } from 'saddlepoint/optim';
         import { loadDigits } from 'saddlepoint/data';
         import { readSafetensors } from 'saddlepoint/io';
         const x: Tensor = tensor([1]);
         // @ts-expect-error a number is not a tensor: the types are not any
         const y: Tensor = 1;
         export { x, y, Linear, SGD, loadDigits, readSafetensors };`,
      );
    const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    // Without the types of Node: a project may not have them.
    const flags = ['--noEmit', '--strict', '--module', 'node16', '--target', 'es2022', '--lib', 'es2022'];
    const { stdout } = spawnSync(process.execPath, [tsc, ...flags, ...files], { cwd: portable, encoding: 'utf8' });
    expect(stdout).toBe('');
  });
});

whereThereIsAnAddon('with a prebuilt addon', () => {
  let project: string;
  let addon: string;

  beforeAll(() => {
    const script = path.join(root, 'scripts', 'prebuild.mjs');
    const output = execFileSync(process.execPath, [script, path.join(unpacked, 'prebuilds')], { encoding: 'utf8' });
    project = install(pack(unpacked, 'native'), 'native-project');
    addon = path.join(project, 'node_modules', 'saddlepoint', path.relative(unpacked, output.trim()));
  });

  test('trains through the native backend', () => {
    const { backend, loss } = run(project, 'train.cjs', training) as Training;
    expect(backend).toBe('native');
    expect(loss).toBeLessThan(1e-3);
  });

  describe('that does not fit', () => {
    let good: Buffer;
    beforeAll(() => {
      good = fs.readFileSync(addon);
    });
    afterEach(() => fs.writeFileSync(addon, good));

    test.each<[string, (bytes: Buffer) => Buffer, RegExp]>([
      ['empty', () => Buffer.alloc(0), /./],
      ['another kind of file', () => Buffer.from('#!/bin/sh\n'.repeat(100)), /./],
      ['cut short', (bytes) => bytes.subarray(0, bytes.length >> 1), /./],
    ])('%s: falls back and says why', (_, damage, problem) => {
      fs.rmSync(addon);
      fs.writeFileSync(addon, damage(good));
      const { backend, reason, tried } = backendInfo(project);
      expect(backend).toBe('portable');
      expect(reason).toContain(path.basename(addon));
      expect(tried.find(({ path: file }) => file.endsWith(path.basename(addon)))?.problem).toMatch(problem);
    });

    test('of another version: falls back and names both', () => {
      const file = path.join(project, 'node_modules', 'saddlepoint', 'package.json');
      const text = fs.readFileSync(file, 'utf8');
      const { version } = JSON.parse(text) as { version: string };
      fs.writeFileSync(file, text.replace(`"version": "${version}"`, '"version": "99.0.0"'));
      const { backend, reason } = backendInfo(project);
      fs.writeFileSync(file, text);
      expect(backend).toBe('portable');
      expect(reason).toContain(`its version does not match: the addon has ${version}, the package 99.0.0`);
    });
  });
});
