import { ShapeError, ValueError } from '../errors';
import { labelled } from '../graph/modes';
import { tensor } from '../ops/create';
import { matmul } from '../ops/matmul';
import { asFloat } from '../ops/operands';
import { expand, reshape, transpose } from '../ops/shape';
import { formatShape } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveAvgPool3d } from './adaptive-pooling';
import { cubicWeights, linearWeights, nearestIndices, smoothWeights, type Axis } from './interpolation-weights';
import { sizesOf, take, type SizeLike } from './window';

export type InterpolationMode = 'nearest' | 'nearestExact' | 'linear' | 'bilinear' | 'bicubic' | 'trilinear' | 'area';

export interface InterpolateOptions {
  /** Sizes of the output; this or scaleFactor is needed. */
  size?: SizeLike;
  /** By how much each dim grows; sizes are rounded down. */
  scaleFactor?: number | readonly number[];
  /** 'nearest' where not given. */
  mode?: InterpolationMode;
  /** Whether the centers of the outermost elements stay where they are, rather than their outer edges. */
  alignCorners?: boolean;
  /** Whether positions follow from the rounded sizes rather than from scaleFactor. */
  recomputeScaleFactor?: boolean;
  /** Smooths where the output is smaller; bilinear and bicubic only. */
  antialias?: boolean;
}

/** How many dims behind [N, C] a mode takes. */
const DIMS: { readonly [M in InterpolationMode]: readonly number[] } = {
  nearest: [1, 2, 3],
  nearestExact: [1, 2, 3],
  area: [1, 2, 3],
  linear: [1],
  bilinear: [2],
  bicubic: [2],
  trilinear: [3],
};

/**
 * x [N, C, L], [N, C, H, W] or [N, C, D, H, W] with other sizes: 'nearest' and 'nearestExact' repeat or skip elements,
 * 'linear', 'bilinear', 'trilinear' and 'bicubic' (Keys 1981, a = -0.75) weigh the neighbours, 'area' takes means. Positions
 * as in PyTorch: (i + 1/2) / scale - 1/2, or with alignCorners i (size - 1) / (newSize - 1). Throws ShapeError for other dims
 * and empty inputs, ValueError unless one of size and scaleFactor is given and for options that a mode has not.
 *
 *     interpolate(images, { scaleFactor: 2, mode: 'bilinear' }); // [N, C, H, W] to [N, C, 2 H, 2 W]
 */
export function interpolate(x: TensorBase, options: InterpolateOptions): Tensor {
  return interpolateAs('interpolate', x, options);
}

/** `interpolate` with the name of its caller in its errors. */
export function interpolateAs(op: string, x: TensorBase, options: InterpolateOptions): Tensor {
  const { mode = 'nearest', alignCorners, antialias = false } = options;
  if (!Object.hasOwn(DIMS, mode))
    throw new ValueError(`${op}: mode is ${Object.keys(DIMS).join(', ')}, got ${String(mode)}`);
  const possible = DIMS[mode];
  if (!possible.includes(x.rank - 2))
    throw new ShapeError(
      `${op}: mode ${mode} takes ${possible.map((dims) => dims + 2).join(' or ')} dims, got ${formatShape(x.shape)}`,
    );
  if (x.shape.slice(2).some((size) => size < 1))
    throw new ShapeError(`${op}: nothing to interpolate in ${formatShape(x.shape)}`);
  if (alignCorners !== undefined && (mode.startsWith('nearest') || mode === 'area'))
    throw new ValueError(`${op}: alignCorners is for linear, bilinear, bicubic and trilinear, the mode is ${mode}`);
  if (antialias && mode !== 'bilinear' && mode !== 'bicubic')
    throw new ValueError(`${op}: antialias is for bilinear and bicubic, the mode is ${mode}`);
  const axes = axesOf(op, x.shape.slice(2), options);
  return labelled(op, () => {
    let y = asFloat(op, x);
    if (mode === 'area') return averaged(y, axes);
    if (mode === 'nearest' || mode === 'nearestExact') return nearest(y, axes, mode === 'nearestExact');
    axes.forEach((axis, i) => (y = resized(y, 2 + i, axis, mode, alignCorners ?? false, antialias)));
    return y;
  });
}

function axesOf(op: string, sizes: readonly number[], options: InterpolateOptions): Axis[] {
  const { size, scaleFactor, recomputeScaleFactor = false } = options;
  if ((size === undefined) === (scaleFactor === undefined))
    throw new ValueError(`${op}: takes either size or scaleFactor`);
  if (size !== undefined) {
    if (recomputeScaleFactor) throw new ValueError(`${op}: recomputeScaleFactor is for scaleFactor, size is given`);
    return sizesOf(op, 'size', size, sizes.length, 1).map((to, i) => ({ from: sizes[i]!, to, step: sizes[i]! / to }));
  }
  const factors: unknown = typeof scaleFactor === 'number' ? sizes.map(() => scaleFactor) : scaleFactor;
  const isFactor = (factor: unknown): boolean => typeof factor === 'number' && factor > 0 && Number.isFinite(factor);
  if (!Array.isArray(factors) || factors.length !== sizes.length || !factors.every(isFactor))
    throw new ValueError(
      `${op}: scaleFactor is a number above 0, or ${sizes.length} of them, got ${JSON.stringify(scaleFactor)}`,
    );
  return sizes.map((from, i) => {
    const factor = factors[i] as number;
    const to = Math.floor(from * factor);
    if (to < 1) throw new ValueError(`${op}: scaleFactor ${factor} leaves nothing of ${from}`);
    return { from, to, step: recomputeScaleFactor ? from / to : 1 / factor };
  });
}

function averaged(x: Tensor, axes: readonly Axis[]): Tensor {
  const sizes = axes.map(({ to }) => to);
  return [adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveAvgPool3d][axes.length - 1]!(x, sizes);
}

/** One dim after the other: all modes are separable. */
function resized(
  x: Tensor,
  dim: number,
  axis: Axis,
  mode: InterpolationMode,
  alignCorners: boolean,
  antialias: boolean,
): Tensor {
  const isCubic = mode === 'bicubic';
  const weights = antialias ? smoothWeights : isCubic ? cubicWeights : linearWeights;
  const matrix = tensor(weights(axis, alignCorners, isCubic), { shape: [axis.from, axis.to], dtype: x.dtype });
  const last = x.rank - 1;
  return dim === last ? matmul(x, matrix) : transpose(matmul(transpose(x, dim, last), matrix), dim, last);
}

/** The nearest of each: repeated equally often they are a view, otherwise they are picked dim after dim. */
function nearest(x: Tensor, axes: readonly Axis[], isExact: boolean): Tensor {
  const indices = axes.map((axis) => nearestIndices(axis, isExact));
  const times = axes.map(({ from, to }) => to / from);
  const isRepeated = indices.every(
    (index, i) => Number.isInteger(times[i]) && index.every((from, to) => from === Math.floor(to / times[i]!)),
  );
  if (!isRepeated) return indices.reduce((y, index, i) => take(y, 2 + i, index), x);
  const [samples, channels, ...sizes] = x.shape as [number, number, ...number[]];
  const apart = reshape(x, [samples, channels, ...sizes.flatMap((size) => [size, 1])]);
  const repeated = expand(apart, [samples, channels, ...sizes.flatMap((size, i) => [size, times[i]!])]);
  return reshape(repeated, [samples, channels, ...axes.map(({ to }) => to)]);
}
