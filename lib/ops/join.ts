import { ShapeError, ValueError } from '../errors';
import { defineOp } from '../graph/op';
import { labelled } from '../graph/modes';
import { promote } from '../tensor/dtype';
import { checkInteger, formatShape, normalizeDim, shapesEqual } from '../tensor/shape';
import { TensorBase, type Tensor } from '../tensor/tensor';
import { cast } from './cast';
import { full } from './create';
import { asTensor } from './operands';
import { narrow, select, unsqueeze } from './shape';

export interface DimOptions {
  /** 0 where not given. */
  dim?: number;
}

const concatOp = defineOp<{ readonly dim: number }>('concat', {
  shape: (inputs, { dim }) => {
    const first = inputs[0]!.shape;
    let size = 0;
    for (const { shape } of inputs) {
      if (shape.length !== first.length || shape.some((length, d) => d !== dim && length !== first[d]))
        throw new ShapeError(
          `concat: ${inputs.map((x) => formatShape(x.shape)).join(', ')} differ in more than dim ${dim}`,
        );
      size += shape[dim]!;
    }
    return first.with(dim, size);
  },
  attributes: ({ dim }) => [dim],
  lower: { kernel: 'concat' },
  vjp: (g, inputs, _output, { dim }) => {
    let start = 0;
    return inputs.map(({ shape }) => {
      start += shape[dim]!;
      return narrow(g, dim, start - shape[dim]!, shape[dim]!);
    });
  },
  jvp: (tangents, inputs, _output, { dim }) =>
    concat(
      inputs.map((x, i) => tangents[i] ?? full(x.shape, 0, { dtype: x.dtype })),
      { dim },
    ),
});

/**
 * Tensors one after the other along an existing dim; dtypes are promoted. Throws ShapeError if another dim differs,
 * ValueError without tensors.
 *
 *     concat([tensor([1, 2]), tensor([3])]); // [1, 2, 3]
 */
export function concat(tensors: readonly TensorBase[], options: DimOptions = {}): Tensor {
  const inputs = captured('concat', tensors);
  if (inputs[0]!.rank === 0) throw new ShapeError('concat: scalars have no dim to join along; see stack');
  const dim = normalizeDim('concat', options.dim ?? 0, inputs[0]!.rank);
  return inputs.length === 1 ? inputs[0]! : concatOp(inputs, { dim });
}

/**
 * Tensors of one shape, one after the other along a new dim. Throws ShapeError if their shapes differ.
 *
 *     stack([tensor([1, 2]), tensor([3, 4])]); // [[1, 2], [3, 4]]
 */
export function stack(tensors: readonly TensorBase[], options: DimOptions = {}): Tensor {
  return labelled('stack', () => {
    const inputs = captured('stack', tensors);
    const { shape } = inputs[0]!;
    for (const input of inputs)
      if (!shapesEqual(input.shape, shape))
        throw new ShapeError(`stack: takes equal shapes, got ${formatShape(shape)} and ${formatShape(input.shape)}`);
    const dim = normalizeDim('stack', options.dim ?? 0, shape.length + 1);
    return concat(
      inputs.map((x) => unsqueeze(x, dim)),
      { dim },
    );
  });
}

/** The tensors of a list, promoted to one dtype. */
function captured(op: string, list: readonly unknown[]): Tensor[] {
  if (!Array.isArray(list) || list.length === 0) throw new ValueError(`${op}: takes an array of at least one tensor`);
  const tensors = list.map((x: unknown) => {
    if (!(x instanceof TensorBase)) throw new ValueError(`${op}: takes an array of tensors, got ${typeof x} in it`);
    return x.capture();
  });
  const dtype = tensors.map((x) => x.dtype).reduce(promote);
  return tensors.map((x) => cast(x, dtype));
}

/**
 * Pieces of x along a dim: of `sizes` indices each (the last may be smaller), or of the given sizes in order.
 * Throws ShapeError unless given sizes add up to the dim's.
 *
 *     split(arange(5), 2); // [0, 1], [2, 3], [4]
 */
export function split(x: TensorBase, sizes: number | readonly number[], options: DimOptions = {}): Tensor[] {
  const tensor = asTensor('split', x);
  const dim = normalizeDim('split', options.dim ?? 0, tensor.rank);
  const length = tensor.shape[dim];
  if (length === undefined) throw new ShapeError('split: a scalar has no dim to split');
  const pieces = typeof sizes === 'number' ? equalSizes(sizes, length) : [...sizes];
  for (const size of pieces) checkInteger('split', 'a size', size, 0);
  if (pieces.reduce((sum, size) => sum + size, 0) !== length)
    throw new ShapeError(`split: sizes [${pieces.join(', ')}] do not add up to ${length}, the size of dim ${dim}`);
  let start = 0;
  return pieces.map((size) => {
    start += size;
    return narrow(tensor, dim, start - size, size);
  });
}

function equalSizes(size: number, length: number): number[] {
  checkInteger('split', 'the size', size, 1);
  const count = Math.max(1, Math.ceil(length / size));
  return Array.from({ length: count }, (_, i) => Math.min(size, length - i * size));
}

/** At most `chunks` pieces of equal size along a dim; the last may be smaller. */
export function chunk(x: TensorBase, chunks: number, options: DimOptions = {}): Tensor[] {
  const tensor = asTensor('chunk', x);
  checkInteger('chunk', 'chunks', chunks, 1);
  const dim = normalizeDim('chunk', options.dim ?? 0, tensor.rank);
  return split(tensor, Math.max(1, Math.ceil((tensor.shape[dim] ?? 1) / chunks)), { dim });
}

/** The slices of x along a dim, without that dim. */
export function unstack(x: TensorBase, options: DimOptions = {}): Tensor[] {
  const tensor = asTensor('unstack', x);
  const dim = normalizeDim('unstack', options.dim ?? 0, tensor.rank);
  const length = tensor.shape[dim];
  if (length === undefined) throw new ShapeError('unstack: a scalar has no dim to take apart');
  return Array.from({ length }, (_, i) => select(tensor, dim, i));
}
