import fc from 'fast-check';
import { ShapeError } from '../../lib/errors';
import * as ops from '../../lib/ops';
import type { Tensor } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';
import { broadcastShape, build, count, indices, NDArray, randomIntegers, reduce, zip } from '../helpers/ndarray';
import { toArray, toTensor } from '../helpers/samples';

const sizes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
const positiveSizes = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 });

/** Small whole numbers: sums and products are exact, so nothing but an error of indices can differ. */
const numbered = (shape: readonly number[], seed: number): NDArray => randomIntegers(shape, seed, -9, 9);
const make = (x: NDArray): Tensor => toTensor(x, 'float32');

function expectEqual(actual: Tensor, expected: NDArray): void {
  expect(actual.shape).toEqual(expected.shape);
  expect(toArray(actual).data.map((x) => x + 0)).toEqual(expected.data.map((x) => x + 0));
}

/** A step from an array to another, and the same on a tensor. */
interface Step {
  readonly name: string;
  readonly onTensor: (x: Tensor) => Tensor;
  readonly onArray: (x: NDArray) => NDArray;
}

/** Builds a step that fits whatever shape comes, from three random numbers. */
const stepMakers: readonly ((shape: readonly number[], random: readonly number[]) => Step)[] = [
  function permute(shape, [a, b]) {
    const dims = shape.map((_, dim) => dim);
    const rotated = dims.map((_, i) => dims[(i + a!) % dims.length]!);
    if (b! % 2 === 0) rotated.reverse();
    return {
      name: `permute ${String(rotated)}`,
      onTensor: (x) => ops.permute(x, rotated),
      onArray: (x) =>
        build(
          rotated.map((dim) => x.shape[dim]!),
          (index) => x.get(rotated.map((_, dim) => index[rotated.indexOf(dim)]!)),
        ),
    };
  },
  function reshape(shape, [a, b]) {
    // Two neighbours are joined, or a size is split off.
    const at = a! % shape.length;
    const size = shape[at]!;
    const divisor = [2, 3].find((d) => size % d === 0) ?? 1;
    const to =
      b! % 2 === 0 && at + 1 < shape.length
        ? shape.toSpliced(at, 2, size * shape[at + 1]!)
        : shape.length < 6
          ? shape.toSpliced(at, 1, divisor, size / divisor)
          : [...shape];
    return {
      name: `reshape ${String(to)}`,
      onTensor: (x) => ops.reshape(x, to),
      onArray: (x) => new NDArray(to, x.data),
    };
  },
  function slice(shape, [a, b, c]) {
    const at = a! % shape.length;
    const step = 1 + (b! % 3);
    const start = c! % Math.max(1, shape[at]!);
    const length = Math.ceil((shape[at]! - start) / step);
    return {
      name: `slice dim ${at} from ${start} by ${step}`,
      onTensor: (x) => ops.slice(x, [...new Array<null>(at).fill(null), [start, null, step]]),
      onArray: (x) => build(shape.with(at, length), (index) => x.get(index.with(at, start + step * index[at]!))),
    };
  },
  function expand(shape, [a]) {
    const to = shape.map((size) => (size === 1 ? 1 + (a! % 3) : size));
    return {
      name: `expand ${String(to)}`,
      onTensor: (x) => ops.expand(x, to),
      onArray: (x) => build(to, (i) => x.broadcastGet(i)),
    };
  },
  function addOne() {
    return { name: 'add 1', onTensor: (x) => ops.add(x, 1), onArray: (x) => x.map((value) => value + 1) };
  },
];

onEachBackend('properties', () => {
  test('broadcasting is that of NumPy', () => {
    fc.assert(
      fc.property(
        sizes,
        fc.array(fc.tuple(fc.boolean(), fc.boolean()), { minLength: 4, maxLength: 4 }),
        fc.nat(4),
        (full, ones, cut) => {
          // Both come from one shape: some dims shrink to 1, leading ones are left out of the second.
          const a = full.map((size, i) => (ones[i]![0] ? 1 : size));
          const b = full.map((size, i) => (ones[i]![1] ? 1 : size)).slice(Math.min(cut, full.length));
          const x = numbered(a, 1);
          const y = numbered(b, 2);
          expectEqual(
            ops.sub(ops.mul(make(x), make(y)), make(y)),
            zip((p, q) => p * q - q, x, y),
          );
        },
      ),
    );
  });

  test('shapes that do not broadcast are refused', () => {
    fc.assert(
      fc.property(positiveSizes, fc.nat(3), (shape, at) => {
        const dim = at % shape.length;
        const other = shape.with(dim, shape[dim]! + 2);
        fc.pre(shape[dim] !== 1);
        expect(() => ops.add(ops.zeros(shape), ops.zeros(other))).toThrow(ShapeError);
      }),
    );
  });

  test('chains of permute, reshape, slice, expand and arithmetic are those of plain arrays', () => {
    const choice = fc.tuple(fc.nat(stepMakers.length - 1), fc.array(fc.nat(11), { minLength: 3, maxLength: 3 }));
    fc.assert(
      fc.property(positiveSizes, fc.array(choice, { maxLength: 7 }), (shape, choices) => {
        let array = numbered(shape, 3);
        let tensor = make(array);
        for (const [which, numbers] of choices) {
          if (count(array.shape) === 0 || count(array.shape) > 2000) break;
          const step = stepMakers[which]!(array.shape, numbers);
          array = step.onArray(array);
          tensor = step.onTensor(tensor);
        }
        expectEqual(tensor, array);
      }),
      { numRuns: 300 },
    );
  });

  test('sums over any dims of any view', () => {
    fc.assert(
      fc.property(
        sizes,
        fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
        fc.boolean(),
        (shape, chosen, keepdim) => {
          const dim = shape.flatMap((_, d) => (chosen[d] ? [d] : []));
          const x = numbered(shape, 4);
          expectEqual(
            ops.sum(make(x), { dim, keepdim }),
            reduce(x, dim, keepdim, (values) => values.reduce((a, b) => a + b, 0)),
          );
        },
      ),
    );
  });

  test('slices follow Python, whatever the limits', () => {
    const limit = fc.option(fc.integer({ min: -8, max: 8 }));
    fc.assert(
      fc.property(fc.nat(6), limit, limit, fc.integer({ min: 1, max: 4 }), (size, start, end, step) => {
        const x = numbered([size], 5);
        // Array.prototype.slice has Python's rules for the limits.
        const expected = x.data.slice(start ?? 0, end ?? undefined).filter((_, i) => i % step === 0);
        expectEqual(ops.slice(make(x), [[start, end, step]]), new NDArray([expected.length], expected));
      }),
    );
  });

  test('split and concat undo each other', () => {
    fc.assert(
      fc.property(positiveSizes, fc.nat(3), fc.integer({ min: 1, max: 5 }), (shape, at, size) => {
        const dim = at % shape.length;
        const x = numbered(shape, 6);
        expectEqual(ops.concat(ops.split(make(x), size, { dim }), { dim }), x);
      }),
    );
  });

  test('pad puts what slice takes', () => {
    fc.assert(
      fc.property(positiveSizes, fc.array(fc.nat(3), { minLength: 8, maxLength: 8 }), (shape, amounts) => {
        const x = numbered(shape, 7);
        const padding = amounts.slice(0, 2 * shape.length);
        const padded = ops.pad(make(x), padding, { value: 5 });
        const ranges = shape.map((size, dim) => {
          const before = padding[2 * (shape.length - 1 - dim)]!;
          return [before, before + size] as const;
        });
        expectEqual(ops.slice(padded, ranges), x);
        const total = padding.length === 0 ? 0 : count(padded.shape) - count(shape);
        expect(ops.sum(padded).itemSync()).toBe(x.data.reduce((a, b) => a + b, 0) + 5 * total);
      }),
    );
  });

  test('matmul over broadcast batches', () => {
    const batch = fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 2 });
    const size = fc.integer({ min: 0, max: 5 });
    fc.assert(
      fc.property(batch, fc.boolean(), fc.boolean(), size, size, size, (outer, oneLeft, oneRight, m, k, n) => {
        const left = numbered([...outer.map((s) => (oneLeft ? 1 : s)), m, k], 8);
        const right = numbered([...outer.map((s) => (oneRight ? 1 : s)), k, n], 9);
        const shape = broadcastShape(left.shape.slice(0, -2), right.shape.slice(0, -2));
        const get = (x: NDArray, position: number[], i: number, j: number): number =>
          x.get([...x.shape.slice(0, -2).map((s, d) => (s === 1 ? 0 : position[d]!)), i, j]);
        const expected = build([...shape, m, n], (index) => {
          const position = index.slice(0, -2);
          const [i, j] = index.slice(-2) as [number, number];
          let total = 0;
          for (let l = 0; l < k; l++) total += get(left, position, i, l) * get(right, position, l, j);
          return total;
        });
        expectEqual(ops.matmul(make(left), make(right)), expected);
      }),
    );
  });

  test('gather takes what scatterAdd put, where no index comes twice', () => {
    fc.assert(
      fc.property(positiveSizes, fc.nat(3), (shape, at) => {
        const dim = at % shape.length;
        const x = numbered(shape, 10);
        // Along the dim every index once, in another order for each row.
        const index = build(shape, (position) => {
          const shift = position.reduce((sum, i, d) => (d === dim ? sum : sum + i), 0);
          return (position[dim]! + shift) % shape[dim]!;
        });
        const picks = toTensor(index, 'int32');
        expectEqual(ops.gather(ops.scatterAdd(ops.zeros(shape), dim, picks, make(x)), dim, picks), x);
      }),
    );
  });

  test('indices of ndarray and of tensors agree (the reference itself)', () => {
    expect(indices([2, 2])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [1, 1],
    ]);
    expect(toArray(ops.arange(4).reshape([2, 2]).t()).data).toEqual([0, 2, 1, 3]);
  });
});
