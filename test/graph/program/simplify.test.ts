import {
  abs,
  add,
  cast,
  ceil,
  concat,
  detach,
  div,
  expand,
  floor,
  logicalNot,
  matmul,
  maximum,
  minimum,
  mul,
  neg,
  pad,
  permute,
  relu,
  reshape,
  round,
  sign,
  slice,
  sub,
  sum,
  tensor,
  transpose,
  trunc,
  where,
  gt,
  type DType,
  type Tensor,
} from '../../../lib';
import { graphOf } from '../../../lib/graph/program/ir';
import { simplify } from '../../../lib/graph/program/simplify';
import { runSlices } from '../../../lib/graph/program/slices';
import { trace } from '../../../lib/graph/program/trace';
import { onEachBackend } from '../../helpers/backends';
import { stepsOf, planOf } from './helpers';

/** The operations that are left, in order. */
function opsOf(...roots: Tensor[]): string[] {
  return runSlices(simplify(graphOf(trace(roots)))).values.map(({ op }) => op!.name);
}

/** Where floating point is not arithmetic. */
const awkward = [0, -0, 1, -1, 0.5, -0.5, 1.5, -2.5, NaN, Infinity, -Infinity, 3.4e38, -1e-30, 2 ** 24 + 2];
const floats = (): Tensor => tensor(awkward);
const others = (): Tensor => tensor(awkward.map((_, i) => awkward[(i * 5 + 3) % awkward.length]!));
const integers = (): Tensor => tensor(Int32Array.from([0, 1, -1, 7, 2 ** 31 - 1, -(2 ** 31)]));

const bitsOf = (x: Tensor): (number | string)[] =>
  Array.from(x.dataSync() as ArrayLike<number | bigint>, (v) => (Object.is(v, -0) ? '-0' : Number(v)));

/** Every identity: how it is written, and the operations that are left of it. */
const identities: [string, () => Tensor, string[]][] = [
  ['-(-x) = x', () => add(neg(neg(floats())), others()), ['add']],
  ['-(-i) = i', () => add(neg(neg(integers())), 1), ['add']],
  ['not not p = p', () => where(logicalNot(logicalNot(gt(floats(), 0))), 1, 2), ['gt', 'where']],
  ['|-x| = |x|', () => abs(neg(floats())), ['abs']],
  ['|-i| = |i|', () => abs(neg(integers())), ['abs']],
  ['||x|| = |x|', () => abs(abs(floats())), ['abs']],
  ['sign(sign x) = sign x', () => sign(sign(floats())), ['sign']],
  ['relu(relu x) = relu x', () => relu(relu(floats())), ['relu']],
  ['floor(round x) = round x', () => floor(round(floats())), ['round']],
  ['trunc(ceil x) = ceil x', () => trunc(ceil(floats())), ['ceil']],
  ['a + -b = a - b', () => add(floats(), neg(others())), ['sub']],
  ['-a + b = b - a', () => add(neg(floats()), others()), ['sub']],
  ['a - -b = a + b', () => sub(floats(), neg(others())), ['add']],
  ['i - -j = i + j', () => sub(integers(), neg(tensor(Int32Array.from([5, -1, 0, 3, 1, -(2 ** 31)])))), ['add']],
  ['-a · -b = a · b', () => mul(neg(floats()), neg(others())), ['mul']],
  ['-a / -b = a / b', () => div(neg(floats()), neg(others())), ['div']],
  ['where(p, x, x) = x', () => oneInput((x) => add(where(gt(x, 0), x, x), 1)), ['add']],
  ['max(x, x) = x', () => oneInput((x) => add(maximum(x, x), 1)), ['add']],
  ['min(x, x) = x', () => oneInput((x) => add(minimum(x, x), 1)), ['add']],
  ['float32 to float64 and back', () => add(cast(cast(floats(), 'float64'), 'float32'), 1), ['add']],
  ['int32 to float64 and back', () => add(cast(cast(integers(), 'float64'), 'int32'), 1), ['add']],
  ['int32 to float32 by way of float64', () => cast(cast(integers(), 'float64'), 'float32'), ['castFloat32']],
  ['float32 to int32 by way of float64', () => cast(cast(floats(), 'float64'), 'int32'), ['castInt32']],
  ['bool to float32 and back', () => logicalNot(cast(cast(gt(floats(), 0), 'float32'), 'bool')), ['gt', 'logicalNot']],
  ['joining one tensor', () => add(concat([floats()]), 1), ['add']],
  ['padding by nothing', () => add(pad(floats(), [0, 0]), 1), ['add']],
];

function oneInput(f: (x: Tensor) => Tensor): Tensor {
  return f(floats());
}

onEachBackend('identities', () => {
  // Bit for bit: every operation by itself, read before the next is recorded, against the simplified program.
  test.each(identities)('%s', (_name, build, left) => {
    expect(opsOf(build())).toEqual(left);
    expect(bitsOf(build())).toEqual(bitsOf(steps(build())));
  });
});

/** The same recipe with every operation in a program of its own, in which no two meet. */
function steps(root: Tensor): Tensor {
  const { nodes } = trace([root]);
  for (const node of nodes) node.dataSync();
  return root;
}

describe('what is not exact stays', () => {
  const inexact: [string, () => Tensor, string[]][] = [
    ['x + 0, which makes 0 of -0', () => add(floats(), 0), ['add']],
    ['x · 1, whose 1 is a number of the run', () => mul(floats(), 1), ['mul']],
    ['x - x, NaN for infinities', () => oneInput((x) => sub(x, x)), ['sub']],
    ['x / x', () => oneInput((x) => div(x, x)), ['div']],
    ['a + (b + c)', () => add(floats(), add(others(), floats())), ['add', 'add']],
    ['int32 to float32 and back', () => cast(cast(integers(), 'float32'), 'int32'), ['castFloat32', 'castInt32']],
    ['float32 to int32 and back', () => cast(cast(floats(), 'int32'), 'float32'), ['castInt32', 'castFloat32']],
    [
      'float64 to float32 and back',
      () => cast(cast(cast(floats(), 'float64').add(0.1), 'float32'), 'float64'),
      ['castFloat64', 'add', 'castFloat32', 'castFloat64'],
    ],
    ['max(a, b) and max(b, a), which may be 0 and -0', () => swapped(maximum), ['maximum', 'maximum', 'add']],
    ['a - b and b - a', () => swapped(sub), ['sub', 'sub', 'add']],
    [
      'where(p, x, x) of a larger shape',
      () => oneInput((x) => where(gt(tensor([[1], [-1]]), 0), x, x)),
      ['gt', 'where'],
    ],
    ['where(p, 1, 1), whose numbers are two of the run', () => where(gt(floats(), 0), 1, 1), ['gt', 'where']],
  ];
  test.each(inexact)('%s', (_name, build, left) => expect(opsOf(build())).toEqual(left));
});

function swapped(f: (a: Tensor, b: Tensor) => Tensor): Tensor {
  const [a, b] = [floats(), others()];
  return add(f(a, b), f(b, a));
}

describe('common subexpressions', () => {
  test('operands of sums and products may change places', () => {
    expect(opsOf(swapped(add))).toEqual(['add', 'add']);
    expect(opsOf(swapped(mul))).toEqual(['mul', 'add']);
  });

  test('attributes and dtypes are part of them', () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    expect(opsOf(add(sum(x, { dim: 0 }), sum(x, { dim: 0 })))).toEqual(['sum', 'add']);
    expect(opsOf(add(sum(x, { dim: 0 }), sum(x, { dim: 1 })))).toEqual(['sum', 'sum', 'add']);
    const dtypes: DType[] = ['float64', 'int32'];
    expect(opsOf(...dtypes.map((dtype) => cast(x, dtype)))).toEqual(['castFloat64', 'castInt32']);
  });
});

describe('views', () => {
  const x = (): Tensor => matmul(tensor([[1, 2, 3]]), tensor([[1], [2], [3]]).expand([3, 4]));
  const y = (): Tensor => tensor(new Float32Array(24), { shape: [2, 3, 4] });

  test('that together change nothing are nothing', () => {
    for (const view of [
      (v: Tensor) => transpose(transpose(v, 0, 1), 1, 0),
      (v: Tensor) => permute(permute(v, [2, 0, 1]), [1, 2, 0]),
      (v: Tensor) => reshape(reshape(v, [24]), [2, 3, 4]),
      (v: Tensor) => reshape(transpose(reshape(v, [24, 1]), 0, 1), [2, 3, 4]),
      (v: Tensor) => detach(expand(v, [2, 3, 4])),
      (v: Tensor) =>
        slice(v, [
          [0, 2],
          [0, 3],
          [0, 4],
        ]),
    ])
      expect(opsOf(add(view(y()), 1))).toEqual(['add']);
  });

  test('of values that are computed: a region goes on behind a transpose of a transpose', () => {
    const twice = mul(transpose(transpose(add(y(), 1), 0, 2), 0, 2), 2);
    expect(stepsOf(planOf(twice))).toEqual([2]);
  });

  test('that show the same are one, however they are written', () => {
    const v = y();
    expect(opsOf(add(permute(v, [0, 2, 1]), transpose(v, 1, 2)))).toEqual(['permute', 'add']);
    const chain = reshape(reshape(v, [6, 4]), [24]);
    expect(opsOf(add(chain, reshape(v, [24])))).toEqual(['reshape', 'reshape', 'add']);
  });

  test('that change something stay', () => {
    expect(opsOf(add(transpose(y(), 0, 1), 1))).toEqual(['permute', 'add']);
    expect(opsOf(add(slice(y(), [[0, 1]]), 1))).toEqual(['slice', 'add']);
    // All of it, but reversed in order: a transpose of a square is of the same shape.
    expect(
      opsOf(
        add(
          transpose(
            tensor([
              [1, 2],
              [3, 4],
            ]),
            0,
            1,
          ),
          1,
        ),
      ),
    ).toEqual(['permute', 'add']);
    expect(opsOf(x())).toEqual(['expand', 'matmul']);
  });

  test('a root that is its input all along is copied, not shared', () => {
    const v = tensor([
      [1, 2],
      [3, 4],
    ]);
    const same = transpose(transpose(v, 0, 1), 0, 1);
    expect(Array.from(same.dataSync(), Number)).toEqual([1, 2, 3, 4]);
  });
});
