import { backends } from './backends';
import { dense, elements, type Operand, runKernel, sizeOf } from './builder';
import { expectEqual, expectWithin, Numbers, roundoff } from './numbers';

interface Pooling {
  readonly x: readonly [number, number, number, number];
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
}

const cases: [string, Pooling][] = [
  ['2x2', { x: [3, 4, 8, 8], kernel: [2, 2], stride: [2, 2], padding: [0, 0], dilation: [1, 1] }],
  [
    '3x3 with overlap and padding',
    { x: [2, 3, 9, 11], kernel: [3, 3], stride: [2, 2], padding: [1, 1], dilation: [1, 1] },
  ],
  ['uneven', { x: [1, 2, 13, 7], kernel: [3, 2], stride: [1, 3], padding: [1, 0], dilation: [1, 1] }],
  ['dilated', { x: [2, 2, 12, 20], kernel: [3, 2], stride: [2, 1], padding: [1, 1], dilation: [2, 3] }],
  ['the whole image', { x: [2, 5, 7, 7], kernel: [7, 7], stride: [1, 1], padding: [0, 0], dilation: [1, 1] }],
  ['rows left over', { x: [1, 1, 8, 8], kernel: [3, 3], stride: [3, 3], padding: [0, 0], dilation: [1, 1] }],
  ['1x1', { x: [2, 3, 5, 33], kernel: [1, 1], stride: [2, 2], padding: [0, 0], dilation: [1, 1] }],
];
const undilated = cases.filter(([, { dilation }]) => dilation[0] === 1 && dilation[1] === 1);

function outputShape({ x, kernel, stride, padding, dilation }: Pooling): [number, number, number, number] {
  const size = (dim: 0 | 1): number =>
    Math.floor((x[2 + dim]! + 2 * padding[dim] - dilation[dim] * (kernel[dim] - 1) - 1) / stride[dim]) + 1;
  return [x[0], x[1], size(0), size(1)];
}

/** For every output the places of its window within the plane, without padding, and the start of the plane. */
function windows(pooling: Pooling): { plane: number; places: number[] }[] {
  const { x, kernel, stride, padding, dilation } = pooling;
  const [n, c, oh, ow] = outputShape(pooling);
  const [, , h, w] = x;
  const result = [];
  for (let plane = 0; plane < n * c; plane++)
    for (let i = 0; i < oh; i++)
      for (let j = 0; j < ow; j++) {
        const places = [];
        for (let a = 0; a < kernel[0]; a++)
          for (let b = 0; b < kernel[1]; b++) {
            const row = i * stride[0] - padding[0] + a * dilation[0];
            const column = j * stride[1] - padding[1] + b * dilation[1];
            if (row >= 0 && row < h && column >= 0 && column < w) places.push(row * w + column);
          }
        result.push({ plane: plane * h * w, places });
      }
  return result;
}

function placeOfMaximum(values: readonly number[], plane: number, places: readonly number[]): number {
  const firstNaN = places.find((place) => Number.isNaN(values[plane + place]));
  if (firstNaN !== undefined) return firstNaN;
  return places.reduce((best, place) => (values[plane + place]! > values[plane + best]! ? place : best));
}

describe.each(backends)('pooling on %s', (_name, backend) => {
  describe.each(['float32', 'float64'] as const)('%s', (dtype) => {
    function checkMaximum(pooling: Pooling, x: Operand): void {
      const { kernel, stride, padding, dilation } = pooling;
      const attributes = [...kernel, ...stride, ...padding, ...dilation];
      const shape = outputShape(pooling);
      const values = elements(x);
      const places = windows(pooling).map(
        ({ plane, places }) => [plane, placeOfMaximum(values, plane, places)] as const,
      );
      const maxima = runKernel(backend, { kernel: 'maxPool2d', inputs: [x], outputs: [{ dtype, shape }], attributes });
      expectEqual(
        maxima[0]!,
        places.map(([plane, place]) => values[plane + place]!),
      );
      const outputs = [{ dtype: 'int32' as const, shape }];
      const indices = runKernel(backend, { kernel: 'maxPool2dIndices', inputs: [x], outputs, attributes });
      expectEqual(
        indices[0]!,
        places.map(([, place]) => place),
      );
    }

    it.each(cases)('takes maxima and the first of their places: %s', (_title, pooling) => {
      // Few different numbers, so that there are ties.
      checkMaximum(pooling, new Numbers(1).integers(dtype, pooling.x, -3, 3));
      checkMaximum(pooling, new Numbers(2).reals(dtype, pooling.x));
      checkMaximum(pooling, dense(dtype, pooling.x, [-Infinity]));
    });

    it.each(cases)('lets the first NaN win: %s', (_title, pooling) => {
      const x = new Numbers(3).integers(dtype, pooling.x);
      checkMaximum(pooling, {
        ...x,
        values: x.values.map((value, i) => (i % 11 === 4 ? NaN : i % 7 === 3 ? Infinity : value)),
      });
    });

    it.each(undilated.flatMap(([title, pooling]) => [0, 1].map((counts) => [title, counts, pooling] as const)))(
      'averages, and spreads gradients: %s, counting padding: %i',
      (_title, countsPadding, pooling) => {
        const { kernel, stride, padding } = pooling;
        const attributes = [...kernel, ...stride, ...padding, countsPadding];
        const shape = outputShape(pooling);
        const x = new Numbers(4).reals(dtype, pooling.x);
        const g = new Numbers(5).reals(dtype, shape);
        const [xs, gs] = [elements(x), elements(g)];
        const gradient = new Array<number>(sizeOf(pooling.x)).fill(0);
        const averages = windows(pooling).map(({ plane, places }, i) => {
          const count = countsPadding === 1 ? kernel[0] * kernel[1] : places.length;
          for (const place of places) gradient[plane + place]! += gs[i]! / count;
          return places.reduce((sum, place) => sum + xs[plane + place]!, 0) / count;
        });
        const bound = 2 * (2 + kernel[0] * kernel[1]) * 2 * roundoff[dtype];
        const actual = runKernel(backend, {
          kernel: 'avgPool2d',
          inputs: [x],
          outputs: [{ dtype, shape }],
          attributes,
        });
        expectWithin(actual[0]!, averages, () => bound);
        const outputs = [{ dtype, shape: pooling.x }];
        const spread = runKernel(backend, { kernel: 'avgPool2dInputGrad', inputs: [g], outputs, attributes });
        expectWithin(spread[0]!, gradient, () => bound);
      },
    );

    it('takes no planes', () => {
      const pooling: Pooling = { ...cases[0]![1], x: [0, 4, 8, 8] };
      checkMaximum(pooling, dense(dtype, pooling.x, [0]));
    });
  });
});
