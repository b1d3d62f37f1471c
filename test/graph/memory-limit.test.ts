import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { BackendError, MemoryLimitError, ValueError } from '../../lib/errors';
import { evaluateSync, submit } from '../../lib/graph/evaluate';
import { readDataSync, readItemSync } from '../../lib/graph/reading';
import { setMemoryLimit } from '../../lib/graph/memory';
import '../../lib/ops/methods';
import { ones, tensor, zeros } from '../../lib/ops/create';
import { add, mul } from '../../lib/ops/elementwise';
import { sum } from '../../lib/ops/reduce';
import { Variable } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';

const MiB = 2 ** 20;
const held = (): number => process.memoryUsage().arrayBuffers;

onEachBackend('a memory limit', () => {
  afterEach(() => setMemoryLimit(null));

  test('refuses a program that would go beyond it, names what it needs, and changes nothing', async () => {
    const weight = new Variable(tensor([1, 2]));
    weight.assign(add(weight, sum(ones([32, MiB / 4]))));
    // Below what the program needs, whatever else is held.
    setMemoryLimit(8 * MiB);
    const large = mul(ones([16, MiB / 4]), 2);
    const error = (await submit([large]).catch((e: unknown) => e)) as Error;
    expect(error).toBeInstanceOf(MemoryLimitError);
    expect(error).not.toBeInstanceOf(BackendError);
    expect(error.message).toMatch(/needs 16\.0 MiB more \(16\.0 MiB for its results, 0 bytes for intermediate ones\)/);
    expect(error.message).toMatch(/are held, and the limit is .*; its largest operation is (mul|ones|expand), on \d/);
    expect(() => readDataSync(large)).toThrow(MemoryLimitError);
    setMemoryLimit(null);
    expect(readItemSync(sum(mul(ones([16, MiB / 4]), 2)))).toBe(8 * MiB);
    expect([...(readDataSync(weight.capture()) as Float32Array)]).toEqual([1 + 8 * MiB, 2 + 8 * MiB]);
  });

  test('does not count tensors that nobody holds any more', () => {
    evaluateSync([zeros([8, MiB / 4])]);
    setMemoryLimit(held() + 24 * MiB);
    for (let i = 0; i < 20; i++)
      expect(
        readItemSync(
          add(zeros([8, MiB / 4]), i)
            .select(0, 0)
            .select(0, 5),
        ),
      ).toBe(i);
    for (let i = 0; i < 6; i++) evaluateSync([add(zeros([8, MiB / 4]), i)]);
  });

  test('lets pass what needs nothing more', () => {
    setMemoryLimit(1);
    expect(() => evaluateSync([add(tensor([1, 2]), 1)])).toThrow(/the limit is 1 bytes/);
  });

  test('is a positive number', () => {
    for (const bytes of [0, -1, NaN, Infinity, '512MiB'])
      expect(() => setMemoryLimit(bytes as number)).toThrow(ValueError);
  });
});

test.each([
  ['64MiB', /^MemoryLimitError: .*the limit is 64\.0 MiB;/],
  ['1.5 gb', /^fits\n$/],
  ['much', /^ValueError: SADDLEPOINT_MEMORY_LIMIT: 'much' is not a size/],
])('SADDLEPOINT_MEMORY_LIMIT=%s', (value, expected) => {
  const root = path.join(__dirname, '..', '..');
  const script = [
    path.join(root, 'scripts', 'run-typescript.cjs'),
    path.join(__dirname, 'fixtures', 'memory-limit.ts'),
  ];
  const env = { ...process.env, SADDLEPOINT_MEMORY_LIMIT: value, SADDLEPOINT_BACKEND: 'portable' };
  expect(execFileSync(process.execPath, script, { env }).toString()).toMatch(expected);
});
