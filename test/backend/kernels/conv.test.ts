import { backends } from './backends';
import { dense, elements, type Operand, runKernel, sizeOf } from './builder';
import { expectEqual, expectWithin, Numbers, roundoff } from './numbers';

// Looking up a global costs a microsecond inside jest.
const { abs, floor } = Math;

interface Case {
  readonly x: readonly [n: number, c: number, h: number, w: number];
  readonly weight: readonly [o: number, c: number, kh: number, kw: number];
  readonly stride?: readonly [number, number];
  readonly padding?: readonly [number, number];
  readonly dilation?: readonly [number, number];
  readonly groups?: number;
}

const cases: [string, Case][] = [
  ['1x1', { x: [2, 5, 6, 7], weight: [9, 5, 1, 1] }],
  ['1x1 with stride and padding', { x: [2, 3, 6, 7], weight: [5, 3, 1, 1], stride: [2, 3], padding: [1, 2] }],
  ['1x1 with strides and groups', { x: [3, 6, 9, 8], weight: [10, 3, 1, 1], stride: [2, 3], groups: 2 }],
  ['1x1 on small images, side by side', { x: [7, 30, 5, 5], weight: [40, 30, 1, 1] }],
  ['1x1 on pixels in chunks', { x: [1, 20, 23, 25], weight: [70, 20, 1, 1] }],
  ['many output channels with stride 2', { x: [2, 5, 9, 11], weight: [130, 5, 3, 3], stride: [2, 2], padding: [1, 1] }],
  ['many output channels on a tiny image', { x: [1, 6, 4, 3], weight: [129, 6, 3, 3], padding: [1, 1] }],
  ['3x3', { x: [3, 4, 8, 8], weight: [16, 4, 3, 3], padding: [1, 1] }],
  ['3x3 of one channel', { x: [5, 1, 8, 8], weight: [16, 1, 3, 3], padding: [1, 1] }],
  ['3x3 on odd sizes', { x: [1, 17, 9, 11], weight: [19, 17, 3, 3] }],
  ['3x3 with stride 2', { x: [2, 6, 15, 14], weight: [7, 6, 3, 3], stride: [2, 2], padding: [1, 1] }],
  [
    'small images with stride 2, side by side',
    { x: [6, 5, 9, 7], weight: [40, 5, 3, 3], stride: [2, 2], padding: [1, 1] },
  ],
  ['many output channels of one image', { x: [1, 9, 7, 6], weight: [140, 9, 3, 3], padding: [1, 1] }],
  ['a stem of 7x7 with stride 2', { x: [1, 3, 23, 25], weight: [8, 3, 7, 7], stride: [2, 2], padding: [3, 3] }],
  ['dilation', { x: [2, 3, 12, 13], weight: [4, 3, 3, 2], dilation: [2, 3], padding: [2, 1] }],
  [
    'uneven everything',
    { x: [2, 4, 11, 7], weight: [6, 2, 2, 5], stride: [3, 1], padding: [0, 4], dilation: [4, 1], groups: 2 },
  ],
  ['padding beyond the kernel', { x: [1, 2, 4, 3], weight: [3, 2, 2, 2], padding: [3, 4] }],
  ['a kernel as large as the image', { x: [4, 3, 5, 6], weight: [10, 3, 5, 6] }],
  ['more than 128 taps', { x: [2, 1, 14, 13], weight: [2, 1, 12, 12], padding: [1, 1] }],
  ['groups', { x: [2, 12, 7, 7], weight: [15, 4, 3, 3], padding: [1, 1], groups: 3 }],
  ['depthwise', { x: [2, 21, 9, 10], weight: [21, 1, 3, 3], padding: [1, 1], groups: 21 }],
  [
    'depthwise with stride and multiplier',
    { x: [2, 5, 9, 10], weight: [10, 1, 3, 3], stride: [2, 2], padding: [1, 1], groups: 5 },
  ],
  ['one output channel', { x: [2, 6, 9, 9], weight: [1, 6, 3, 3], padding: [1, 1] }],
  ['many pixels', { x: [1, 3, 60, 61], weight: [5, 3, 3, 3], padding: [1, 1] }],
  ['many small images', { x: [50, 8, 2, 2], weight: [8, 8, 2, 2], padding: [1, 1] }],
  ['a long contraction', { x: [2, 130, 4, 4], weight: [10, 130, 3, 3], padding: [1, 1] }],
  ['large', { x: [1, 24, 16, 16], weight: [40, 24, 3, 3], padding: [1, 1] }],
];

function geometryOf({ x, weight, stride = [1, 1], padding = [0, 0], dilation = [1, 1], groups = 1 }: Case) {
  const size = (dim: 0 | 1): number =>
    Math.floor((x[2 + dim]! + 2 * padding[dim] - dilation[dim] * (weight[2 + dim]! - 1) - 1) / stride[dim]) + 1;
  const attributes = [...stride, ...padding, ...dilation, groups, 0];
  return { stride, padding, dilation, groups, attributes, y: [x[0], weight[0], size(0), size(1)] as const };
}

/** Calls `visit` with the places in x, weight and y of every product of a convolution. */
function products(conv: Case, visit: (x: number, weight: number, y: number) => void): void {
  const { stride, padding, dilation, groups, y } = geometryOf(conv);
  const [, c, h, w] = conv.x;
  const [o, channels, kh, kw] = conv.weight;
  const [n, , oh, ow] = y;
  for (let image = 0; image < n; image++)
    for (let out = 0; out < o; out++)
      for (let i = 0; i < oh; i++)
        for (let j = 0; j < ow; j++)
          for (let channel = 0; channel < channels; channel++)
            for (let a = 0; a < kh; a++)
              for (let b = 0; b < kw; b++) {
                const row = i * stride[0] - padding[0] + a * dilation[0];
                const column = j * stride[1] - padding[1] + b * dilation[1];
                if (row < 0 || row >= h || column < 0 || column >= w) continue;
                const source = floor(out / (o / groups)) * channels + channel;
                visit(
                  ((image * c + source) * h + row) * w + column,
                  ((out * channels + channel) * kh + a) * kw + b,
                  ((image * o + out) * oh + i) * ow + j,
                );
              }
}

interface Sums {
  readonly sums: Float64Array;
  readonly magnitudes: Float64Array;
}

function emptySums(shape: readonly number[]): Sums {
  return { sums: new Float64Array(sizeOf(shape)), magnitudes: new Float64Array(sizeOf(shape)) };
}

function add({ sums, magnitudes }: Sums, at: number, product: number): void {
  sums[at]! += product;
  magnitudes[at]! += abs(product);
}

describe.each(backends)('convolutions on %s', (_name, backend) => {
  /** All three from the same arrays: [result, reference, number of terms of a sum at most]. */
  function runAll(conv: Case, x: Operand, weight: Operand, g: Operand): [number[], Sums, number][] {
    const { attributes, y } = geometryOf(conv);
    const { dtype } = x;
    const [xs, ws, gs] = [x, weight, g].map((operand) => Float64Array.from(elements(operand))) as [
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const forward = emptySums(y);
    const inputGrad = emptySums(conv.x);
    const weightGrad = emptySums(conv.weight);
    products(conv, (i, j, k) => {
      add(forward, k, xs[i]! * ws[j]!);
      add(inputGrad, i, gs[k]! * ws[j]!);
      add(weightGrad, j, gs[k]! * xs[i]!);
    });
    const run = (
      kernel: 'conv2d' | 'conv2dInputGrad' | 'conv2dWeightGrad',
      inputs: Operand[],
      shape: readonly number[],
    ) => runKernel(backend, { kernel, inputs, outputs: [{ dtype, shape }], attributes })[0]!;
    return [
      [run('conv2d', [x, weight], y), forward, sizeOf(conv.weight) / conv.weight[0]],
      [run('conv2dInputGrad', [g, weight], conv.x), inputGrad, sizeOf(conv.weight) / conv.weight[1]],
      [run('conv2dWeightGrad', [g, x], conv.weight), weightGrad, sizeOf(y) / y[1]],
    ];
  }

  describe.each(['float32', 'float64'] as const)('%s', (dtype) => {
    it.each(cases)('is exact on small integers: %s', (_title, conv) => {
      const numbers = new Numbers(1);
      const [x, weight] = [numbers.integers(dtype, conv.x), numbers.integers(dtype, conv.weight)];
      const g = numbers.integers(dtype, geometryOf(conv).y);
      for (const [actual, { sums }] of runAll(conv, x, weight, g)) expectEqual(actual, sums);
    });

    it.each(cases)('stays within the error bound: %s', (_title, conv) => {
      const numbers = new Numbers(2);
      const [x, weight] = [numbers.reals(dtype, conv.x), numbers.reals(dtype, conv.weight)];
      const g = numbers.reals(dtype, geometryOf(conv).y);
      for (const [actual, { sums, magnitudes }, terms] of runAll(conv, x, weight, g))
        expectWithin(actual, sums, (i) => 2 * (terms + 10) * roundoff[dtype] * magnitudes[i]!);
    });

    it('gives an image the same bits whatever stands beside it', () => {
      const shape = [1, 5, 7, 6];
      const weight = new Numbers(3).reals(dtype, [9, 5, 3, 3]);
      const x = new Numbers(4).reals(dtype, shape);
      const run = (input: Operand): number[] =>
        runKernel(backend, {
          kernel: 'conv2d',
          inputs: [input, weight],
          outputs: [{ dtype, shape: [input.shape[0]!, 9, 7, 6] }],
          attributes: [1, 1, 1, 1, 1, 1, 1, 0],
        })[0]!;
      const alone = run(x);
      for (const n of [2, 7, 33]) {
        const together = run(dense(dtype, [n, ...shape.slice(1)], x.values));
        for (let i = 0; i < n; i++) expectEqual(together.slice(i * alone.length, (i + 1) * alone.length), alone);
      }
    });

    it.each([
      ['3x3', { x: [2, 4, 6, 6], weight: [8, 4, 3, 3] }],
      ['1x1 on small images, side by side', { x: [6, 4, 4, 4], weight: [8, 4, 1, 1] }],
      ['many output channels with stride 2', { x: [2, 4, 6, 6], weight: [128, 4, 3, 3], stride: [2, 2] }],
      [
        'small images with stride 2, side by side',
        { x: [5, 4, 7, 7], weight: [40, 4, 3, 3], stride: [2, 2], padding: [1, 1] },
      ],
    ] as [string, Case][])(
      'propagates NaN and infinity into the windows that hold them, and no others: %s',
      (_title, conv) => {
        const numbers = new Numbers(5);
        const x = numbers.integers(dtype, conv.x, 1, 2);
        const withNaN = { ...x, values: x.values.map((value, i) => (i === 100 ? NaN : i === 9 ? Infinity : value)) };
        const weight = numbers.integers(dtype, conv.weight, 1, 2);
        const g = numbers.integers(dtype, geometryOf(conv).y, 1, 2);
        for (const [actual, { sums }] of runAll(conv, withNaN, weight, g)) expectEqual(actual, sums);
      },
    );

    it.each([
      ['no images', { x: [0, 3, 5, 5], weight: [4, 3, 3, 3] }],
      ['no output channels', { x: [2, 3, 5, 5], weight: [0, 3, 3, 3] }],
      ['no input channels', { x: [2, 0, 5, 5], weight: [4, 0, 3, 3] }],
    ] as [string, Case][])('takes %s', (_title, conv) => {
      const [x, weight] = [dense(dtype, conv.x, [1]), dense(dtype, conv.weight, [1])];
      const g = dense(dtype, geometryOf(conv).y, [1]);
      for (const [actual, { sums }] of runAll(conv, x, weight, g)) expectEqual(actual, sums);
    });
  });
});
