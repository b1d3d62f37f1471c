import * as ops from '../../../lib/ops';
import { build, count, NDArray, randomArray } from '../../helpers/ndarray';
import type { Case, Sample } from './case';

interface Geometry {
  stride?: [number, number];
  padding?: [number, number];
  dilation?: [number, number];
  groups?: number;
}

/** Calls visit with the places in output, input and filter of every product that a convolution adds up. */
function visitProducts(
  x: readonly number[],
  weight: readonly number[],
  { stride = [1, 1], padding = [0, 0], dilation = [1, 1], groups = 1 }: Geometry,
  visit: (out: number, input: number, filter: number) => void,
): void {
  const [n, channels, height, width] = x as [number, number, number, number];
  const [outputs, perGroup, kh, kw] = weight as [number, number, number, number];
  const [, , oh, ow] = outputShape(x, weight, { stride, padding, dilation, groups }) as [
    number,
    number,
    number,
    number,
  ];
  for (let b = 0; b < n; b++)
    for (let o = 0; o < outputs; o++)
      for (let p = 0; p < oh; p++)
        for (let q = 0; q < ow; q++)
          for (let c = 0; c < perGroup; c++)
            for (let i = 0; i < kh; i++)
              for (let j = 0; j < kw; j++) {
                const h = p * stride[0] - padding[0] + i * dilation[0];
                const w = q * stride[1] - padding[1] + j * dilation[1];
                if (h < 0 || h >= height || w < 0 || w >= width) continue;
                const channel = Math.floor(o / (outputs / groups)) * perGroup + c;
                visit(
                  ((b * outputs + o) * oh + p) * ow + q,
                  ((b * channels + channel) * height + h) * width + w,
                  ((o * perGroup + c) * kh + i) * kw + j,
                );
              }
}

function outputShape(
  x: readonly number[],
  weight: readonly number[],
  { stride = [1, 1], padding = [0, 0], dilation = [1, 1] }: Geometry,
): number[] {
  const size = (i: 0 | 1): number =>
    Math.floor((x[2 + i]! + 2 * padding[i] - dilation[i] * (weight[2 + i]! - 1) - 1) / stride[i]) + 1;
  return [x[0]!, weight[0]!, size(0), size(1)];
}

function accumulate(shape: readonly number[], fill: (sums: number[]) => void): NDArray {
  const sums = new Array<number>(count(shape)).fill(0);
  fill(sums);
  return new NDArray(shape, sums);
}

export function conv2d(x: NDArray, weight: NDArray, geometry: Geometry): NDArray {
  return accumulate(outputShape(x.shape, weight.shape, geometry), (sums) =>
    visitProducts(x.shape, weight.shape, geometry, (out, input, filter) => {
      sums[out]! += x.data[input]! * weight.data[filter]!;
    }),
  );
}

function inputGrad(g: NDArray, weight: NDArray, x: readonly number[], geometry: Geometry): NDArray {
  return accumulate(x, (sums) =>
    visitProducts(x, weight.shape, geometry, (out, input, filter) => {
      sums[input]! += g.data[out]! * weight.data[filter]!;
    }),
  );
}

function weightGrad(g: NDArray, x: NDArray, weight: readonly number[], geometry: Geometry): NDArray {
  return accumulate(weight, (sums) =>
    visitProducts(x.shape, weight, geometry, (out, input, filter) => {
      sums[filter]! += g.data[out]! * x.data[input]!;
    }),
  );
}

/** x, weight and how one meets the other. */
const plans: readonly (readonly [string, number[], number[], Geometry, boolean?])[] = [
  ['plain', [2, 2, 4, 3], [3, 2, 2, 2], {}],
  ['padded, with stride', [1, 2, 5, 4], [2, 2, 3, 3], { padding: [1, 1], stride: [2, 2] }],
  ['different in both directions', [1, 1, 5, 4], [2, 1, 3, 2], { padding: [2, 0], stride: [1, 2], dilation: [2, 1] }],
  ['groups', [1, 4, 3, 3], [2, 2, 2, 2], { groups: 2 }],
  ['depthwise', [1, 3, 3, 3], [3, 1, 2, 2], { groups: 3, padding: [1, 1] }],
  ['1 x 1', [2, 3, 2, 2], [2, 3, 1, 1], {}],
  ['a stride that leaves a rest', [1, 1, 6, 6], [1, 1, 2, 2], { stride: [3, 4] }],
  ['padding larger than the kernel', [1, 1, 2, 2], [1, 1, 2, 1], { padding: [3, 2] }],
  ['no images', [0, 2, 3, 3], [1, 2, 2, 2], {}],
  ['many channels', [2, 17, 9, 7], [19, 17, 3, 3], { padding: [1, 1] }, false],
  ['more pixels', [1, 3, 23, 29], [8, 3, 5, 5], { stride: [2, 1], padding: [2, 2] }, false],
];

const absolute = (x: NDArray): NDArray => x.map(Math.abs);

const conv2dSamples: Sample[] = plans.map(([title, x, weight, geometry, gradient]) => ({
  title,
  inputs: [randomArray(x, 60), randomArray(weight, 61)],
  run: (input, filter) => ops.conv2d(input, filter, null, geometry),
  reference: (input, filter) => conv2d(input, filter, geometry),
  errors: (input, filter) =>
    conv2d(absolute(input), absolute(filter), geometry).map(
      (size) => (weight[1]! * weight[2]! * weight[3]! + 2) * size,
    ),
  gradient: gradient ?? true,
}));

const inputGradSamples: Sample[] = plans.map(([title, x, weight, geometry, gradient]) => ({
  title,
  inputs: [randomArray(outputShape(x, weight, geometry), 62), randomArray(weight, 63)],
  run: (g, filter) => ops.conv2dInputGrad(g, filter, [x[2]!, x[3]!], geometry),
  reference: (g, filter) => inputGrad(g, filter, x, geometry),
  errors: (g, filter) =>
    inputGrad(absolute(g), absolute(filter), x, geometry).map(
      (size) => (weight[0]! * weight[2]! * weight[3]! + 2) * size,
    ),
  gradient: gradient ?? true,
}));

const weightGradSamples: Sample[] = plans.map(([title, x, weight, geometry, gradient]) => {
  const out = outputShape(x, weight, geometry);
  return {
    title,
    inputs: [randomArray(out, 64), randomArray(x, 65)],
    run: (g, input) => ops.conv2dWeightGrad(g, input, [weight[2]!, weight[3]!], geometry),
    reference: (g, input) => weightGrad(g, input, weight, geometry),
    errors: (g, input) =>
      weightGrad(absolute(g), absolute(input), weight, geometry).map(
        (size) => (out[0]! * out[2]! * out[3]! + 2) * size,
      ),
    gradient: gradient ?? true,
  };
});

const wholeSamples: Sample[] = [
  {
    title: 'with bias',
    inputs: [randomArray([2, 1, 3, 3], 66), randomArray([2, 1, 2, 2], 67), randomArray([2], 68)],
    run: (x, weight, bias) => ops.conv2d(x, weight, bias),
    reference: (x, weight, bias) => {
      const y = conv2d(x, weight, {});
      return build(y.shape, (index) => y.get(index) + bias.get([index[1]!]));
    },
    ulps: 64,
  },
  {
    title: 'one image without a batch',
    inputs: [randomArray([2, 3, 3], 69), randomArray([1, 2, 2, 2], 70)],
    run: (x, weight) => ops.conv2d(x, weight),
    reference: (x, weight) => {
      const y = conv2d(new NDArray([1, ...x.shape], x.data), weight, {});
      return new NDArray(y.shape.slice(1), y.data);
    },
    ulps: 256,
  },
  {
    title: "padding 'same' of an even kernel: one more behind",
    inputs: [randomArray([1, 1, 4, 3], 71), randomArray([1, 1, 2, 3], 72)],
    run: (x, weight) => ops.conv2d(x, weight, null, { padding: 'same' }),
    reference: (x, weight) => {
      const taller = build([1, 1, 5, 3], ([, , h, w]) => (h! < 4 ? x.get([0, 0, h!, w!]) : 0));
      return conv2d(taller, weight, { padding: [0, 1] });
    },
    ulps: 256,
  },
];

export const convCases: readonly Case[] = [
  { name: 'conv2d', samples: [...conv2dSamples, ...wholeSamples] },
  { name: 'conv2dInputGrad', samples: inputGradSamples },
  { name: 'conv2dWeightGrad', samples: weightGradSamples },
];
