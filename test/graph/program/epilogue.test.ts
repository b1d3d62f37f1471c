import { manualSeed, randn } from '../../../lib';
import { gradients } from '../../../lib/autodiff';
import { evaluateSync } from '../../../lib/graph/evaluate';
import { readDataSync } from '../../../lib/graph/reading';
import { printProgram } from '../../../lib/graph/program/print';
import { cast } from '../../../lib/ops/cast';
import { tensor } from '../../../lib/ops/create';
import { add, exp, gt, mul, relu, sub, tanh, where } from '../../../lib/ops/elementwise';
import { matmul } from '../../../lib/ops/matmul';
import { sum } from '../../../lib/ops/reduce';
import { reshape, transpose } from '../../../lib/ops/shape';
import type { Tensor } from '../../../lib/tensor/tensor';
import { onEachBackend } from '../../helpers/backends';
import { kernelsOf, planOf } from './helpers';

const random = (...shape: number[]): Tensor => {
  const made = randn(shape);
  evaluateSync([made]);
  return made;
};
const bytesOf = (t: Tensor): Buffer => {
  const { buffer, byteOffset, byteLength } = readDataSync(t);
  return Buffer.from(buffer, byteOffset, byteLength);
};
type Formula = (product: Tensor) => Tensor[];

onEachBackend('epilogues', () => {
  beforeAll(() => manualSeed(7));

  /** One program for product and region against two: the same bits. */
  function expectSameBits(a: Tensor, b: Tensor, formula: Formula): void {
    const fused = formula(matmul(a, b));
    expect(kernelsOf(planOf(...fused))).toEqual(['matmul']);
    evaluateSync(fused);
    const product = matmul(a, b);
    evaluateSync([product]);
    const plain = formula(product);
    expect(kernelsOf(planOf(...plain))).toEqual(['elementwise']);
    evaluateSync(plain);
    fused.forEach((output, i) => expect(bytesOf(output).equals(bytesOf(plain[i]!))).toBe(true));
  }

  // Sizes: within a block, rows longer than a block, cut into parts by rows and by columns, one row, one column.
  const sizes = [
    [32, 16, 32],
    [5, 3, 7],
    [70, 33, 520],
    [300, 260, 640],
    [600, 270, 530],
    [1, 300, 4000],
    [700, 300, 1],
    [3, 0, 5],
    [1, 3, 1],
  ] as const;
  test.each(sizes)('%i x %i x %i: bias, scale, residual, activation, several outputs', (m, k, n) => {
    const [a, b] = [random(m, k), random(k, n)];
    const [bias, rowBias, residual, turned] = [random(n), random(m, 1), random(m, n), transpose(random(n, m), 0, 1)];
    expectSameBits(a, b, (product) => [relu(add(product, bias))]);
    expectSameBits(a, b, (product) => [tanh(add(add(mul(product, 0.25), residual), rowBias))]);
    expectSameBits(a, b, (product) => {
      const sums = sub(add(product, bias), turned);
      return [sums, exp(sums), gt(sums, 0)];
    });
  });

  test('batches, in which a region may see the product in another shape', () => {
    const [a, b, bias, shift] = [random(3, 2, 20, 9), random(3, 2, 9, 31), random(31), random(2, 1, 1)];
    expectSameBits(a, b, (product) => [relu(add(add(product, bias), shift))]);
    expectSameBits(random(4, 6, 9), random(9, 31), (product) => [where(gt(product, bias), product, 0)]);
    expectSameBits(a, b, (product) => [add(reshape(product, [6, 20, 31]), bias)]);
  });

  test('steps may change the dtype on their way', () => {
    const [a, b, bias] = [random(33, 20), random(20, 40), cast(random(40), 'float64')];
    evaluateSync([bias]);
    expectSameBits(a, b, (product) => [cast(mul(cast(product, 'float64'), bias), 'float32')]);
    // No output can be the product's memory: two instructions.
    const wide = cast(matmul(a, b), 'float64');
    expect(kernelsOf(planOf(mul(wide, bias)))).toEqual(['matmul', 'elementwise']);
  });

  test('the mask of a gradient follows the product that it masks', () => {
    const [x, w, v] = [
      random(8, 4),
      tensor(new Float32Array(24).fill(0.5), { shape: [4, 6], requiresGrad: true }),
      random(6, 3),
    ];
    const hidden = relu(matmul(x, w));
    const [gradient] = gradients([sum(matmul(hidden, v))], [w]);
    const kernels = kernelsOf(planOf(gradient!));
    expect(kernels.filter((kernel) => kernel === 'matmul').length).toBe(3);
    expect(readDataSync(gradient!).length).toBe(24);
  });

  test('a product that somebody else needs too stays an instruction of its own', () => {
    const [a, b] = [random(4, 4), random(4, 4)];
    const product = matmul(a, b);
    expect(kernelsOf(planOf(relu(product), product))).toEqual(['matmul', 'elementwise']);
    expect(kernelsOf(planOf(add(relu(product), sum(product))))).toContain('elementwise');
    expect(kernelsOf(planOf(add(matmul(a, b), matmul(b, a))))).toEqual(['matmul', 'matmul']);
  });

  test('is printed with its steps', () => {
    const text = printProgram(planOf(relu(add(matmul(random(2, 3), random(3, 4)), random(4)))).program);
    expect(text.split('\n').slice(3)).toEqual([
      '  0  out0 [2x4] = matmul(in0 [2x3], in1 [3x4]), then    # relu',
      '       out0 = relu(product + in2 [1x4])',
    ]);
  });
});
