import type { SaddlepointError } from '../../lib/errors';
import { DTypeError, ShapeError, ValueError } from '../../lib/errors';
import * as ops from '../../lib/ops';
import type { DType } from '../../lib/tensor/dtype';
import { onEachBackend } from '../helpers/backends';

type ErrorClass = new (message: string) => SaddlepointError;

const { zeros } = ops;
const index = (...values: number[]) => ops.tensor(Int32Array.from(values));
const int64 = ops.tensor(BigInt64Array.of(1n, 2n));
const image = zeros([1, 4, 5, 5]);
const filter = zeros([2, 4, 3, 3]);
const wrong = (value: unknown) => value as never;

/** What is called, what it throws, and what the message must name. */
const calls: readonly (readonly [call: () => unknown, error: ErrorClass, message: RegExp])[] = [
  // elementwise
  [() => ops.add(zeros([2]), zeros([3])), ShapeError, /add.*\[2\].*\[3\]/],
  [() => ops.mul(zeros([2, 3]), zeros([2])), ShapeError, /mul/],
  [() => ops.maximum(zeros([2]), zeros([3])), ShapeError, /maximum/],
  [() => ops.eq(zeros([2]), zeros([3])), ShapeError, /eq/],
  [() => ops.add(int64, int64), DTypeError, /add.*int64/],
  [() => ops.lt(int64, int64), DTypeError, /lt.*int64/],
  [() => ops.neg(int64), DTypeError, /neg.*int64/],
  [() => ops.add(wrong('a'), 1), ValueError, /add/],
  [() => ops.exp(wrong(undefined)), ValueError, /exp.*undefined/],
  [() => ops.add(index(1), 3e9), DTypeError, /add.*int32/],
  [() => ops.where(zeros([2]), 1, 2), DTypeError, /where.*bool.*float32/],
  [() => ops.cast(zeros([2]), wrong('float16')), DTypeError, /float16.*float32/],
  [() => ops.clamp(zeros([2]), {}), ValueError, /clamp/],
  [() => ops.clamp(zeros([2]), { min: NaN }), ValueError, /clamp.*NaN/],
  [() => ops.gelu(zeros([2]), { approximate: wrong('erf') }), ValueError, /gelu.*'tanh'.*erf/],
  [() => ops.leakyRelu(zeros([2]), { negativeSlope: NaN }), ValueError, /leakyRelu.*NaN/],
  [() => ops.hardtanh(zeros([2]), { minValue: 1, maxValue: 0 }), ValueError, /hardtanh/],
  // shapes
  [() => ops.reshape(wrong([1, 2]), [2]), ValueError, /reshape.*tensor/],
  [() => ops.sum(wrong([1, 2])), ValueError, /sum.*tensor/],
  [() => ops.softmax(wrong('x'), 0), ValueError, /softmax.*tensor/],
  [() => ops.cast(wrong({}), 'int32'), ValueError, /cast.*tensor/],
  [() => ops.gather(zeros([2]), 0, wrong([0])), ValueError, /gather.*tensor/],
  [() => ops.conv2d(wrong([[1]]), filter), ValueError, /conv2d.*tensor/],
  [() => ops.permute(zeros([2]), wrong(undefined)), ShapeError, /permute.*undefined/],
  [() => ops.slice(zeros([2]), wrong(1)), ValueError, /slice.*1/],
  [() => ops.pad(wrong(null), [1, 1]), ValueError, /pad.*tensor/],
  [() => ops.split(wrong([1]), 1), ValueError, /split.*tensor/],
  [() => ops.reshape(zeros([6]), [4]), ShapeError, /reshape.*\[6\].*\[4\]/],
  [() => ops.reshape(zeros([6]), [-1, -1]), ShapeError, /reshape/],
  [() => ops.reshape(zeros([6]), [4, -1]), ShapeError, /reshape.*-1/],
  [() => ops.reshape(zeros([0]), [0, -1]), ShapeError, /reshape.*-1/],
  [() => ops.reshape(zeros([6]), [1.5, 4]), ShapeError, /reshape/],
  [() => ops.reshape(zeros([6]), wrong(6)), ShapeError, /reshape.*6/],
  [() => ops.reshape(zeros([1]), new Array<number>(9).fill(1)), ShapeError, /reshape.*9 dims/],
  [() => ops.unsqueeze(zeros(new Array<number>(8).fill(1)), 0), ShapeError, /9 dims/],
  [() => ops.flatten(zeros([2, 3]), { startDim: 1, endDim: 0 }), ShapeError, /flatten/],
  [() => ops.squeeze(zeros([2]), { dim: 1 }), ShapeError, /squeeze.*dim 1/],
  [() => ops.permute(zeros([2, 3]), [0, 0]), ShapeError, /permute/],
  [() => ops.permute(zeros([2, 3]), [0]), ShapeError, /permute/],
  [() => ops.permute(zeros([2, 3]), [0, 2]), ShapeError, /permute.*dim 2/],
  [() => ops.t(zeros([2, 3, 4])), ShapeError, /t:.*\[2, 3, 4\]/],
  [() => ops.expand(zeros([2]), [3]), ShapeError, /expand.*\[2\].*\[3\]/],
  [() => ops.expand(zeros([2, 2]), [2]), ShapeError, /expand/],
  [() => ops.expand(zeros([2]), [-1, 2]), ShapeError, /expand/],
  [() => ops.expand(zeros([1, 1]), [2 ** 16, 2 ** 16]), ShapeError, /elements/],
  [() => ops.slice(zeros([2]), [[0, 1, 0]]), ValueError, /slice.*step.*0/],
  [() => ops.slice(zeros([2]), [[0, 1, -1]]), ValueError, /slice.*step.*-1/],
  [() => ops.slice(zeros([2]), [[0.5, 1]]), ValueError, /slice.*0.5/],
  [() => ops.slice(zeros([2]), [null, null]), ShapeError, /slice.*2 ranges/],
  [() => ops.narrow(zeros([4]), 0, 3, 2), ShapeError, /narrow/],
  [() => ops.narrow(zeros([4]), 0, 0, -1), ValueError, /narrow.*length/],
  [() => ops.narrow(zeros([]), 0, 0, 1), ShapeError, /narrow/],
  [() => ops.select(zeros([4]), 0, 4), ShapeError, /select.*4/],
  [() => ops.select(zeros([4]), 1, 0), ShapeError, /select.*dim 1/],
  [() => ops.pad(zeros([2]), [1]), ShapeError, /pad/],
  [() => ops.pad(zeros([2]), [1, 1, 1, 1]), ShapeError, /pad.*\[2\]/],
  [() => ops.pad(zeros([2]), [-1, 0]), ValueError, /pad.*-1/],
  [() => ops.pad(index(1), [1, 0], { value: 0.5 }), ValueError, /pad.*0.5.*int32/],
  [() => ops.concat([]), ValueError, /concat/],
  [() => ops.concat(wrong(zeros([2]))), ValueError, /concat/],
  [() => ops.concat([zeros([]), zeros([])]), ShapeError, /concat.*stack/],
  [() => ops.concat([zeros([2, 3]), zeros([2, 2])]), ShapeError, /concat.*\[2, 3\].*\[2, 2\]/],
  [() => ops.concat([zeros([2]), zeros([2, 2])]), ShapeError, /concat/],
  [() => ops.stack([zeros([2]), zeros([3])]), ShapeError, /stack.*\[2\].*\[3\]/],
  [() => ops.split(zeros([5]), [2, 2]), ShapeError, /split.*\[2, 2\].*5/],
  [() => ops.split(zeros([5]), 0), ValueError, /split.*0/],
  [() => ops.chunk(zeros([5]), 0), ValueError, /chunk.*0/],
  [() => ops.unstack(zeros([])), ShapeError, /unstack/],
  // reductions
  [() => ops.sum(zeros([2]), { dim: 1 }), ShapeError, /sum.*dim 1/],
  [() => ops.sum(zeros([2, 2]), { dim: [0, -2] }), ShapeError, /sum.*twice/],
  [() => ops.sum(int64), DTypeError, /sum.*int64/],
  [() => ops.mean(zeros([2]), { dim: 5 }), ShapeError, /mean.*5/],
  [() => ops.max(zeros([0])), ShapeError, /max.*\[0\]/],
  [() => ops.argmin(zeros([2, 0]), { dim: 1 }), ShapeError, /argmin/],
  [() => ops.variance(zeros([2]), { correction: -1 }), ValueError, /variance.*-1/],
  [() => ops.softmax(zeros([2]), 1), ShapeError, /softmax.*1/],
  // products
  [() => ops.conv2d(image, filter, null, { stride: 2 ** 40 }), ValueError, /conv2d.*stride.*2\^31/],
  [() => ops.conv2d(image, filter, null, { padding: 2 ** 16, stride: 2 ** 20 }), ShapeError, /conv2d.*padding.*65536/],
  [() => ops.maxPool2d(image, 2, { stride: 2 ** 31 }), ValueError, /maxPool2d.*stride/],
  [() => ops.pad(index(1), [1, 0], { value: 2 ** 31 }), ValueError, /pad.*2147483648.*int32/],
  [() => ops.matmul(zeros([2, 3]), zeros([2, 3])), ShapeError, /matmul.*3.*2/],
  [() => ops.matmul(zeros([]), zeros([2])), ShapeError, /matmul.*\[\]/],
  [() => ops.matmul(zeros([2, 2, 3]), zeros([3, 3, 2])), ShapeError, /matmul/],
  [() => ops.conv2d(image, zeros([2, 3, 3, 3])), ShapeError, /conv2d.*3 channels, got 4/],
  [() => ops.conv2d(image, zeros([3, 2, 3, 3]), null, { groups: 2 }), ShapeError, /conv2d.*groups 2.*3/],
  [() => ops.conv2d(zeros([5, 5]), filter), ShapeError, /conv2d.*\[5, 5\]/],
  [() => ops.conv2d(image, zeros([2, 4, 3])), ShapeError, /conv2d.*weight/],
  [() => ops.conv2d(image, zeros([2, 4, 0, 3])), ShapeError, /conv2d/],
  [() => ops.conv2d(image, zeros([2, 4, 7, 7])), ShapeError, /conv2d.*7.*5/],
  [() => ops.conv2d(image, filter, zeros([3])), ShapeError, /conv2d.*bias.*\[3\]/],
  [() => ops.conv2d(image, filter, null, { stride: 0 }), ValueError, /conv2d.*stride.*0/],
  [() => ops.conv2d(image, filter, null, { stride: [1, 1, 1] }), ValueError, /conv2d.*stride/],
  [() => ops.conv2d(image, filter, null, { padding: -1 }), ValueError, /conv2d.*padding.*-1/],
  [() => ops.conv2d(image, filter, null, { dilation: 0.5 }), ValueError, /conv2d.*dilation.*0.5/],
  [() => ops.conv2d(image, filter, null, { groups: 0 }), ValueError, /conv2d.*groups.*0/],
  [() => ops.conv2d(image, filter, null, { padding: 'same', stride: 2 }), ValueError, /conv2d.*same.*stride/],
  [() => ops.conv2d(image, filter, null, { padding: wrong('full') }), ValueError, /conv2d.*padding.*full/],
  [
    () => ops.conv2dInputGrad(zeros([1, 2, 4, 4]), filter, 5),
    ShapeError,
    /conv2dInputGrad.*\[1, 2, 3, 3\].*\[1, 2, 4, 4\]/,
  ],
  [() => ops.conv2dWeightGrad(zeros([1, 2, 4, 4]), image, 3), ShapeError, /conv2dWeightGrad/],
  [() => ops.conv2dWeightGrad(zeros([1, 2, 3, 3]), image, 3, { groups: 3 }), ShapeError, /groups 3.*4/],
  [() => ops.conv2dInputGrad(zeros([1, 2, 3, 3]), filter, 5, { padding: 'same' }), ValueError, /padding.*same/],
  // pools and normalisation
  [() => ops.maxPool2d(image, 0), ValueError, /maxPool2d.*kernelSize.*0/],
  [() => ops.maxPool2d(image, 2, { stride: 0 }), ValueError, /maxPool2d.*stride/],
  [() => ops.maxPool2d(image, 2, { padding: 2 }), ValueError, /maxPool2d.*padding.*half/],
  [() => ops.maxPool2d(image, 6), ShapeError, /maxPool2d.*6.*5/],
  [() => ops.maxPool2d(zeros([5, 5]), 2), ShapeError, /maxPool2d.*\[5, 5\]/],
  [() => ops.avgPool2d(image, [2]), ValueError, /avgPool2d.*kernelSize/],
  [() => ops.avgPool2dInputGrad(zeros([1, 4, 3, 3]), 5, 2), ShapeError, /avgPool2dInputGrad/],
  [() => ops.adaptiveAvgPool2d(image, 0), ValueError, /adaptiveAvgPool2d.*outputSize/],
  [() => ops.adaptiveAvgPool2d(zeros([1, 1, 0, 3]), 1), ShapeError, /adaptiveAvgPool2d/],
  [() => ops.batchNormStatistics(zeros([3])), ShapeError, /batchNormStatistics.*\[3\]/],
  [() => ops.batchNormStatistics(zeros([0, 3])), ShapeError, /empty batch/],
  [() => ops.batchNorm(image, zeros([2, 3]), zeros([4]), zeros([4])), ShapeError, /batchNorm.*\[2, 4\].*\[2, 3\]/],
  [() => ops.batchNorm(image, zeros([2, 4]), zeros([3]), zeros([4])), ShapeError, /batchNorm.*weight/],
  [() => ops.batchNorm(image, zeros([2, 4]), zeros([4]), zeros([4]), { eps: -1 }), ValueError, /eps.*-1/],
  // indexing
  [() => ops.gather(zeros([2, 3]), 0, zeros([2, 3])), DTypeError, /gather.*int32.*float32/],
  [() => ops.gather(zeros([2, 3]), 0, index(0)), ShapeError, /gather.*\[2, 3\].*\[1\]/],
  [() => ops.gather(zeros([2, 3]), 0, ops.reshape(index(0, 0, 0, 0), [1, 4])), ShapeError, /gather/],
  [() => ops.gather(zeros([2]), 1, index(0)), ShapeError, /gather.*dim 1/],
  [() => ops.scatterAdd(zeros([3]), 0, index(0, 1), zeros([3])), ShapeError, /scatterAdd.*\[2\].*\[3\]/],
  [() => ops.scatterAdd(int64, 0, index(0, 1), int64), DTypeError, /scatterAdd.*int64/],
  [() => ops.embedding(zeros([3]), index(0)), ShapeError, /embedding.*\[3\]/],
  [() => ops.embedding(zeros([3, 2]), zeros([1])), DTypeError, /embedding.*float32/],
  [() => ops.embeddingGrad(zeros([2, 2]), index(0), 3), ShapeError, /embeddingGrad/],
  [() => ops.oneHot(index(0), 0), ValueError, /oneHot.*classes/],
  [() => ops.checkRange(index(0), 0, 1), DTypeError, /checkRange.*int32/],
  [() => ops.checkRange(zeros([2]), 1, 0), ValueError, /checkRange.*1 and 0/],
  [() => ops.checkRange(zeros([2]), NaN, 0), ValueError, /checkRange.*NaN and 0/],
  // creation
  [() => ops.tensor([[1, 2], [3]]), ShapeError, /ragged/],
  [() => ops.tensor([1, [2]] as never), ShapeError, /ragged/],
  [() => ops.tensor([[1], 2] as never), ShapeError, /ragged/],
  [() => ops.tensor([1, 2, 3], { shape: [2] }), ShapeError, /tensor.*3.*\[2\]/],
  [() => ops.tensor(['1'] as never), ValueError, /string/],
  [() => ops.tensor(null as never), ValueError, /null/],
  [() => ops.tensor(zeros([2]) as never), ValueError, /tensor/],
  [() => ops.tensor([1.5], { dtype: 'int32' }), DTypeError, /1.5.*int32/],
  [() => ops.tensor([3e9], { dtype: 'int32' }), DTypeError, /3000000000.*int32/],
  [() => ops.tensor([NaN], { dtype: 'int64' }), DTypeError, /NaN.*int64/],
  [() => ops.tensor([2n ** 63n]), DTypeError, /int64/],
  [() => ops.tensor([1], { dtype: 'complex' as DType }), DTypeError, /complex/],
  [() => ops.tensor([1], { dtype: 'int32', requiresGrad: true }), DTypeError, /gradients.*int32/],
  [() => zeros([-1]), ShapeError, /-1/],
  [() => zeros([2 ** 31]), ShapeError, /elements/],
  [() => ops.full([2], wrong('x')), ValueError, /full.*string/],
  [() => ops.full([2], 0.5, { dtype: 'int32' }), DTypeError, /0.5/],
  [() => ops.arange(0, 3, { step: 0 }), ValueError, /arange.*step/],
  [() => ops.arange(NaN), ValueError, /arange.*NaN/],
  [() => ops.arange(1e12), ShapeError, /arange/],
  [() => ops.linspace(0, 1, -1), ValueError, /linspace.*-1/],
  [() => ops.eye(-1), ValueError, /eye.*-1/],
  // random
  [() => ops.manualSeed(-1), ValueError, /seed.*-1/],
  [() => ops.manualSeed(2 ** 53), ValueError, /seed/],
  [() => ops.manualSeed(0.5), ValueError, /seed.*0.5/],
  [() => (new ops.Generator().state = { seed: 1, offset: -1 }), ValueError, /offset.*-1/],
  [() => ops.rand([2], { dtype: 'int32' }), DTypeError, /rand.*int32/],
  [() => ops.uniform([2], 1, 0), ValueError, /uniform.*1.*0/],
  [() => ops.normal([2], 0, -1), ValueError, /normal.*-1/],
  [() => ops.randperm(-1), ValueError, /randperm.*-1/],
  [() => ops.randperm(1.5), ValueError, /randperm.*1.5/],
  [() => ops.dropout(zeros([2]), 1.5), ValueError, /dropout.*1.5/],
  [() => ops.dropout(zeros([2]), NaN), ValueError, /dropout.*NaN/],
];

describe('bad input is a typed error where it is made', () => {
  test.each(
    calls.map(([call, error, message]) => [String(call).replace(/^\(\) => /, ''), call, error, message] as const),
  )('%s', (_source, call, error, message) => {
    expect(call).toThrow(error);
    expect(call).toThrow(message);
  });
});

onEachBackend('an index outside of its dim fails when it is computed, with the name and the place', () => {
  test.each([
    ['gather', () => ops.gather(zeros([3]), 0, index(0, 3))],
    ['gather', () => ops.gather(zeros([3]), 0, index(-1))],
    ['scatterAdd', () => ops.scatterAdd(zeros([3]), 0, index(7), zeros([1]))],
    ['embedding', () => ops.embedding(zeros([3, 2]), index(3))],
    ['embeddingGrad', () => ops.embeddingGrad(zeros([1, 2]), index(-1), 3)],
    ['oneHot', () => ops.oneHot(index(2), 2)],
  ])('%s', async (name, call) => {
    expect(() => call().dataSync()).toThrow(ValueError);
    expect(() => call().dataSync()).toThrow(name);
    await expect(call().data()).rejects.toThrow(ValueError);
  });
});

onEachBackend('a number outside of its range fails when it is computed, with the name and the place', () => {
  test.each([
    ['checkRange: 2 at position 1 is out of range [-1, 1]', () => ops.checkRange(ops.tensor([1, 2, 3]), -1, 1)],
    [
      'checkRange: NaN at position 0 is out of range [-Infinity, Infinity]',
      () => ops.checkRange(ops.tensor([NaN]), -Infinity, Infinity),
    ],
    ['checkRange: Infinity at position 1', () => ops.checkRange(ops.tensor([NaN, Infinity]), 0, 1, { allowNaN: true })],
    ['bernoulli: 1.100000023841858 at position 0 is out of range [0, 1]', () => ops.bernoulli(ops.tensor([1.1]))],
    ['bernoulli: NaN at position 0', () => ops.bernoulli(ops.tensor([NaN]))],
  ])('%s', async (message, call) => {
    expect(() => call().dataSync()).toThrow(ValueError);
    expect(() => call().dataSync()).toThrow(message);
    await expect(call().data()).rejects.toThrow(message);
  });

  test('NaN passes where it is allowed', () => {
    expect([...ops.checkRange(ops.tensor([0, NaN]), 0, 1, { allowNaN: true }).dataSync()]).toEqual([0, NaN]);
  });
});
