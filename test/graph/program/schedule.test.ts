import { orders } from '../../../lib/graph/program/schedule';
import { IntegerHeap } from '../../../lib/graph/program/heap';
import type { Instruction, View } from '../../../lib/graph/program/program';

const view = (buffer: number): View => ({ buffer, offset: 0, shape: [1], strides: [1] });

function instruction(outputs: readonly number[], inputs: readonly number[], site = -1): Instruction & { site: number } {
  return { kernel: 'matmul', inputs: inputs.map(view), outputs: outputs.map(view), attributes: [], label: '', site };
}

/** The most bytes alive during one instruction, counted naively. */
function peak(instructions: readonly Instruction[], bytes: readonly number[]): number {
  const touched = instructions.map(({ inputs, outputs }) => [...inputs, ...outputs].map(({ buffer }) => buffer));
  const alive = (buffer: number, time: number): boolean =>
    touched.slice(0, time + 1).some((list) => list.includes(buffer)) &&
    touched.slice(time).some((list) => list.includes(buffer));
  return Math.max(
    ...touched.map((_, time) => bytes.reduce((sum, size, buffer) => sum + (alive(buffer, time) ? size : 0), 0)),
  );
}

describe('orders', () => {
  test('the last reader of a large buffer comes before what takes more memory', () => {
    // Buffer 0 holds activations; 1 is the gradient that flows in; instruction 1 makes the next, 2 frees the activations.
    const bytes = [100, 10, 100, 0, 0];
    const recorded = [
      instruction([0], []),
      instruction([1], []),
      instruction([2], [1]),
      instruction([3], [0, 1]),
      instruction([4], [2]),
    ];
    expect(peak(recorded, bytes)).toBe(210);
    expect(orders(recorded, bytes)[0]).toEqual([0, 1, 3, 2, 4]);
    expect(
      peak(
        [0, 1, 3, 2, 4].map((index) => recorded[index]!),
        bytes,
      ),
    ).toBe(110);
  });

  test('what is summed at once is not kept: one product at a time', () => {
    const count = 6;
    const bytes = [...Array.from({ length: count }, () => 100), ...Array.from({ length: count }, () => 1)];
    const recorded = [
      ...Array.from({ length: count }, (_, i) => instruction([i], [])),
      ...Array.from({ length: count }, (_, i) => instruction([count + i], [i])),
    ];
    expect(peak(recorded, bytes)).toBe(count * 100 + 1);
    for (const order of orders(recorded, bytes)) {
      const ordered = order.map((index) => recorded[index]!);
      expect(peak(ordered, bytes)).toBeLessThanOrEqual(100 + count);
    }
  });

  test('inputs come before what reads them, checks of data in their order, nothing twice', () => {
    let state = 7;
    const next = (limit: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * limit);
    };
    for (let round = 0; round < 30; round++) {
      let sites = 0;
      const recorded = Array.from({ length: 40 }, (_, i) => {
        const inputs = Array.from({ length: Math.min(i, next(4)) }, () => next(i));
        return instruction([i], inputs, next(5) === 0 ? sites++ : -1);
      });
      const bytes = recorded.map(() => next(3) * 64);
      for (const order of orders(recorded, bytes)) {
        expect(order.toSorted((a, b) => a - b)).toEqual(recorded.map((_, i) => i));
        order.forEach((index, at) =>
          recorded[index]!.inputs.forEach(({ buffer }) => expect(order.indexOf(buffer)).toBeLessThan(at)),
        );
        const checks = order.map((index) => recorded[index]!.site).filter((site) => site >= 0);
        expect(checks).toEqual(Array.from({ length: sites }, (_, i) => i));
      }
    }
  });

  test('a heap gives the least first', () => {
    const heap = new IntegerHeap();
    const items = [5, 3, 8, 1, 1, 9, 0, 7, 2, 6, 4];
    items.forEach((item) => heap.push(item));
    expect(items.map(() => heap.pop())).toEqual(items.toSorted((a, b) => a - b));
    expect(heap.pop()).toBeUndefined();
  });
});
