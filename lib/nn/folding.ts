import { ShapeError } from '../errors';
import { labelled } from '../graph/modes';
import { asFloat } from '../ops/operands';
import { pad } from '../ops/place';
import { narrow, permute, reshape } from '../ops/shape';
import { windowCount } from '../ops/window';
import { formatShape } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { checkBatch, foldDim, overBatch, sizesOf, unfoldDim, type SizeLike, type Steps } from './window';

export interface FoldOptions {
  /** Distance between the elements of a window: 1 where not given. */
  dilation?: SizeLike;
  /** Zeros on each side of the image: 0 where not given. */
  padding?: SizeLike;
  /** 1 where not given. */
  stride?: SizeLike;
}

interface Windows {
  readonly padding: readonly number[];
  /** Over height and width. */
  readonly steps: readonly [Steps, Steps];
}

function windowsOf(op: string, size: readonly number[], kernelSize: SizeLike, options: FoldOptions): Windows {
  const kernel = sizesOf(op, 'kernelSize', kernelSize, 2, 1);
  const dilation = sizesOf(op, 'dilation', options.dilation ?? 1, 2, 1);
  const padding = sizesOf(op, 'padding', options.padding ?? 0, 2, 0);
  const stride = sizesOf(op, 'stride', options.stride ?? 1, 2, 1);
  const along = (i: number): Steps => ({
    kernel: kernel[i]!,
    stride: stride[i]!,
    dilation: dilation[i]!,
    count: windowCount(op, size[i]!, kernel[i]!, stride[i]!, padding[i]!, dilation[i]!),
  });
  return { padding, steps: [along(0), along(1)] };
}

/**
 * The windows of x [N, C, H, W] (or [C, H, W]) as columns: [N, C · kh · kw, number of windows], also known as im2col.
 * Throws ShapeError if no window fits, ValueError for a stride or dilation below 1, a padding below 0.
 *
 *     unfold(zeros([2, 3, 10, 12]), [4, 5]).shape; // [2, 60, 56]
 */
export function unfold(x: TensorBase, kernelSize: SizeLike, options: FoldOptions = {}): Tensor {
  checkBatch('unfold', x, 2);
  const { padding, steps } = windowsOf('unfold', x.shape.slice(-2), kernelSize, options);
  return labelled('unfold', () =>
    overBatch('unfold', asFloat('unfold', x), 2, (images) => {
      const [top, left] = padding as [number, number];
      const rows = unfoldDim(pad(images, [left, left, top, top]), 2, steps[0]);
      const windows = permute(unfoldDim(rows, 4, steps[1]), [0, 1, 2, 4, 3, 5]);
      const [samples, channels, kh, kw, height, width] = windows.shape as [
        number,
        number,
        number,
        number,
        number,
        number,
      ];
      return reshape(windows, [samples, channels * kh * kw, height * width]);
    }),
  );
}

/**
 * Columns [N, C · kh · kw, L] (or [C · kh · kw, L]) added up as windows of an image: [N, C, ...outputSize]; the adjoint of
 * `unfold`, also known as col2im. Throws ShapeError unless L windows fit outputSize, ValueError for a stride or dilation
 * below 1, a padding below 0.
 *
 *     fold(zeros([2, 60, 56]), [10, 12], [4, 5]).shape; // [2, 3, 10, 12]
 */
export function fold(x: TensorBase, outputSize: SizeLike, kernelSize: SizeLike, options: FoldOptions = {}): Tensor {
  const size = sizesOf('fold', 'outputSize', outputSize, 2, 1) as [number, number];
  const { padding, steps } = windowsOf('fold', size, kernelSize, options);
  const [kh, kw] = steps.map(({ kernel }) => kernel) as [number, number];
  const [height, width] = steps.map(({ count }) => count) as [number, number];
  if ((x.rank !== 2 && x.rank !== 3) || x.shape.at(-2)! % (kh * kw) !== 0 || x.shape.at(-1) !== height * width)
    throw new ShapeError(
      `fold: takes [N, C * ${kh * kw}, ${height * width}] for an output of ${formatShape(size)}, got ${formatShape(x.shape)}`,
    );
  return labelled('fold', () =>
    overBatch('fold', asFloat('fold', x), 1, (columns) => {
      const [samples, rows] = columns.shape as [number, number];
      const channels = rows / (kh * kw);
      const windows = permute(reshape(columns, [samples, channels, kh, kw, height, width]), [0, 1, 2, 4, 3, 5]);
      const [top, left] = padding as [number, number];
      const lines = foldDim(windows, 4, size[1] + 2 * left, steps[1]);
      const image = foldDim(lines, 2, size[0] + 2 * top, steps[0]);
      return narrow(narrow(image, 2, top, size[0]), 3, left, size[1]);
    }),
  );
}
