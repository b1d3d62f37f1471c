import { layOut, lowerBound, type Block } from '../../../lib/graph/program/arena';
import { runSlices } from '../../../lib/graph/program/slices';

const block = (first: number, last: number, bytes: number): Block => ({ first, last, bytes });

/** A linear congruential generator: tests are the same every time. */
function numbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

function overlapping(blocks: readonly Block[], offsets: readonly number[]): string[] {
  return blocks.flatMap((a, i) =>
    blocks.slice(i + 1).flatMap((b, k) => {
      const j = i + 1 + k;
      const together = a.first <= b.last && b.first <= a.last;
      const apart = offsets[i]! + a.bytes <= offsets[j]! || offsets[j]! + b.bytes <= offsets[i]!;
      return together && !apart ? [`${i} and ${j}`] : [];
    }),
  );
}

describe('the arena', () => {
  test('the lower bound is the most that is alive during one instruction', () => {
    expect(lowerBound([])).toBe(0);
    // 0: 64; 1: 64 + 128; 2: 128 + 256; 3: 256 + 64.
    expect(lowerBound([block(0, 1, 64), block(1, 2, 128), block(2, 3, 256), block(3, 3, 64)])).toBe(384);
  });

  test('nothing that is alive at the same time overlaps, within twice the bound on random lifetimes', () => {
    const next = numbers(1);
    for (let round = 0; round < 50; round++) {
      const blocks = Array.from({ length: 1 + next(60) }, () => {
        const first = next(40);
        return block(first, first + next(12), 64 * (1 + next(40)));
      });
      const { offsets, bytes } = runSlices(layOut(blocks));
      expect(overlapping(blocks, offsets)).toEqual([]);
      expect(bytes).toBe(Math.max(...blocks.map((b, i) => b.bytes + offsets[i]!)));
      expect(bytes).toBeLessThanOrEqual(2 * lowerBound(blocks));
    }
  });

  test('another order is tried where the largest first leaves gaps', () => {
    const MB = 2 ** 20;
    // The largest first: 0 to 4, 4 to 8 for the third, then the second at 0, and the last finds no room below 8: 11 MB.
    const blocks = [block(0, 1, 4 * MB), block(2, 4, 3 * MB), block(1, 4, 4 * MB), block(2, 5, 3 * MB)];
    expect(lowerBound(blocks)).toBe(10 * MB);
    expect(runSlices(layOut(blocks)).bytes).toBe(10 * MB);
  });

  test('the same blocks always get the same places', () => {
    const next = numbers(2);
    const blocks = Array.from({ length: 200 }, () => block(next(50), 50 + next(50), 64 * (1 + next(9))));
    expect(runSlices(layOut(blocks))).toEqual(runSlices(layOut(blocks)));
  });
});
