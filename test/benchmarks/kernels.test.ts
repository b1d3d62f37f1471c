import { kernelCases, type KernelCase } from '../../benchmarks/kernels/cases';
import { contenderOf, resultsOf } from '../../benchmarks/kernels/contender';
import { kinds, type Kind } from '../../benchmarks/kernels/kinds';
import { networks } from '../../benchmarks/kernels/layers';
import { ones, tensor } from '../../lib';
import { useBackend } from '../../lib/backend';
import { backends } from '../helpers/backends';

beforeAll(() => useBackend(backends.at(-1)!));

/** Of each kind and direction the case with the least to do. */
const smallest = [...new Set(kernelCases.map(({ kind, training }) => `${kind} ${training}`))].map(
  (key) =>
    kernelCases
      .filter(({ kind, training }) => `${kind} ${training}` === key)
      .sort((a, b) => a.bytes * a.copies - b.bytes * b.copies)[0]!,
);

test('cases have names of their own, work, and every kind among them', () => {
  expect(new Set(kernelCases.map(({ name }) => name)).size).toBe(kernelCases.length);
  for (const { flops, bytes, copies, inputs } of kernelCases) {
    expect(flops).toBeGreaterThan(0);
    expect(bytes).toBeGreaterThan(0);
    expect(Number.isInteger(copies) && copies >= 1).toBe(true);
    expect(inputs.flat().every((dim) => Number.isInteger(dim) && dim > 0)).toBe(true);
  }
  expect(new Set(kernelCases.map(({ kind }) => kind))).toEqual(new Set(Object.keys(kinds)));
});

test('layers are those of the networks', () => {
  const multiplications = (name: string): number =>
    networks
      .find((network) => network.name === name)!
      .layers.reduce((sum, { channels, size, outChannels, kernel, stride, groups }) => {
        const out = Math.ceil(size / stride);
        return sum + (out * out * channels * outChannels * kernel * kernel) / groups;
      }, 0);
  // Distinct layers: ResNet-18 has 11 of its 20 convolutions, whose multiplications He et al. give as 1.8e9 in all.
  expect(networks.map(({ layers }) => layers.length)).toEqual([11, 22, 11, 9, 30, 2]);
  expect(multiplications('ResNet-18')).toBeLessThan(1.8e9);
  expect(multiplications('ResNet-18')).toBeGreaterThan(0.7e9);
});

test.each(smallest.map((item) => [`${item.kind}, ${item.training ? 'training' : 'forward'}`, item] as const))(
  '%s can be timed',
  async (_, item) => {
    expect(await contenderOf({ ...item, copies: 2 }).time(2)).toBeGreaterThan(0);
  },
);

test('a training case gives the gradients of all inputs of floating point', () => {
  const item = { ...caseOf('crossEntropy'), training: true, options: { classes: 3 } };
  const results = resultsOf(item, [ones([2, 3]), tensor(Int32Array.of(0, 2))]);
  expect(results.map(({ shape }) => shape)).toEqual([[], [2, 3]]);
  // The cotangent is the loss itself, log 3: its gradient is (softmax - target) / 2.
  const expected = [-2, 1, 1, 1, 1, -2].map((x) => (x / 6) * Math.log(3));
  Array.from(results[1]!.dataSync(), Number).forEach((x, i) => expect(x).toBeCloseTo(expected[i]!, 6));
});

function caseOf(kind: Kind): KernelCase {
  return kernelCases.find((item) => item.kind === kind)!;
}
