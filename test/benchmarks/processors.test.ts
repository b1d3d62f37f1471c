import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import { Bench } from '../../benchmarks/bench';
import { Peers } from '../../benchmarks/peers/pool';
import { keepToProcessors, processorsOf } from '../../benchmarks/processors';

const hasTaskset = spawnSync('taskset', ['--version']).status === 0;

function allowed(): string {
  return /^Cpus_allowed_list:\s*(.*)$/m.exec(fs.readFileSync('/proc/self/status', 'utf8'))![1]!;
}

test('lists of processors as Linux writes them', () => {
  expect(processorsOf('0-3,7')).toEqual([0, 1, 2, 3, 7]);
  expect(processorsOf('5')).toEqual([5]);
});

(hasTaskset ? test : test.skip)('this process and its children keep to one processor, until that is undone', () => {
  const before = allowed();
  const undo = keepToProcessors(1);
  const { stdout } = spawnSync('taskset', ['--cpu-list', '--pid', String(process.pid)], { encoding: 'utf8' });
  const within = allowed();
  undo();
  expect(processorsOf(within)).toEqual(processorsOf(before).slice(-1));
  expect(stdout.trim()).toMatch(new RegExp(`: ${within}$`));
  expect(allowed()).toBe(before);
});

(hasTaskset ? test : test.skip)('a suite that fails leaves the processors as they were', async () => {
  const before = allowed();
  const bench = new Bench('kernels', 1, /./, new Peers([], () => undefined));
  let within = '';
  const failing = bench.onProcessorsInCommon(() => {
    within = allowed();
    return Promise.reject(new Error('no figure'));
  });
  await expect(failing).rejects.toThrow('no figure');
  expect(processorsOf(within)).toHaveLength(1);
  expect(allowed()).toBe(before);
});
