import { compile, gradients, optim, type Tensor } from '../../../lib';
import type { LoweredInstruction, Slot } from '../../../lib/graph/program/lower';
import { recomputing } from '../../../lib/graph/program/recompute';
import { BatchNorm2d, Conv2d, ReLU, Sequential } from '../../../lib/nn';
import { manualSeed, randn } from '../../../lib/ops/random';
import { backends } from '../../helpers/backends';

const LENGTH = 1 << 20;
const view = (buffer: number) => ({ buffer, offset: 0, shape: [1024, 1024], strides: [1024, 1] });

/** kernel, what it reads, what it writes. */
type Short = readonly [kernel: 'matmul' | 'batchNorm', inputs: readonly number[], outputs: readonly number[]];

const instructionsOf = (all: readonly Short[]): LoweredInstruction[] =>
  all.map(([kernel, inputs, outputs]) => ({
    ...{ kernel, inputs: inputs.map(view), outputs: outputs.map(view), attributes: [], label: kernel, site: -1 },
  }));
const slotsOf = (count: number): Slot[] =>
  Array.from({ length: count }, (_, i) => ({ dtype: 'float32', length: LENGTH, leaf: i === 0 ? 0 : -1 }));
const isLeaf = (slot: number): boolean => slot === 0;

function shortly(all: readonly Short[], count: number): Short[] | null {
  const result = recomputing(instructionsOf(all), slotsOf(count), isLeaf);
  if (result === null) return null;
  return result.instructions.map(({ kernel, inputs, outputs }) => [
    ...([kernel as 'matmul', inputs.map(({ buffer }) => buffer), outputs.map(({ buffer }) => buffer)] as const),
  ]);
}

// 1 is dear and read to the end; 2 is cheap, read early, and again behind the peak.
const forward: readonly Short[] = [
  ['matmul', [0], [1]],
  ['batchNorm', [1], [2]],
  ['matmul', [2], [3]],
  ['matmul', [3], [4]],
  ['matmul', [3, 4], [5]],
];

test('what is cheap, and made of what is there, is made again just before it is read', () => {
  const all: Short[] = [...forward, ['matmul', [5], [6]], ['matmul', [6, 2], [7]], ['matmul', [7, 1], [8]]];
  expect(shortly(all, 9)).toEqual([
    ...forward,
    ['matmul', [5], [6]],
    ['batchNorm', [1], [9]],
    ['matmul', [6, 9], [7]],
    ['matmul', [7, 1], [8]],
  ]);
});

test('what is made of something that is gone is kept, and so is what is dear', () => {
  expect(shortly([...forward, ['matmul', [5], [6]], ['matmul', [6, 2], [7]]], 8)).toBeNull();
  const dear = forward.map(([kernel, ...rest], i): Short => [i === 1 ? 'matmul' : kernel, ...rest]);
  expect(shortly([...dear, ['matmul', [5, 2], [6]], ['matmul', [6, 1], [7]]], 8)).toBeNull();
});

test('two cheap instructions behind each other run again together', () => {
  const twice: Short[] = [
    ['matmul', [0], [1]],
    ['batchNorm', [1], [2]],
    ['batchNorm', [2], [3]],
    ['matmul', [3], [4]],
    ['matmul', [4], [5]],
    ['matmul', [4, 5], [6]],
    ['matmul', [6, 3], [7]],
    ['matmul', [7, 1], [8]],
  ];
  expect(shortly(twice, 9)!.slice(6)).toEqual([
    ['batchNorm', [1], [9]],
    ['batchNorm', [9], [10]],
    ['matmul', [6, 10], [7]],
    ['matmul', [7, 1], [8]],
  ]);
});

const native = backends.includes('native') ? test : test.skip;

native('a network of large images: less memory, and the gradients of two halves that fit', async () => {
  manualSeed(3);
  const layers = [0, 1, 2].flatMap(() => [new Conv2d(16, 16, 3, { padding: 1 }), new BatchNorm2d(16), new ReLU()]);
  const model = new Sequential(...layers);
  model.eval();
  const x = randn([24, 16, 64, 64]);
  // A training step, which overwrites its momentum; the weights stay as they are.
  const optimizer = new optim.SGD(model.parameters(), { lr: 0, momentum: 0.9 });
  const gradientOf = compile((images: Tensor) => {
    optimizer.zeroGrad();
    const start = images.detach();
    start.requiresGrad = true;
    const loss = model.forward(start).square().sum();
    const [gradient] = gradients([loss], [start], undefined, { retainGraph: true });
    loss.backward();
    void optimizer.step();
    return gradient!;
  });
  const part = (from: number): Tensor => x.slice([[from, from + 12], null, null, null]);
  const whole = (await gradientOf(x).data()) as Float32Array;
  const halves = [await gradientOf(part(0)).data(), await gradientOf(part(12)).data()] as Float32Array[];
  const [small, large] = compile.explain(gradientOf).programs.map(({ arenaBytes }) => arenaBytes) as [number, number];
  expect(small).toBeLessThan(32 * 2 ** 20);
  expect(large).toBeLessThan(1.5 * small);
  const bytes = (values: Float32Array): Buffer => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
  expect(bytes(whole).equals(Buffer.concat(halves.map(bytes)))).toBe(true);
});
