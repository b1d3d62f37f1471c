import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { backends } from '../helpers/backends';

const root = path.resolve(__dirname, '../..');
const isFull = process.env.SADDLEPOINT_TEST_FULL === '1';
const steps = isFull ? 10_000 : 1200;
const MARKS = 20;
const KILOBYTE = 1024;

/** Bytes at twenty moments, after a collection: see soak.ts. */
interface Mark {
  readonly step: number;
  readonly resident: number;
  readonly heap: number;
  readonly external: number;
}

function soak(backend: string, mode: string, way: string): Mark[] {
  const runner = path.join(root, 'scripts/run-typescript.cjs');
  // A young generation that cannot grow: what V8 reserves for itself over time would hide what leaks.
  const output = execFileSync(
    process.execPath,
    ['--expose-gc', '--max-semi-space-size=1', runner, path.join(__dirname, 'soak.ts'), mode, way, String(steps)],
    { env: { ...process.env, SADDLEPOINT_BACKEND: backend }, encoding: 'utf8' },
  );
  return JSON.parse(output) as Mark[];
}

/** Bytes a step: the median slope of all pairs of marks, which single jumps do not move (Theil 1950, Sen 1968). */
function slope(marks: readonly Mark[], of: (mark: Mark) => number): number {
  const slopes = marks
    .flatMap((a, i) => marks.slice(i + 1).map((b) => (of(b) - of(a)) / (b.step - a.step)))
    .sort((a, b) => a - b);
  return slopes[slopes.length >> 1]!;
}

// Which slabs are alive at a mark is chance, and moves a slope; a leak fails every time.
jest.retryTimes(2);

describe.each(backends)(`memory is flat after 500 of ${steps} small steps (%s)`, (backend) => {
  describe.each(['plain', 'compiled'] as const)('%s steps', (way) => {
    test.each(['never', 'yields'] as const)(
      'a loop that %s',
      (mode) => {
        const all = soak(backend, mode, way);
        expect(all.length).toBe(MARKS);
        const marks = all.filter(({ step }) => step >= 500);
        // Numbers of tensors: exactly the same, but for slabs of small ones that late pieces still keep: of seven sizes, 156 KB
        // together, one or two each. A lost tensor of 16 floats is 64 bytes a step, and more for its neighbours.
        const external = marks.map((mark) => mark.external);
        expect(Math.max(...external) - Math.min(...external)).toBeLessThan(320 * KILOBYTE);
        expect(Math.abs(slope(marks, (mark) => mark.external))).toBeLessThan(32);
        // What V8 learns of hot functions is a third of this in the first 2,000 steps, and nothing later.
        expect(slope(marks, ({ heap }) => heap)).toBeLessThan(isFull ? KILOBYTE / 4 : KILOBYTE);
        // Compiled code comes and goes, a megabyte at a time: a slope is to be seen over many steps only.
        if (isFull) expect(slope(marks, ({ resident }) => resident)).toBeLessThan(KILOBYTE);
        expect(marks.at(-1)!.resident - marks[0]!.resident).toBeLessThan(16 * KILOBYTE * KILOBYTE);
      },
      120_000,
    );
  });
});
