import { ShapeError, ValueError } from '../errors';
import { defineOp, type Apply } from '../graph/op';
import { isFloat } from '../tensor/dtype';
import { checkShape, formatShape, type Shape } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { asTensor } from './operands';
import { slice, type Range } from './shape';

interface PlaceAttrs {
  readonly starts: readonly number[];
  readonly steps: readonly number[];
  readonly shape: Shape;
  readonly value: number;
}

const padOp: Apply<PlaceAttrs> = defineOp('pad', {
  shape: ([x], { starts, steps, shape }) => {
    x!.shape.forEach((size, dim) => {
      if (size > 0 && starts[dim]! + (size - 1) * steps[dim]! >= shape[dim]!)
        throw new ShapeError(`pad: ${formatShape(x!.shape)} does not fit ${formatShape(shape)}`);
    });
    return shape;
  },
  attributes: ({ value, starts, steps }) => [value, ...starts, ...steps],
  lower: { kernel: 'pad' },
  vjp: (g, [x], _output, { starts, steps }) => [window(g, starts, steps, x!.shape)],
  jvp: ([dx], _inputs, _output, attrs) => padOp([dx!], { ...attrs, value: 0 }),
});

/** What `place` put there. */
function window(g: Tensor, starts: readonly number[], steps: readonly number[], shape: Shape): Tensor {
  const ranges = shape.map((size, dim): Range => [starts[dim]!, starts[dim]! + size * steps[dim]!, steps[dim]!]);
  return slice(g, ranges);
}

/** A tensor of the shape filled with the value, but for x at starts + i * steps: what `slice` takes, put back. */
export function place(x: TensorBase, attrs: PlaceAttrs): Tensor {
  return padOp([x.capture()], attrs);
}

/**
 * x with `value` around it: `padding` is [left, right, top, bottom, ...], from the last dim to the first, as in PyTorch.
 * Throws ValueError for a padding below 0.
 *
 *     pad(tensor([1, 2]), [1, 2]); // [0, 1, 2, 0, 0]
 */
export function pad(x: TensorBase, padding: readonly number[], options: { value?: number } = {}): Tensor {
  const tensor = asTensor('pad', x);
  const value = options.value ?? 0;
  if (typeof value !== 'number') throw new ValueError(`pad: value is a number, got ${String(value)}`);
  if (!isFloat(tensor.dtype) && (tensor.dtype === 'int32' ? (value | 0) !== value : !Number.isSafeInteger(value)))
    throw new ValueError(`pad: ${value} is not possible in a tensor of ${tensor.dtype}`);
  if (!Array.isArray(padding) || padding.length % 2 !== 0 || padding.length > 2 * tensor.rank)
    throw new ShapeError(
      `pad: padding has two sizes for each padded dim, got [${String(padding)}] for ${formatShape(tensor.shape)}`,
    );
  if (padding.some((size: number) => !Number.isInteger(size) || size < 0))
    throw new ValueError(`pad: sizes are integers of at least 0, got [${padding.join(', ')}]`);
  const before = (dim: number): number => (padding[2 * (tensor.rank - 1 - dim)] as number | undefined) ?? 0;
  const after = (dim: number): number => (padding[2 * (tensor.rank - 1 - dim) + 1] as number | undefined) ?? 0;
  const shape = tensor.shape.map((size, dim) => before(dim) + size + after(dim));
  checkShape('pad', shape);
  if (padding.every((size) => size === 0)) return tensor;
  return place(tensor, { starts: shape.map((_, dim) => before(dim)), steps: shape.map(() => 1), shape, value });
}
