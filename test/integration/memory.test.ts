import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { backends } from '../helpers/backends';

const root = path.resolve(__dirname, '../..');

interface Mark {
  readonly resident: number;
  readonly held: number;
}

/** Megabytes after 500 steps, and then every thousand. */
function soak(backend: string, mode: 'yields' | 'never', steps: number): Mark[] {
  const runner = path.join(root, 'scripts/run-typescript.cjs');
  // A young generation that cannot grow: what V8 reserves for itself over time would hide what leaks.
  const output = execFileSync(
    process.execPath,
    ['--expose-gc', '--max-semi-space-size=1', runner, path.join(__dirname, 'soak.ts'), mode, String(steps)],
    {
      env: { ...process.env, SADDLEPOINT_BACKEND: backend },
      encoding: 'utf8',
    },
  );
  return JSON.parse(output) as Mark[];
}

describe.each(backends)('resident memory is flat after 500 of 5,000 small steps (%s)', (backend) => {
  test.each(['never', 'yields'] as const)(
    'a loop that %s',
    (mode) => {
      const marks = soak(backend, mode, 5000);
      expect(marks.length).toBeGreaterThan(4);
      const [first, warm, last] = [marks[0]!, marks[2]!, marks.at(-1)!];
      // V8 compiles hot functions until about step 2,000, once: some 25 MB. After that 100 bytes a step would be 0.3 MB
      // held, and one of the buffers of 4 KB a step 12 MB resident.
      expect(last.held - first.held).toBeLessThan(6);
      expect(last.held - warm.held).toBeLessThan(0.3);
      expect(last.resident - first.resident).toBeLessThan(48);
      expect(last.resident - warm.resident).toBeLessThan(10);
    },
    120_000,
  );
});
