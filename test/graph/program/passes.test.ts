import { gradients } from '../../../lib/autodiff';
import '../../../lib/backend';
import { encode, PROGRAM_MAGIC, PROGRAM_VERSION } from '../../../lib/graph/program/encode';
import { readByteCode } from '../../../lib/graph/program/elementwise';
import { printProgram } from '../../../lib/graph/program/print';
import { isDense } from '../../../lib/graph/program/lower';
import { codeOf } from '../../../lib/graph/program/stats';
import { trace } from '../../../lib/graph/program/trace';
import { tensor, zeros } from '../../../lib/ops/create';
import { add, div, exp, gt, mul, sqrt, sub, where } from '../../../lib/ops/elementwise';
import { detach } from '../../../lib/ops/identity';
import { matmul } from '../../../lib/ops/matmul';
import { dropout, rand } from '../../../lib/ops/random';
import { max, sum } from '../../../lib/ops/reduce';
import { expand, reshape, slice, transpose } from '../../../lib/ops/shape';
import { softmax } from '../../../lib/ops/softmax';
import { Variable, withoutCapturing, type Tensor } from '../../../lib/tensor/tensor';
import { kernelsOf, planOf, stepsOf } from './helpers';

const matrix = (): Tensor => zeros([8, 8]).capture();
const value = (...shape: number[]): Tensor => tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), { shape });

describe('trace', () => {
  test('equal structures have equal signatures, whatever their numbers', () => {
    const signature = (rate: number, x: Tensor): Int32Array => trace([add(mul(x, rate), x)]).signature.copy();
    expect(signature(0.5, value(2, 3))).toEqual(signature(NaN, value(2, 3)));
    expect(signature(0.5, value(2, 3))).not.toEqual(signature(0.5, value(3, 2)));
    expect(signature(0.5, value(2, 3))).not.toEqual(signature(0.5, tensor(new Float64Array(6), { shape: [2, 3] })));
  });

  test('which operands are the same is part of the structure', () => {
    const [a, b] = [value(4), value(4)];
    expect(trace([add(a, a)]).signature.copy()).not.toEqual(trace([add(a, b)]).signature.copy());
  });
});

describe('simplify', () => {
  test('computes common subexpressions once and drops what nobody needs', () => {
    const x = value(4);
    expect(stepsOf(planOf(add(exp(x), exp(x))))).toEqual([2]);
    const unused = exp(x);
    mul(unused, 2);
    expect(stepsOf(planOf(add(x, 1)))).toEqual([1]);
  });

  test('identities cost nothing', () => {
    const x = value(4);
    expect(stepsOf(planOf(add(detach(mul(x, 2)), 1)))).toEqual([2]);
  });
});

describe('fuse', () => {
  test("Adam's five lines are one pass over memory", () => {
    const [p, g, m, v] = [value(64), value(64), value(64), value(64)];
    const mean = add(mul(m, 0.9), mul(g, 0.1));
    const square = add(mul(v, 0.999), mul(mul(g, g), 0.001));
    const next = sub(p, mul(div(mean, add(div(sqrt(square), 0.5), 1e-8)), 0.01));
    const plan = planOf(mean, square, next);
    expect(kernelsOf(plan)).toEqual(['elementwise']);
    expect(plan.program.instructions[0]!.outputs.length).toBe(3);
    expect(plan.program.arenaBytes).toBe(0);
  });

  test('what decays a moment waits for the gradient instead of going through memory', () => {
    const [m, a] = [value(8, 8), value(8, 8)];
    expect(kernelsOf(planOf(add(mul(m, 0.9), mul(softmax(a, 1), 0.1))))).toEqual(['softmax', 'elementwise']);
  });

  test('reductions over trailing dims end a region, others stand between; what reads them is another region', () => {
    const x = value(4, 8);
    const centred = sub(x, sum(mul(x, 0.125), { dim: 1, keepdim: true }));
    expect(kernelsOf(planOf(exp(centred)))).toEqual(['elementwise', 'elementwise']);
    const rows = sub(x, sum(mul(x, 0.125), { dim: 0, keepdim: true }));
    expect(kernelsOf(planOf(exp(rows)))).toEqual(['elementwise', 'sum', 'elementwise']);
  });

  test('a sum of squares keeps no squares; reductions over other dims than the first stay kernels', () => {
    const x = value(4, 8, 2);
    const plan = planOf(sum(mul(x, x)));
    expect(kernelsOf(plan)).toEqual(['elementwise']);
    expect([plan.program.arenaBytes, plan.program.instructions[0]!.outputs.length]).toEqual([0, 1]);
    expect(printProgram(plan.program)).toContain('out0 [] = sum(in0 [4x8x2] · in0 [4x8x2])');
    const squares = mul(x, x);
    const both = planOf(squares, sum(squares, { dim: [1, 2], keepdim: true }), max(squares, { dim: [1, 2] }));
    expect(kernelsOf(both)).toEqual(['elementwise']);
    expect(both.program.instructions[0]!.outputs.map(({ shape }) => shape)).toEqual([[4, 8, 2], [4], [4]]);
    const mixed = planOf(sum(squares, { dim: 2 }), sum(squares));
    expect(kernelsOf(mixed)).toEqual(['elementwise', 'sum']);
    expect(kernelsOf(planOf(sum(add(rand([3, 4]), 1))))).toEqual(['elementwise', 'sum']);
  });

  test('dropout keeps no mask: forward and backward each make its random numbers', () => {
    const [x, weight] = [tensor(new Float32Array(64), { shape: [8, 8], requiresGrad: true }), value(8, 8)];
    const y = dropout(matmul(x, weight), 0.25);
    const loss = sum(matmul(y, weight));
    const plan = planOf(loss, ...(gradients([loss], [x]) as Tensor[]));
    const draws = plan.program.instructions.filter((instruction) =>
      codeOf(instruction)?.steps.some(({ opcode }) => opcode === 'uniform'),
    );
    // Each behind the product whose elements it drops.
    expect(draws.map(({ kernel }) => kernel)).toEqual(['matmul', 'matmul']);
    expect(draws.map(({ outputs }) => outputs.length)).toEqual([1, 1]);
    expect(plan.program.buffers.filter(({ dtype }) => dtype !== 'float32')).toEqual([]);
    expect(printProgram(plan.program).match(/uniform\(s\d+, s\d+\)/g)).toHaveLength(2);
  });

  test('random numbers that memory must hold anyway are drawn once', () => {
    const noise = rand([8, 8]);
    const plan = planOf(noise, exp(noise), matmul(noise, add(noise, 1)));
    const draws = plan.program.instructions.filter(
      ({ kernel, ...rest }) =>
        kernel === 'elementwise' && readByteCode(rest).steps.some(({ opcode }) => opcode === 'uniform'),
    );
    expect(draws.length).toBe(1);
  });

  test('a chain longer than a region may be is cut in order', () => {
    let x: Tensor = value(4);
    for (let i = 0; i < 150; i++) x = add(x, i);
    expect(stepsOf(planOf(x))).toEqual([64, 64, 22]);
  });
});

describe('lower', () => {
  test('views copy nothing where a kernel reads strides', () => {
    const [a, b] = [value(4, 6), value(4, 6)];
    expect(kernelsOf(planOf(matmul(transpose(a, 0, 1), b)))).toEqual(['matmul']);
    expect(kernelsOf(planOf(add(slice(a, [[0, 4, 2]]), expand(reshape(value(6), [1, 6]), [2, 6]))))).toEqual([
      'elementwise',
    ]);
    expect(kernelsOf(planOf(sum(transpose(a, 0, 1), { dim: 0 })))).toEqual(['sum']);
  });

  test('a reshape that strides cannot say is copied once', () => {
    expect(kernelsOf(planOf(exp(reshape(transpose(value(4, 6), 0, 1), [3, 8]))))).toEqual([
      'elementwise',
      'elementwise',
    ]);
  });

  test('isDense looks past strides of dims of size 1', () => {
    expect(isDense({ offset: 3, shape: [1, 4], strides: [99, 1] })).toBe(true);
    expect(isDense({ offset: 0, shape: [2, 4], strides: [8, 1] })).toBe(false);
    expect(isDense({ offset: 0, shape: [0, 4], strides: [7, 7] })).toBe(true);
  });
});

describe('plan', () => {
  test('memory of the dead is used again', () => {
    let x: Tensor = value(32, 32);
    for (let i = 0; i < 10; i++) x = matmul(x, x);
    // Input and output are bound; never more than two intermediates are alive.
    expect(planOf(x).program.arenaBytes).toBe(2 * 32 * 32 * 4);
  });

  test('what lives at the same time never overlaps', () => {
    const values = Array.from({ length: 12 }, (_, i) => matmul(value(i + 1, 4), value(4, 7 - (i % 5))));
    const total = values.map((v) => sum(v)).reduce((a, b) => add(a, b));
    const { program } = planOf(total);
    const alive = program.buffers.map(() => ({ first: Infinity, last: -1 }));
    program.instructions.forEach(({ inputs, outputs }, time) =>
      [...inputs, ...outputs].forEach(({ buffer }) => {
        alive[buffer]!.first = Math.min(alive[buffer]!.first, time);
        alive[buffer]!.last = Math.max(alive[buffer]!.last, time);
      }),
    );
    program.buffers.forEach((a, i) =>
      program.buffers.forEach((b, j) => {
        if (i >= j || a.kind !== 'arena' || b.kind !== 'arena') return;
        const together = alive[i]!.first <= alive[j]!.last && alive[j]!.first <= alive[i]!.last;
        const apart = a.offset + a.length * 4 <= b.offset || b.offset + b.length * 4 <= a.offset;
        expect(!together || apart).toBe(true);
      }),
    );
  });

  test('state is overwritten in place, behind everything that can fail', () => {
    const state = new Variable(value(8, 8));
    const version = state.current;
    version.captured = false;
    const gradient = matmul(value(8, 8), matrix());
    withoutCapturing(() => state.replace(add(mul(state.current, 0.9), gradient)));
    const other = matmul(value(8, 8), value(8, 8));
    const { program } = planOf(state.current, other);
    expect(program.buffers.filter(({ kind }) => kind === 'inout').length).toBe(1);
    expect(program.instructions.at(-1)!.kernel).toBe('elementwise');
  });

  test('equal updates of many parameters become one instruction, in place', () => {
    const shapes = [[4], [3, 5], [], [2, 7]];
    const states = shapes.map((shape) => new Variable(value(...shape)));
    const gradients = shapes.map((shape) => expand(reshape(matmul(value(1, 1), value(1, 1)), []), shape));
    withoutCapturing(() =>
      states.forEach((state, i) => {
        state.current.captured = false;
        state.replace(sub(state.current, mul(gradients[i]!, 0.1 * i)));
      }),
    );
    const { program } = planOf(...states.map((state) => state.current));
    const last = program.instructions.at(-1)!;
    expect(readByteCode(last)).toMatchObject({ segments: 4, inputs: 2, outputs: 1 });
    expect(last.outputs.map(({ shape }) => shape)).toEqual(shapes);
    expect(new Set(readByteCode(last).scalarSlots.map(String)).size).toBe(4);
    expect(program.buffers.filter(({ kind }) => kind === 'inout').length).toBe(4);
    expect(printProgram(program)).toMatch(/each of 4 like the first:/);
  });

  test('an update that reads what another one wrote stays behind it', () => {
    const [a, b] = [new Variable(value(4)), new Variable(value(4))];
    a.current.captured = b.current.captured = false;
    withoutCapturing(() => {
      b.replace(add(b.current, 1));
      a.replace(add(mul(a.current, exp(reshape(matmul(reshape(b.current, [1, 4]), value(4, 4)), [4]))), 1));
    });
    expect(kernelsOf(planOf(a.current, b.current))).toEqual(['elementwise', 'matmul', 'elementwise']);
  });

  test('state that is read again after it was overwritten gets a fresh buffer', () => {
    const state = new Variable(value(8, 8));
    state.current.captured = false;
    withoutCapturing(() => state.replace(add(state.current, 1)));
    const late = matmul(state.current, matrix());
    const old = state.current.replaces!;
    const { program } = planOf(state.current, matmul(late, old));
    expect(program.buffers.some(({ kind }) => kind === 'inout')).toBe(false);
  });

  test('a formula that reads its old state after writing the new one gets a fresh buffer', () => {
    const state = new Variable(value(8));
    state.current.captured = false;
    const old = state.current;
    let next!: Tensor;
    let change!: Tensor;
    withoutCapturing(() => {
      next = mul(old, 0.5);
      state.replace(next);
      change = sub(next, where(gt(next, 0), old, 0));
    });
    const { program } = planOf(state.current, change);
    const [region] = program.instructions;
    const inout = program.buffers.some(({ kind }) => kind === 'inout');
    expect([program.instructions.length, region!.outputs.length, inout]).toEqual([1, 2, false]);
  });
});

describe('encode', () => {
  test('the header says what follows', () => {
    const { program } = planOf(add(softmax(value(2, 2), 1), 1));
    const words = encode(program);
    expect([...words.slice(0, 6)]).toEqual([
      PROGRAM_MAGIC,
      PROGRAM_VERSION,
      words.length,
      program.buffers.length,
      2,
      1,
    ]);
  });
});
