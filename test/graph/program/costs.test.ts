import { bytesOf, flopsOf } from '../../../lib/graph/program/costs';
import { add, exp, matmul, mul, sum, tensor, type Tensor } from '../../../lib';
import { gradients } from '../../../lib/autodiff';
import { attention } from '../../../lib/ops/attention';
import { kernelsOf, planOf } from './helpers';

const value = (...shape: number[]): Tensor =>
  tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), { shape, requiresGrad: true });

/** Of each kernel of a program the arithmetic. */
const flops = (...roots: Tensor[]): [string, number][] => {
  const plan = planOf(...roots);
  return kernelsOf(plan).map((kernel, i) => [kernel, flopsOf(plan.program.instructions[i]!)]);
};

describe('costs of an instruction', () => {
  test('a product has two operations for each multiply-add, and those of the steps behind it', () => {
    expect(flops(matmul(value(3, 4, 5), value(5, 6)))).toEqual([['matmul', 2 * 3 * 4 * 5 * 6]]);
    expect(flops(exp(add(matmul(value(4, 5), value(5, 6)), value(6))))).toEqual([['matmul', (2 * 5 + 2) * 4 * 6]]);
  });

  test('a region has its steps, and one operation for each element that it reduces', () => {
    const [x, y] = [value(4, 8), value(4, 8)];
    expect(flops(add(mul(x, y), 1))).toEqual([['elementwise', 2 * 32]]);
    expect(flops(sum(mul(x, y), { dim: 1 }))).toEqual([['elementwise', 2 * 32]]);
    const { program } = planOf(sum(mul(x, y), { dim: 1 }));
    expect(bytesOf(program.instructions[0]!, program)).toBe(4 * (32 + 32 + 4));
  });

  test('attention has two products, its gradients five', () => {
    const [q, k, v] = [value(2, 3, 5, 8), value(2, 3, 7, 8), value(2, 3, 7, 4)];
    const pairs = 2 * 3 * 5 * 7;
    const result = attention(q, k, v, null, { scale: 1, isCausal: false });
    expect(flops(result)).toEqual([['attention', 2 * pairs * (8 + 4)]]);
    const found = new Map(flops(...gradients([sum(mul(result, result))], [q, k, v]).map((g) => g!)));
    // Of scores, and for queries and keys, of width 8; for weights and for values, of width 4.
    expect(found.get('attentionGrad')).toBe(2 * pairs * (3 * 8 + 2 * 4));
  });
});
