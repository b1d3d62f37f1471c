import { formatBytes, printProgram } from '../../../lib/graph/program/print';
import { formulasOf } from '../../../lib/graph/program/formulas';
import { codeOf } from '../../../lib/graph/program/stats';
import {
  abs,
  add,
  cast,
  div,
  exp,
  F,
  gt,
  matmul,
  mul,
  neg,
  nn,
  relu,
  slice,
  softmax,
  sub,
  sum,
  tensor,
  transpose,
  where,
  type Tensor,
} from '../../../lib';
import { planOf } from './helpers';

const value = (...shape: number[]): Tensor => tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), { shape });
const linesOf = (names: readonly string[], ...roots: Tensor[]): string[] =>
  printProgram(planOf(...roots).program, names).split('\n');

/** The formulas of a single region, whose inputs are p, q, r in the order of their first use. */
const formulas = (...roots: Tensor[]): string[] =>
  formulasOf(codeOf(planOf(...roots).program.instructions[0]!)!, ['p', 'q', 'r'], ['x', 'y']);

describe('printProgram', () => {
  test('a layer: names, shapes, a transpose, what follows a product, what is written over, what is broadcast', () => {
    const [x, weight, bias, scale, next] = [value(4, 8), value(2, 8), value(2), value(2), value(2, 2)];
    const hidden = relu(add(matmul(x, transpose(weight, 0, 1)), bias));
    const y = matmul(mul(softmax(hidden, 1), scale), next);
    expect(linesOf(['x', 'weight', 'bias', 'scale', 'next', 'result'], y)).toEqual([
      'program: 4 instructions, 6 operations, 1 fused region; moves 448 B; arena 128 B; 0 numbers',
      'reads: x [4x8], weight [2x8], bias [2], scale [2], next [2x2]',
      'writes: result [4x2]',
      '  0  t0 [4x2] = matmul(x [4x8], weight [2x8].T), then    # relu',
      '       t0 = relu(product + bias [1x2])',
      '  1  t1 [4x2] = softmax(t0 [4x2])',
      '  2  t2~t1 [4x2] = t1 · scale [1x2]    # mul',
      '  3  result [4x2] = matmul(t2 [4x2], next [2x2])',
    ]);
  });

  test('without names, buffers are called by what is done with them; other dtypes and strides are said', () => {
    const x = value(4, 6);
    expect(
      linesOf(
        [],
        sum(
          slice(x, [
            [0, 4],
            [0, 6, 2],
          ]),
          { dim: 1 },
        ),
        cast(gt(x, 0), 'bool'),
      ).slice(1),
    ).toEqual([
      'reads: in0 [4x6]',
      'writes: out0 [4], out1 bool [4x6]',
      '  0  out1 bool [4x6] = in0 > s0    # gt',
      '  1  out0 [4] = sum(in0 [4x3]/6,2; 1)',
    ]);
  });

  test('a training step fits into 100 columns', () => {
    const model = new nn.Sequential(new nn.Conv2d(1, 4, 3), new nn.BatchNorm2d(4), new nn.ReLU(), new nn.Flatten());
    const loss = F.mseLoss(model.forward(value(2, 1, 6, 6)), value(2, 64));
    loss.backward();
    const gradients = [...model.parameters()].map(({ grad }) => grad!);
    const lines = linesOf([], loss, ...gradients);
    expect(lines.filter((line) => line.length > 100)).toEqual([]);
    expect(lines.filter((line) => /^ +\d+ {2}/.test(line))).toHaveLength(
      planOf(loss, ...gradients).program.instructions.length,
    );
  });

  test('sizes are for people', () => {
    expect([0, 1023, 1536, 150 * 1024, 3 * 2 ** 30].map(formatBytes)).toEqual([
      '0 B',
      '1023 B',
      '1.5 KB',
      '150 KB',
      '3.0 GB',
    ]);
  });
});

describe('formulas', () => {
  const [a, b, c] = [value(4), value(4), value(4)];

  test('have parentheses where the order of computing needs them', () => {
    expect(formulas(add(add(a, b), c))).toEqual(['x = p + q + r']);
    expect(formulas(add(a, add(b, c)))).toEqual(['x = r + (p + q)']);
    expect(formulas(mul(add(a, b), c))).toEqual(['x = (p + q) · r']);
    expect(formulas(div(a, mul(b, c)))).toEqual(['x = r / (p · q)']);
    expect(formulas(sub(a, sub(b, c)))).toEqual(['x = r - (p - q)']);
    expect(formulas(neg(add(a, b)))).toEqual(['x = -(p + q)']);
    expect(formulas(mul(exp(neg(a)), b))).toEqual(['x = exp(-p) · q']);
    expect(formulas(where(gt(a, b), a, abs(b)))).toEqual(['x = where(p > q, p, abs(q))']);
  });

  test('what is used more than once has a name; outputs are named in others', () => {
    expect(formulas(mul(exp(a), exp(a)))).toEqual(['a = exp(p)', 'x = a · a']);
    expect(formulas(exp(a), neg(exp(a)))).toEqual(['x = exp(p)', 'y = -x']);
  });

  test('what is long is named too', () => {
    let chain: Tensor = a;
    for (let i = 0; i < 20; i++) chain = add(exp(chain), b);
    const lines = formulas(chain);
    expect(lines.length).toBeGreaterThan(1);
    expect(lines.at(-1)).toMatch(/^x = .*exp\(a|b|c\)/);
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(100);
  });
});
