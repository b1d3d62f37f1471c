import { grad, gradients } from '../../lib/autodiff';
import { opOf, registry } from '../../lib/graph/op';
import * as ops from '../../lib/ops';
import type { DType } from '../../lib/tensor/dtype';
import { Variable, type Tensor } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';
import { dtypesOf, expectSample, inputsOf, toArray, toTensor } from '../helpers/samples';
import { cases } from './cases';

const float64 = (...values: number[]): Tensor => ops.tensor(Float64Array.from(values));
const valuesOf = (x: Tensor): number[] => [...toArray(x).data];
/** The gradient of the sum of f at x. */
const slopes = (f: (x: Tensor) => Tensor, ...x: number[]): number[] =>
  valuesOf(grad((input) => ops.sum(f(input)))(float64(...x)));

onEachBackend('derivatives where there is a choice are those of PyTorch', () => {
  test.each<[string, (x: Tensor) => Tensor, number[], number[]]>([
    ['max: ties share', (x) => ops.max(x), [1, 3, 3, 0], [0, 0.5, 0.5, 0]],
    ['min: ties share', (x) => ops.min(x), [0, 3, 0, 0], [1 / 3, 0, 1 / 3, 1 / 3]],
    ['maximum: halves', (x) => ops.maximum(x, 2), [1, 2, 3], [0, 0.5, 1]],
    ['minimum: halves', (x) => ops.minimum(x, 2), [1, 2, 3], [1, 0.5, 0]],
    ['relu at 0', ops.relu, [-1, 0, 1], [0, 0, 1]],
    ['abs at 0', ops.abs, [-1, 0, 1], [-1, 0, 1]],
    ['leakyRelu at 0', (x) => ops.leakyRelu(x, { negativeSlope: 0.5 }), [-1, 0, 1], [0.5, 0.5, 1]],
    ['elu at 0 and far out', (x) => ops.elu(x, { alpha: 2 }), [0, 800, -800], [2, 1, 0]],
    ['clamp at its limits', (x) => ops.clamp(x, { min: 0, max: 1 }), [-1, 0, 0.5, 1, 2], [0, 1, 1, 1, 0]],
    ['maxPool2d: the first of ties', (x) => ops.maxPool2d(x.reshape([1, 2, 2]), 2), [1, 1, 0, 1], [1, 0, 0, 0]],
    ['sign', ops.sign, [-1, 0, 1], [0, 0, 0]],
    ['floor', ops.floor, [1, 1.5], [0, 0]],
    ['pow at 0', (x) => ops.pow(x, 1.5), [0, 4], [0, 3]],
    ['pow to the 0', (x) => ops.pow(x, 0), [0, 2], [0, 0]],
    ['logSumExp of -Infinity', (x) => ops.logSumExp(x), [-Infinity, -Infinity], [0, 0]],
    ['logSumExp with -Infinity', (x) => ops.logSumExp(x), [-Infinity, 2], [0, 1]],
    ['softplus far out', ops.softplus, [1e4, -1e4], [1, 0]],
    ['sigmoid far out', ops.sigmoid, [1e4, -1e4], [0, 0]],
    ['std of equals', (x) => ops.std(x), [1, 1], [NaN, NaN]],
  ])('%s', (_name, f, x, expected) => {
    expect(slopes(f, ...x)).toEqual(expected);
  });

  test('an infinite gradient of a unit that is off stays away', () => {
    const x = ops.tensor([-1, 1], { requiresGrad: true });
    const [g] = gradients([ops.relu(x)], [x], [ops.tensor([Infinity, Infinity])]);
    expect(valuesOf(g!)).toEqual([0, Infinity]);
  });

  test('where keeps the gradient of what was not chosen away', () => {
    // The square root of -1 is not chosen, and its NaN only meets a 0 of its own formula.
    expect(slopes((x) => ops.where(ops.gt(x, 0), ops.sqrt(ops.where(ops.gt(x, 0), x, 1)), 0), -1, 4)).toEqual([
      0, 0.25,
    ]);
  });
});

onEachBackend('fused operations are their formulas', () => {
  const fused = [...registry.values()].filter(({ decompose }) => decompose !== undefined);
  test.each(fused.map(({ name }) => name))('%s', (name) => {
    const { samples } = cases.find((testCase) => testCase.name === name)!;
    for (const sample of samples) {
      const inputs = inputsOf(sample, 'float64');
      const dtypes = dtypesOf(sample, 'float64');
      const output = sample.run(...inputs.map((x, i) => toTensor(x, dtypes[i]!)));
      expect(opOf(output).name).toBe(name);
      expectSample(sample, opOf(output).decompose!(output.inputs, output.attrs), inputs, 'float64');
    }
  });
});

onEachBackend('dtypes', () => {
  const ones = (dtype: DType): Tensor => ops.ones([1], { dtype });
  test.each<[string, () => Tensor, DType]>([
    ['float32 + float64', () => ops.add(ones('float32'), ones('float64')), 'float64'],
    ['int32 + float32', () => ops.add(ones('int32'), ones('float32')), 'float32'],
    ['bool + bool', () => ops.add(ones('bool'), ones('bool')), 'int32'],
    ['bool + int32', () => ops.add(ones('bool'), ones('int32')), 'int32'],
    ['int32 + 1', () => ops.add(ones('int32'), 1), 'int32'],
    ['int32 + 0.5', () => ops.add(ones('int32'), 0.5), 'float32'],
    ['float64 + 0.1', () => ops.add(ones('float64'), 0.1), 'float64'],
    ['1 / int32', () => ops.div(1, ones('int32')), 'float32'],
    ['exp(int32)', () => ops.exp(ones('int32')), 'float32'],
    ['mean(int32)', () => ops.mean(ones('int32')), 'float32'],
    ['sum(bool)', () => ops.sum(ones('bool')), 'int32'],
    ['argmax(float64)', () => ops.argmax(ones('float64')), 'int32'],
    ['float64 < 1', () => ops.lt(ones('float64'), 1), 'bool'],
    ['where(bool, int32, float64)', () => ops.where(ones('bool'), ones('int32'), ones('float64')), 'float64'],
    ['concat(int32, float32)', () => ops.concat([ones('int32'), ones('float32')]), 'float32'],
    ['matmul(float32, float64)', () => ops.matmul(ones('float32'), ones('float64')), 'float64'],
    ['gather with int64', () => ops.gather(ones('bool'), 0, ops.zeros([1], { dtype: 'int64' })), 'bool'],
    ['pad(bool)', () => ops.pad(ones('bool'), [1, 1]), 'bool'],
    ['concat(int64)', () => ops.concat([ones('int64'), ones('int64')]), 'int64'],
    ['a slice of int64', () => ops.slice(ones('int64'), [[0, 0]]), 'int64'],
    ['square(int32)', () => ops.square(ones('int32')), 'float32'],
  ])('%s is %s', (_name, run, dtype) => {
    const result = run();
    expect(result.dtype).toBe(dtype);
    result.dataSync();
  });

  test('int32 wraps, int64 is exact', () => {
    const top = ops.tensor(Int32Array.of(2 ** 31 - 1));
    expect(valuesOf(ops.add(top, 1))).toEqual([-(2 ** 31)]);
    const wide = ops.tensor(BigInt64Array.of(2n ** 53n + 1n));
    expect(ops.concat([wide, wide]).dataSync()).toEqual(BigInt64Array.of(2n ** 53n + 1n, 2n ** 53n + 1n));
    expect(ops.full([2], 5, { dtype: 'int64' }).dataSync()).toEqual(BigInt64Array.of(5n, 5n));
  });

  test('a number is rounded to the dtype that it takes', () => {
    expect(ops.full([], 0.1).itemSync()).toBe(Math.fround(0.1));
    expect(valuesOf(ops.add(ops.zeros([1]), 0.1))).toEqual([Math.fround(0.1)]);
  });
});

onEachBackend('methods', () => {
  test('are the functions of their names, on tensors and on variables', async () => {
    const x = ops.tensor([
      [1, -2],
      [3, 4],
    ]);
    const variable = new Variable(x);
    for (const operand of [x, variable]) {
      expect(valuesOf(operand.add(1).mul(2))).toEqual([4, -2, 8, 10]);
      expect(valuesOf(operand.sum({ dim: 0 }))).toEqual([4, 2]);
      expect(valuesOf(operand.t().matmul(operand))).toEqual([10, 10, 10, 20]);
      expect(valuesOf(operand.reshape([4]).slice([[1, 3]]))).toEqual([-2, 3]);
      expect(operand.to('int32').dtype).toBe('int32');
      expect(operand.max().itemSync()).toBe(4);
      expect(await operand.min().item()).toBe(-2);
      expect(await operand.relu().data()).toEqual(Float32Array.of(1, 0, 3, 4));
    }
  });

  test('each of them gives what its function gives', () => {
    const x = ops.tensor([[0.25, 0.5]]);
    const index = ops.tensor(Int32Array.of(0), { shape: [1, 1] });
    const pairs: [Tensor, Tensor][] = [
      [x.variance({ correction: 0 }), ops.variance(x, { correction: 0 })],
      [x.std(), ops.std(x)],
      [x.softmax(1), ops.softmax(x, 1)],
      [x.logSoftmax(1), ops.logSoftmax(x, 1)],
      [x.leakyRelu({ negativeSlope: 0.2 }), ops.leakyRelu(x, { negativeSlope: 0.2 })],
      [x.gelu(), ops.gelu(x)],
      [x.clamp({ max: 0.3 }), ops.clamp(x, { max: 0.3 })],
      [x.flatten(), ops.flatten(x)],
      [x.squeeze(), ops.squeeze(x)],
      [x.unsqueeze(0), ops.unsqueeze(x, 0)],
      [x.permute([1, 0]), ops.permute(x, [1, 0])],
      [x.transpose(0, 1), ops.transpose(x, 0, 1)],
      [x.expand([2, 2]), ops.expand(x, [2, 2])],
      [x.narrow(1, 1, 1), ops.narrow(x, 1, 1, 1)],
      [x.select(1, 0), ops.select(x, 1, 0)],
      [x.pad([1, 0]), ops.pad(x, [1, 0])],
      [x.split(1, { dim: 1 })[1]!, ops.split(x, 1, { dim: 1 })[1]!],
      [x.chunk(2, { dim: 1 })[0]!, ops.chunk(x, 2, { dim: 1 })[0]!],
      [x.unstack({ dim: 1 })[0]!, ops.unstack(x, { dim: 1 })[0]!],
      [x.gather(1, index), ops.gather(x, 1, index)],
      [x.scatterAdd(1, index, x.narrow(1, 0, 1)), ops.scatterAdd(x, 1, index, ops.narrow(x, 1, 0, 1))],
      [x.logicalNot(), ops.logicalNot(x)],
      [x.pow(2), ops.pow(x, 2)],
      [x.logSumExp({ dim: 1 }), ops.logSumExp(x, { dim: 1 })],
    ];
    for (const [method, plain] of pairs) {
      expect([method.dtype, method.shape]).toEqual([plain.dtype, plain.shape]);
      expect(method.dataSync()).toEqual(plain.dataSync());
    }
  });
});
