import type { Plan } from '../../../lib/graph/program/plan';
import type { Program } from '../../../lib/graph/program/program';
import { overwrittenBy, statsOf } from '../../../lib/graph/program/stats';
import { currentBackend } from '../../../lib/graph/evaluate';
import { BackendError } from '../../../lib/errors';
import { opcodeIds } from '../../../lib/graph/program/elementwise';
import {
  add,
  cast,
  exp,
  expand,
  gather,
  gt,
  matmul,
  mul,
  relu,
  scatterAdd,
  sub,
  tensor,
  transpose,
  where,
  type Tensor,
} from '../../../lib';
import { onEachBackend } from '../../helpers/backends';
import { planOf } from './helpers';

/** Small integers, of which sums and products are exact. */
const integers = (...shape: number[]): Tensor => {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return tensor(
    Array.from({ length: size }, (_, i) => ((i * 7) % 11) - 5),
    { shape },
  );
};
const identity = (n: number): Tensor =>
  tensor(
    Array.from({ length: n * n }, (_, i) => Number(i % (n + 1) === 0)),
    { shape: [n, n] },
  );

/** The index by which gather leaves every element of a matrix where it is. */
const columns = (...[rows, size]: [number, number]): Tensor =>
  tensor(
    Array.from({ length: rows * size }, (_, i) => i % size),
    { shape: [rows, size], dtype: 'int32' },
  );

/** How many outputs are written over an input. */
function overwritten({ program }: Plan): number {
  return program.instructions.flatMap((i) => overwrittenBy(i, program)).filter((buffer) => buffer >= 0).length;
}

const numbers = (x: Tensor): number[] => Array.from(x.dataSync(), Number);

/** A value that lives in the arena and has the numbers of x, made by a kernel that no region joins. */
const inArena = (x: Tensor): Tensor => gather(x, 1, columns(x.shape[0]!, x.shape[1]!));

onEachBackend('writing over what dies', () => {
  test('a region writes over its input: two values share one place', () => {
    const x = integers(4, 16);
    const build = (): Tensor => matmul(relu(inArena(x)), identity(16));
    const plan = planOf(build());
    expect([overwritten(plan), plan.program.arenaBytes]).toEqual([1, 4 * 16 * 4]);
    expect(numbers(build())).toEqual(numbers(x).map((v) => Math.max(v, 0)));
  });

  test('two outputs take two inputs, never the same one', () => {
    const [x, y] = [integers(4, 16), mul(integers(4, 16), 2)];
    const build = (): Tensor[] => {
      const [a, b] = [inArena(x), inArena(y)];
      return [matmul(add(a, b), identity(16)), matmul(sub(a, b), identity(16))];
    };
    const plan = planOf(...build());
    expect(overwritten(plan)).toBe(1);
    const [added, subtracted] = build();
    const [xs, ys] = [numbers(x), numbers(y)];
    expect(numbers(added!)).toEqual(xs.map((v, i) => v + ys[i]!));
    expect(numbers(subtracted!)).toEqual(xs.map((v, i) => v - ys[i]!));
  });

  const kept: [string, (a: Tensor) => Tensor[], (v: readonly number[]) => number[]][] = [
    [
      'read at another index too',
      (a) => [matmul(add(a, transpose(a, 0, 1)), identity(8))],
      (v) => v.map((value, i) => value + v[(i % 8) * 8 + Math.floor(i / 8)]!),
    ],
    [
      'read again later',
      (a) => [add(matmul(relu(a), identity(8)), matmul(a, identity(8)))],
      (v) => v.map((value) => Math.max(value, 0) + value),
    ],
    [
      'shown by a view that is read later',
      (a) => [matmul(relu(a), identity(8)), matmul(transpose(a, 0, 1), identity(8))],
      (v) => v.map((value) => Math.max(value, 0)),
    ],
    [
      'of other size an element',
      (a) => [cast(gather(gt(a, 0), 1, columns(8, 8)), 'int32')],
      (v) => v.map((value) => Number(value > 0)),
    ],
  ];
  test.each(kept)('not over what is %s', (_name, build, expected) => {
    const x = integers(8, 8);
    const plan = planOf(...build(inArena(x)));
    const { instructions, buffers } = plan.program;
    const first = instructions[0]!.outputs[0]!.buffer;
    const readers = instructions.filter(
      ({ kernel, inputs }) => kernel === 'elementwise' && inputs.some(({ buffer }) => buffer === first),
    );
    const made = readers.flatMap(({ outputs }) => outputs.map(({ buffer }) => buffers[buffer]!));
    expect(made.map(({ kind }) => kind)).toEqual(['arena']);
    expect(made[0]!.offset).not.toBe(buffers[first]!.offset);
    expect(numbers(build(inArena(x))[0]!)).toEqual(expected(numbers(x)));
  });

  test('not by a step behind which another reads the input', () => {
    const x = integers(8, 8);
    // The region writes e = 2a and then a + e: e must not take the place of a; the sum may.
    const build = (): Tensor[] => {
      const a = inArena(x);
      const e = mul(a, 2);
      return [matmul(e, identity(8)), matmul(where(gt(e, 0), a, e), identity(8))];
    };
    const [doubled, chosen] = build();
    expect(numbers(doubled!)).toEqual(numbers(x).map((v) => 2 * v));
    expect(numbers(chosen!)).toEqual(numbers(x).map((v) => (v > 0 ? v : 2 * v)));
    expect(overwritten(planOf(...build()))).toBe(1);
  });

  test('what is broadcast is not overwritten', () => {
    const x = integers(1, 8);
    const build = (): Tensor => matmul(add(expand(inArena(x), [8, 8]), exp(mul(integers(8, 8), 0))), identity(8));
    expect(overwritten(planOf(build()))).toBe(0);
    expect(numbers(build())).toEqual(Array.from({ length: 64 }, (_, i) => numbers(x)[i % 8]! + 1));
  });

  test('a scatter adds where its input is, but not over its source', () => {
    const x = integers(4, 8);
    const index = tensor(
      Array.from({ length: 32 }, (_, i) => (i * 3) % 8),
      { shape: [4, 8], dtype: 'int32' },
    );
    const build = (): Tensor => {
      const a = inArena(x);
      return matmul(scatterAdd(a, 1, index, a), identity(8));
    };
    expect(overwritten(planOf(build()))).toBe(0);
    const apart = (): Tensor => matmul(scatterAdd(inArena(x), 1, index, x), identity(8));
    expect(overwritten(planOf(apart()))).toBe(1);
    const values = numbers(x);
    const expected = [...values];
    values.forEach((v, i) => (expected[8 * Math.floor(i / 8) + ((i * 3) % 8)]! += v));
    expect(numbers(build())).toEqual(expected);
    expect(numbers(apart())).toEqual(expected);
  });

  test('a backend takes two arena buffers in one place only where the kernel may overwrite', () => {
    const program = (kernel: 'elementwise' | 'softmax', offset: number): Program => {
      const arena = (at: number) => ({ kind: 'arena', dtype: 'float32', length: 32, offset: at }) as const;
      const bound = (kind: 'input' | 'output') => ({ kind, dtype: 'float32', length: 32, offset: 0 }) as const;
      const view = (buffer: number) => ({ buffer, offset: 0, shape: [4, 8], strides: [8, 1] });
      const negate = [1, 0, 2, 1, opcodeIds.neg, 0, 1, 0, -1, -1, 1, 0];
      const step = (from: number, to: number, name: 'elementwise' | 'softmax') => ({
        kernel: name,
        inputs: [view(from)],
        outputs: [view(to)],
        attributes: name === 'softmax' ? [] : negate,
        label: name,
      });
      return {
        buffers: [bound('input'), arena(0), arena(offset), bound('output')],
        instructions: [step(0, 1, 'elementwise'), step(1, 2, kernel), step(2, 3, 'elementwise')],
        scalars: 0,
        arenaBytes: 256,
        estimatedNanoseconds: 0,
      };
    };
    const { arenaLowerBound } = statsOf(program('elementwise', 0));
    expect(arenaLowerBound).toBe(128);
    expect(() => currentBackend().load(program('elementwise', 0))).not.toThrow();
    expect(() => currentBackend().load(program('softmax', 128))).not.toThrow();
    expect(() => currentBackend().load(program('elementwise', 64))).toThrow(BackendError);
    expect(() => currentBackend().load(program('softmax', 0))).toThrow(BackendError);
  });
});
