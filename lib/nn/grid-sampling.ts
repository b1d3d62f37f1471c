import { DTypeError, ShapeError, ValueError } from '../errors';
import { labelled } from '../graph/modes';
import { cast } from '../ops/cast';
import { tensor } from '../ops/create';
import { abs, add, div, eq, floor, ge, gt, le, logicalAnd, lt, mul, round, sub, where } from '../ops/elementwise';
import { gather } from '../ops/indexing';
import { matmul } from '../ops/matmul';
import { expand, reshape, select, transpose } from '../ops/shape';
import { isFloat } from '../tensor/dtype';
import { contiguousStrides, formatShape, shapesEqual, sizeOf } from '../tensor/shape';
import { TensorBase, type Tensor } from '../tensor/tensor';

export type GridSampleMode = 'bilinear' | 'nearest' | 'bicubic';
export type GridPaddingMode = 'zeros' | 'border' | 'reflection';

export interface AffineGridOptions {
  /** Whether -1 and 1 are the centers of the outermost elements, rather than their outer edges: false where not given. */
  alignCorners?: boolean;
}

export interface GridSampleOptions extends AffineGridOptions {
  /** 'bilinear' where not given, which weighs the eight neighbours in three dims; 'bicubic' is for two dims only. */
  mode?: GridSampleMode;
  /** What is outside: 'zeros' where not given, the nearest element, or the image mirrored. */
  paddingMode?: GridPaddingMode;
}

/**
 * The image at the places that the grid names: input [N, C, H, W] and grid [N, H', W', 2] give [N, C, H', W'], input
 * [N, C, D, H, W] and grid [N, D', H', W', 3] give [N, C, D', H', W']. A place is (x, y) or (x, y, z), x along the last dim,
 * from -1 to 1 across the image; others are outside. 'nearest' takes halves to the even element and has no gradient in the
 * grid; cubic weights are Keys' (1981) with a = -0.75.
 *
 * Throws ShapeError for shapes that do not fit and empty images, DTypeError unless both have one float dtype, ValueError for
 * an option that does not exist and for bicubic in three dims.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.functional.grid_sample.html (Jaderberg et al. 2015)
 *
 *     const grid = affineGrid(theta, images.shape); // a spatial transformer
 *     gridSample(images, grid, { paddingMode: 'border' });
 */
export function gridSample(input: TensorBase, grid: TensorBase, options: GridSampleOptions = {}): Tensor {
  const name = 'gridSample';
  const { mode = 'bilinear', paddingMode = 'zeros', alignCorners = false } = options;
  checkFloats(name, { input, grid });
  checkShapes(name, input, grid);
  checkOptions(name, mode, paddingMode, alignCorners, input.rank - 2);
  return labelled(name, () => {
    const [batch, channels, ...sizes] = input.shape as [number, number, ...number[]];
    const places = grid.shape.slice(1, -1);
    const count = sizeOf(places);
    const along = sizes.map((size, dim) => {
      // The last coordinate is of the first dim.
      const coordinate = reshape(select(grid, -1, sizes.length - 1 - dim), [batch, 1, count]);
      return tapsOf(mode, positionOf(coordinate, size, alignCorners), { size, paddingMode, alignCorners });
    });
    const image = reshape(input, [batch, channels, sizeOf(sizes)]);
    const taken = combinations(along).map((taps) => {
      const strides = contiguousStrides(sizes);
      const index = taps.map((tap, dim) => mul(tap.index, strides[dim]!)).reduce((a, b) => add(a, b));
      const values = gather(image, 2, expand(index, [batch, channels, count]));
      const weights = taps.flatMap(({ weight }) => (weight === null ? [] : [weight]));
      const inside = taps.map((tap) => tap.inside).reduce((a, b) => logicalAnd(a, b));
      return weights.reduce((product, weight) => mul(product, weight), where(inside, values, 0));
    });
    return reshape(
      taken.reduce((a, b) => add(a, b)),
      [batch, channels, ...places],
    );
  });
}

/** One dim of an image. */
interface Axis {
  readonly size: number;
  readonly paddingMode: GridPaddingMode;
  readonly alignCorners: boolean;
}

/** An element that a place takes its number from. */
interface Tap {
  /** Of the element, int32, within the dim. */
  readonly index: Tensor;
  /** Whether that is the element meant, or there is none. */
  readonly inside: Tensor;
  /** null: 1. */
  readonly weight: Tensor | null;
}

/** In elements, from the center of the first one. */
function positionOf(coordinate: Tensor, size: number, alignCorners: boolean): Tensor {
  return alignCorners ? mul(add(coordinate, 1), (size - 1) / 2) : div(sub(mul(add(coordinate, 1), size), 1), 2);
}

function tapsOf(mode: GridSampleMode, position: Tensor, axis: Axis): Tap[] {
  if (mode === 'bicubic') {
    const at = axis.paddingMode === 'zeros' ? padded(position, axis) : position;
    const first = floor(at);
    return cubicWeights(sub(at, first)).map((weight, i) => tapAt(padded(add(first, i - 1), axis), weight, axis));
  }
  const at = padded(position, axis);
  if (mode === 'nearest') return [tapAt(round(at), null, axis)];
  const first = floor(at);
  const share = sub(at, first);
  return [tapAt(first, sub(1, share), axis), tapAt(add(first, 1), share, axis)];
}

function tapAt(element: Tensor, weight: Tensor | null, { size }: Axis): Tap {
  const inside = logicalAnd(ge(element, 0), le(element, size - 1));
  return { index: cast(where(inside, element, 0), 'int32'), inside, weight };
}

/** Where a position outside takes its number from: for zeros not far outside, whatever it was. */
function padded(position: Tensor, { size, paddingMode, alignCorners }: Axis): Tensor {
  if (paddingMode === 'zeros') return between(position, -3, size + 2);
  if (paddingMode === 'border') return between(position, 0, size - 1);
  const [low, span] = alignCorners ? [0, size - 1] : [-0.5, size];
  if (span === 0) return mul(position, 0);
  const distance = abs(sub(position, low));
  const flips = floor(div(distance, span));
  const rest = sub(distance, mul(flips, span));
  const isEven = eq(flips, mul(floor(div(flips, 2)), 2));
  return between(add(where(isEven, rest, sub(span, rest)), low), 0, size - 1);
}

/** x within the bounds, with no derivative at them nor beyond, as in PyTorch; NaN becomes the least. */
function between(x: Tensor, least: number, most: number): Tensor {
  return where(gt(x, least), where(lt(x, most), x, most), least);
}

/** Keys' weights of four neighbours, `share` behind the second. */
function cubicWeights(share: Tensor): Tensor[] {
  const a = -0.75;
  const near = (d: Tensor): Tensor => add(mul(sub(mul(d, a + 2), a + 3), mul(d, d)), 1);
  const far = (d: Tensor): Tensor => sub(mul(add(mul(sub(mul(d, a), 5 * a), d), 8 * a), d), 4 * a);
  return [far(add(share, 1)), near(share), near(sub(1, share)), far(sub(2, share))];
}

/** Every choice of one item from each list. */
function combinations<T>(lists: readonly (readonly T[])[]): T[][] {
  return lists.reduce<T[][]>((chosen, list) => chosen.flatMap((items) => list.map((item) => [...items, item])), [[]]);
}

/**
 * The grid for `gridSample` that an affine map of each sample gives: theta [N, 2, 3] and size [N, C, H, W] give
 * [N, H, W, 2], theta [N, 3, 4] and size [N, C, D, H, W] give [N, D, H, W, 3]. A place of the output, from -1 to 1, is mapped to
 * theta (x, y[, z], 1)ᵀ of the input.
 *
 * Throws ShapeError for a theta that does not fit the size, DTypeError unless it is float, ValueError unless the size is
 * integers of at least 1.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.functional.affine_grid.html
 *
 *     affineGrid(tensor([[[1, 0, 0], [0, 1, 0]]]), [1, 3, 8, 8]); // every element where it is
 *     affineGrid(tensor([[[-1, 0, 0], [0, 1, 0]]]), [1, 3, 8, 8]); // left and right exchanged
 */
export function affineGrid(theta: TensorBase, size: readonly number[], options: AffineGridOptions = {}): Tensor {
  const name = 'affineGrid';
  const { alignCorners = false } = options;
  checkFloats(name, { theta });
  if (!Array.isArray(size) || ![4, 5].includes(size.length))
    throw new ShapeError(`${name}: size is [N, C, H, W] or [N, C, D, H, W], got ${JSON.stringify(size)}`);
  if (size.some((length: number) => !Number.isInteger(length) || length < 1))
    throw new ValueError(`${name}: size is integers of at least 1, got ${formatShape(size)}`);
  const [batch, , ...sizes] = size as [number, number, ...number[]];
  const dims = sizes.length;
  if (!shapesEqual(theta.shape, [batch, dims, dims + 1]))
    throw new ShapeError(
      `${name}: theta is ${formatShape([batch, dims, dims + 1])} for the size ${formatShape(size)}, got ${formatShape(theta.shape)}`,
    );
  checkCorners(name, alignCorners);
  return labelled(name, () => {
    const places = tensor(placesOf(sizes, alignCorners), { shape: [sizeOf(sizes), dims + 1], dtype: theta.dtype });
    return reshape(matmul(places, transpose(theta, 1, 2)), [batch, ...sizes, dims]);
  });
}

/** (x, y[, z], 1) of every element, in order. */
function placesOf(sizes: readonly number[], alignCorners: boolean): Float64Array {
  const width = sizes.length + 1;
  const places = new Float64Array(sizeOf(sizes) * width).fill(1);
  const strides = contiguousStrides(sizes);
  for (let element = 0; element < sizeOf(sizes); element++)
    sizes.forEach((size, dim) => {
      const i = Math.floor(element / strides[dim]!) % size;
      const place = alignCorners ? (size === 1 ? 0 : (2 * i) / (size - 1) - 1) : (2 * i + 1) / size - 1;
      places[element * width + sizes.length - 1 - dim] = place;
    });
  return places;
}

// ---- checks

function checkFloats(name: string, tensors: Record<string, unknown>): void {
  let known: string | null = null;
  for (const [argument, value] of Object.entries(tensors)) {
    if (!(value instanceof TensorBase)) throw new ValueError(`${name}: ${argument} is a tensor, got ${typeof value}`);
    if (!isFloat(value.dtype)) throw new DTypeError(`${name}: ${argument} is float32 or float64, got ${value.dtype}`);
    if (known !== null && value.dtype !== known)
      throw new DTypeError(`${name}: ${argument} has the input's dtype ${known}, got ${value.dtype}`);
    known = value.dtype;
  }
}

function checkShapes(name: string, input: TensorBase, grid: TensorBase): void {
  const { rank, shape } = input;
  if (rank !== 4 && rank !== 5)
    throw new ShapeError(`${name}: input is [N, C, H, W] or [N, C, D, H, W], got ${formatShape(shape)}`);
  if (shape.slice(2).includes(0))
    throw new ShapeError(`${name}: there is nothing in an input of ${formatShape(shape)}`);
  if (grid.rank !== rank || grid.shape[0] !== shape[0] || grid.shape.at(-1) !== rank - 2)
    throw new ShapeError(
      `${name}: grid is [${shape[0]}, ${rank === 4 ? "H', W', 2" : "D', H', W', 3"}] for an input ${formatShape(shape)}, got ${formatShape(grid.shape)}`,
    );
}

function checkOptions(name: string, mode: string, paddingMode: string, alignCorners: boolean, dims: number): void {
  if (!['bilinear', 'nearest', 'bicubic'].includes(mode))
    throw new ValueError(`${name}: mode is bilinear, nearest or bicubic, got ${String(mode)}`);
  if (!['zeros', 'border', 'reflection'].includes(paddingMode))
    throw new ValueError(`${name}: paddingMode is zeros, border or reflection, got ${String(paddingMode)}`);
  if (mode === 'bicubic' && dims !== 2) throw new ValueError(`${name}: mode bicubic is for two dims, got ${dims}`);
  checkCorners(name, alignCorners);
}

function checkCorners(name: string, alignCorners: unknown): void {
  if (typeof alignCorners !== 'boolean')
    throw new ValueError(`${name}: alignCorners is true or false, got ${String(alignCorners)}`);
}
