import * as ops from '../../../lib/ops';
import type { Tensor } from '../../../lib/tensor/tensor';
import { build, distinctArray, NDArray, randomArray } from '../../helpers/ndarray';
import type { Case, Sample } from './case';

interface Window {
  kernel: [number, number];
  stride?: [number, number];
  padding?: [number, number];
  dilation?: [number, number];
}

interface Covered {
  /** Pixels inside of the image. */
  pixels: [h: number, w: number][];
  /** Pixels of the image and of its padding. */
  padded: number;
}

function outputSize(
  size: number,
  i: 0 | 1,
  { kernel, stride = kernel, padding = [0, 0], dilation = [1, 1] }: Window,
): number {
  return Math.floor((size + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) / stride[i]) + 1;
}

function covered(window: Window, height: number, width: number, oh: number, ow: number): Covered {
  const { kernel, stride = kernel, padding = [0, 0], dilation = [1, 1] } = window;
  const pixels: [number, number][] = [];
  let padded = 0;
  for (let i = 0; i < kernel[0]; i++)
    for (let j = 0; j < kernel[1]; j++) {
      const h = oh * stride[0] - padding[0] + i * dilation[0];
      const w = ow * stride[1] - padding[1] + j * dilation[1];
      // A window may reach beyond the padding, by the rest of the stride: that part does not count.
      if (h < height + padding[0] && w < width + padding[1]) padded++;
      if (h >= 0 && h < height && w >= 0 && w < width) pixels.push([h, w]);
    }
  return { pixels, padded };
}

function pooled(x: NDArray, window: Window, f: (values: number[], at: Covered) => number): NDArray {
  const [n, c, height, width] = x.shape as [number, number, number, number];
  const shape = [n, c, outputSize(height, 0, window), outputSize(width, 1, window)];
  return build(shape, ([b, channel, oh, ow]) => {
    const at = covered(window, height, width, oh!, ow!);
    return f(
      at.pixels.map(([h, w]) => x.get([b!, channel!, h, w])),
      at,
    );
  });
}

const plans: readonly (readonly [title: string, shape: number[], window: Window])[] = [
  ['plain', [2, 2, 4, 4], { kernel: [2, 2] }],
  ['a rest that no window covers', [1, 1, 5, 5], { kernel: [2, 2] }],
  ['overlapping', [1, 2, 4, 5], { kernel: [3, 2], stride: [1, 2] }],
  ['padded', [1, 1, 4, 4], { kernel: [3, 3], stride: [2, 2], padding: [1, 1] }],
  ['no images', [0, 1, 4, 4], { kernel: [2, 2] }],
  ['one pixel', [1, 1, 1, 1], { kernel: [1, 1] }],
];
const dilated: (typeof plans)[number] = ['dilated', [1, 1, 5, 6], { kernel: [2, 3], stride: [1, 1], dilation: [2, 2] }];
const large: (typeof plans)[number] = [
  'more pixels',
  [2, 3, 19, 37],
  { kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
];

const argumentOfMax = (values: number[]): number =>
  values.some(Number.isNaN) ? values.findIndex(Number.isNaN) : values.indexOf(Math.max(...values));

function maxSamples(): Sample[] {
  return [...plans, dilated, large].map(([title, shape, window]) => ({
    title,
    inputs: [distinctArray(shape, 80)],
    run: (x) => ops.maxPool2d(x, window.kernel, window),
    reference: (x) => pooled(x, window, (values) => Math.max(...values)),
    ulps: 0,
    gradient: title !== 'more pixels',
  }));
}

function indexSamples(): Sample[] {
  return [...plans, dilated, large].map(([title, shape, window]) => ({
    title,
    inputs: [distinctArray(shape, 81)],
    run: (x) => ops.maxPool2dIndices(x, window.kernel, window),
    reference: (x) =>
      pooled(x, window, (values, { pixels }) => {
        const [h, w] = pixels[argumentOfMax(values)]!;
        return h * shape[3]! + w;
      }),
    ulps: 0,
    gradient: false,
  }));
}

const withNaN = new NDArray([1, 1, 2, 4], [1, NaN, 3, 3, 2, NaN, 3, -1]);

function one(title: string, run: (x: Tensor) => Tensor, expected: number[]): Sample {
  return {
    title,
    inputs: [withNaN],
    run,
    reference: () => new NDArray([1, 1, 1, 2], expected),
    ulps: 0,
    gradient: false,
  };
}

function averageOf(countIncludePad: boolean) {
  return (values: number[], { pixels, padded }: Covered): number =>
    values.reduce((sum, x) => sum + x, 0) / (countIncludePad ? padded : pixels.length);
}

const averageErrors = (window: Window) => (x: NDArray) =>
  pooled(
    x.map(Math.abs),
    window,
    (values) => (values.length + 3) * averageOf(false)(values, { pixels: values.map(() => [0, 0]), padded: 0 }),
  );

function averageSamples(): Sample[] {
  return [...plans, large].flatMap(([title, shape, window]) =>
    [true, false].map((countIncludePad) => ({
      title: `${title}, ${countIncludePad ? 'with' : 'without'} padding in the count`,
      inputs: [randomArray(shape, 82)],
      run: (x: Tensor) => ops.avgPool2d(x, window.kernel, { ...window, countIncludePad }),
      reference: (x: NDArray) => pooled(x, window, averageOf(countIncludePad)),
      errors: averageErrors(window),
      gradient: title !== 'more pixels',
    })),
  );
}

function averageGradSamples(): Sample[] {
  return plans.flatMap(([title, shape, window]) =>
    [true, false].map((countIncludePad) => {
      const [n, c, height, width] = shape as [number, number, number, number];
      const out = [n, c, outputSize(height, 0, window), outputSize(width, 1, window)];
      const scattered = (g: NDArray): NDArray =>
        build(shape, ([b, channel, h, w]) => {
          let sum = 0;
          for (let oh = 0; oh < out[2]!; oh++)
            for (let ow = 0; ow < out[3]!; ow++) {
              const { pixels, padded } = covered(window, height, width, oh, ow);
              if (pixels.some(([p, q]) => p === h && q === w))
                sum += g.get([b!, channel!, oh, ow]) / (countIncludePad ? padded : pixels.length);
            }
          return sum;
        });
      return {
        title: `${title}, ${countIncludePad ? 'with' : 'without'} padding in the count`,
        inputs: [randomArray(out, 83)],
        run: (g: Tensor) => ops.avgPool2dInputGrad(g, [height, width], window.kernel, { ...window, countIncludePad }),
        reference: scattered,
        errors: (g: NDArray) => scattered(g.map(Math.abs)).map((size) => 12 * size),
      };
    }),
  );
}

function adaptive(title: string, shape: number[], size: [number, number]): Sample {
  const [n, c, height, width] = shape as [number, number, number, number];
  const range = (i: number, inputs: number, outputs: number): number[] => {
    const start = Math.floor((i * inputs) / outputs);
    return Array.from({ length: Math.ceil(((i + 1) * inputs) / outputs) - start }, (_, k) => start + k);
  };
  const averaged = (x: NDArray): NDArray =>
    build([n, c, ...size], ([b, channel, oh, ow]) => {
      const rows = range(oh!, height, size[0]);
      const columns = range(ow!, width, size[1]);
      const values = rows.flatMap((h) => columns.map((w) => x.get([b!, channel!, h, w])));
      return values.reduce((sum, value) => sum + value, 0) / values.length;
    });
  return {
    title,
    inputs: [randomArray(shape, 84)],
    run: (x) => ops.adaptiveAvgPool2d(x, size),
    reference: averaged,
    errors: (x) => averaged(x.map(Math.abs)).map((value) => (height * width + 4) * value),
  };
}

export const poolCases: readonly Case[] = [
  {
    name: 'maxPool2d',
    samples: [...maxSamples(), one('NaN wins', (x) => ops.maxPool2d(x, 2), [NaN, 3])],
  },
  {
    name: 'maxPool2dIndices',
    samples: [...indexSamples(), one('first NaN, first of ties', (x) => ops.maxPool2dIndices(x, 2), [1, 2])],
  },
  {
    name: 'avgPool2d',
    samples: [...averageSamples(), one('NaN spreads', (x) => ops.avgPool2d(x, 2), [NaN, 2])],
  },
  { name: 'avgPool2dInputGrad', samples: averageGradSamples() },
  {
    name: 'adaptiveAvgPool2d',
    samples: [
      adaptive('sizes that divide', [1, 2, 4, 6], [2, 3]),
      adaptive('to one', [2, 1, 3, 2], [1, 1]),
      adaptive('sizes that do not divide', [1, 2, 5, 4], [3, 3]),
      adaptive('larger than the image', [1, 1, 2, 3], [3, 4]),
    ],
  },
];
