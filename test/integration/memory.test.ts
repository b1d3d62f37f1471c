import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { backends } from '../helpers/backends';

const root = path.resolve(__dirname, '../..');

/** Resident megabytes after 500 steps, and then every thousand. */
function soak(backend: string, mode: 'yields' | 'never', steps: number): number[] {
  const runner = path.join(root, 'scripts/run-typescript.cjs');
  // A young generation that cannot grow: what V8 reserves for itself over time would hide what leaks.
  const output = execFileSync(
    process.execPath,
    ['--max-semi-space-size=1', runner, path.join(__dirname, 'soak.ts'), mode, String(steps)],
    {
      env: { ...process.env, SADDLEPOINT_BACKEND: backend },
      encoding: 'utf8',
    },
  );
  return JSON.parse(output) as number[];
}

describe.each(backends)('resident memory is flat after 500 of 5,000 small steps (%s)', (backend) => {
  // A leak of one of the 32x32 float32 buffers a step would be 18 MB.
  test.each(['never', 'yields'] as const)(
    'a loop that %s',
    (mode) => {
      const marks = soak(backend, mode, 5000);
      expect(marks.length).toBeGreaterThan(4);
      expect(marks.at(-1)! - marks[0]!).toBeLessThan(20);
      expect(marks.at(-1)! - marks[1]!).toBeLessThan(10);
    },
    120_000,
  );
});
