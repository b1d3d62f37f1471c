import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { backends } from '../helpers/backends';

const root = path.resolve(__dirname, '../..');

// The machine may be busy with other tests; a blocked loop fails every time.
jest.retryTimes(3);

const native = backends.includes('native') ? test : test.failing;

native(
  'the event loop keeps turning while programs of a second run natively',
  () => {
    const runner = path.join(root, 'scripts/run-typescript.cjs');
    const output = execFileSync(process.execPath, [runner, path.join(__dirname, 'event-loop.ts')], {
      env: { ...process.env, SADDLEPOINT_BACKEND: 'native' },
      encoding: 'utf8',
    });
    const { seconds, programs, p99, max } = JSON.parse(output) as Record<string, number>;
    expect(seconds! / programs!).toBeGreaterThan(0.2);
    expect(p99).toBeLessThan(10);
    expect(max).toBeLessThan(50);
  },
  60_000,
);
