import { ShapeError, ValueError } from '../errors';
import { labelled } from '../graph/modes';
import { concat } from '../ops/join';
import { asTensor } from '../ops/operands';
import { pad as padConstant } from '../ops/place';
import { expand, narrow, slice, type Range } from '../ops/shape';
import { formatShape } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { take } from './window';

export type PaddingMode = 'constant' | 'reflect' | 'replicate' | 'circular';

export interface PadOptions {
  /** 'constant' where not given. */
  mode?: PaddingMode;
  /** What constant padding consists of: 0 where not given. */
  value?: number;
}

const MODES: readonly PaddingMode[] = ['constant', 'reflect', 'replicate', 'circular'];

/**
 * x with something around it: `padding` is [left, right, top, bottom, ...], from the last dim to the first; sizes below 0
 * take away. Constant padding goes around any dims; 'reflect' mirrors at the outermost elements, 'replicate' repeats
 * them, 'circular' goes on at the other end. Throws ShapeError for a padding that does not fit x, ValueError for sizes
 * that are no integers and for unknown modes.
 *
 *     pad(tensor([1, 2, 3]), [1, 1], { mode: 'reflect' }); // [2, 1, 2, 3, 2]
 *     pad(tensor([1, 2, 3]), [-1, 1], { value: 7 }); // [2, 3, 7]
 */
export function pad(x: TensorBase, padding: readonly number[], options: PadOptions = {}): Tensor {
  return padAs('pad', x, padding, options);
}

/** `pad` with the name of its caller in its errors. */
export function padAs(op: string, x: TensorBase, padding: readonly number[], options: PadOptions = {}): Tensor {
  const { mode = 'constant', value = 0 } = options;
  if (!MODES.includes(mode)) throw new ValueError(`${op}: mode is ${MODES.join(', ')}, got ${String(mode)}`);
  if (!Array.isArray(padding) || padding.length % 2 !== 0 || padding.length > 2 * x.rank)
    throw new ShapeError(
      `${op}: padding has two sizes for each padded dim, got [${String(padding)}] for ${formatShape(x.shape)}`,
    );
  if (padding.some((size: number) => !Number.isInteger(size)))
    throw new ValueError(`${op}: padding consists of integers, got [${padding.join(', ')}]`);
  const dims = padding.length / 2;
  for (let i = 0; i < dims; i++)
    checkDim(op, x, x.rank - 1 - i, [padding[2 * i] as number, padding[2 * i + 1] as number], mode);
  return labelled(op, () => {
    const added = padding.map((size: number) => Math.max(size, 0));
    let y = asTensor(op, x);
    if (mode === 'constant') y = padConstant(y, added, { value });
    else for (let i = 0; i < dims; i++) y = extend(y, y.rank - 1 - i, added[2 * i]!, added[2 * i + 1]!, mode);
    return cropped(y, padding);
  });
}

type Sides = readonly [number, number];

function checkDim(op: string, x: TensorBase, dim: number, [before, after]: Sides, mode: PaddingMode): void {
  const size = x.shape[dim]!;
  const most = Math.max(before, after);
  const given = `got [${before}, ${after}] around dim ${dim} of ${formatShape(x.shape)}`;
  if (mode === 'reflect' && most > 0 && most >= size)
    throw new ShapeError(`${op}: reflected padding is smaller than the dim, ${given}`);
  if (mode === 'circular' && most > size) throw new ShapeError(`${op}: circular padding is at most the dim, ${given}`);
  if (mode === 'replicate' && most > 0 && size === 0) throw new ShapeError(`${op}: nothing to repeat, ${given}`);
  if (size + before + after < 0 || Math.min(before, 0) + size + Math.min(after, 0) < 0)
    throw new ShapeError(`${op}: more is taken away than there is, ${given}`);
}

/** Adds to both ends of one dim. */
function extend(x: Tensor, dim: number, before: number, after: number, mode: PaddingMode): Tensor {
  const size = x.shape[dim]!;
  const end = (count: number, isFront: boolean): Tensor => {
    if (mode === 'circular') return narrow(x, dim, isFront ? size - count : 0, count);
    if (mode === 'replicate') return expand(narrow(x, dim, isFront ? 0 : size - 1, 1), x.shape.with(dim, count));
    return take(
      x,
      dim,
      Int32Array.from({ length: count }, (_, i) => (isFront ? count - i : size - 2 - i)),
    );
  };
  const parts = [x];
  if (before > 0) parts.unshift(end(before, true));
  if (after > 0) parts.push(end(after, false));
  return concat(parts, { dim });
}

/** Takes away what the sizes below 0 say. */
function cropped(x: Tensor, padding: readonly number[]): Tensor {
  if (padding.every((size) => size >= 0)) return x;
  const ranges = x.shape.map((size, dim): Range => {
    const i = 2 * (x.rank - 1 - dim);
    return i < padding.length ? [Math.max(0, -padding[i]!), size - Math.max(0, -padding[i + 1]!)] : null;
  });
  return slice(x, ranges);
}
