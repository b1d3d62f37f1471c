import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { Row } from '../../benchmarks/rows';
import { temporaryDirectory } from '../helpers/temporary-directory';

const root = path.join(__dirname, '..', '..');
const directory = temporaryDirectory();

function bench(...words: string[]) {
  const script = [path.join(root, 'scripts', 'run-typescript.cjs'), path.join(root, 'benchmarks', 'main.ts')];
  return spawnSync(process.execPath, [...script, ...words], { encoding: 'utf8' });
}

test('a run prints a table and writes its rows', () => {
  const json = path.join(directory, 'rows.json');
  const { status, stdout } = bench('overhead', '--filter', '^add.*plain', '--threads', '1', '--json', json);
  const rows = JSON.parse(fs.readFileSync(json, 'utf8')) as Row[];
  expect(status).toBe(0);
  expect(rows.map((row) => row.case)).toEqual(['add, 4 elements, plain', 'add and mul, 64 elements, plain']);
  for (const { ours, ...row } of rows) {
    expect(row).toMatchObject({ suite: 'overhead', threads: 1, unit: 'us', peer: null, peerName: null, ratio: null });
    expect(ours).toBeGreaterThan(0);
    expect(stdout).toContain(row.case);
  }
});

test('an unknown suite ends with 2 and names the possible ones', () => {
  const { status, stdout, stderr } = bench('dance');
  expect([status, stdout]).toEqual([2, '']);
  expect(stderr).toMatch(
    /^bench: unknown suite 'dance'; possible are event-loop, programs, overhead, elementwise, kernels, attention, landscape, memory\n$/,
  );
});
