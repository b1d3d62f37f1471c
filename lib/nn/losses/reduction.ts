import { DTypeError, ShapeError, ValueError } from '../../errors';
import { labelled } from '../../graph/modes';
import { cast } from '../../ops/cast';
import { mean, sum } from '../../ops/reduce';
import { isFloat } from '../../tensor/dtype';
import { formatShape, shapesEqual, type Shape } from '../../tensor/shape';
import { TensorBase, type Tensor } from '../../tensor/tensor';

/** What becomes of one loss per sample: their mean, their sum, or all of them. */
export type Reduction = 'mean' | 'sum' | 'none';

export interface LossOptions {
  reduction?: Reduction;
}

/** The mean or sum of losses, or all of them. */
export function reduce(name: string, losses: Tensor, reduction: Reduction): Tensor {
  checkReduction(name, reduction, losses.size);
  return reduction === 'mean' ? mean(losses) : reduction === 'sum' ? sum(losses) : losses;
}

/**
 * A loss of each pair of elements: both have one shape, and so have the losses. Integer and bool targets count as floats.
 */
export function elementwise(
  name: string,
  input: TensorBase,
  target: TensorBase,
  options: LossOptions,
  formula: (x: Tensor, y: Tensor) => Tensor,
): Tensor {
  const { reduction = 'mean' } = options;
  checkFloat(name, { input });
  checkTensor(name, 'target', target);
  checkSameShape(name, { input, target });
  checkReduction(name, reduction, input.size);
  return labelled(name, () => reduce(name, formula(input.capture(), asFloatOf(target, input)), reduction));
}

/** Integers and bools in the dtype of `input`; floats stay as they are. */
export function asFloatOf(target: TensorBase, input: TensorBase): Tensor {
  return isFloat(target.dtype) ? target.capture() : cast(target, input.dtype);
}

export function checkReduction(name: string, reduction: Reduction, size: number): void {
  checkReductionName(name, reduction);
  if (reduction === 'mean' && size === 0) throw new ValueError(`${name}: the mean of no elements; the batch is empty`);
}

/** The same for modules, which do not know the size yet. */
export function checkReductionName(name: string, reduction: unknown): void {
  if (reduction !== 'mean' && reduction !== 'sum' && reduction !== 'none')
    throw new ValueError(`${name}: reduction is mean, sum or none, got ${String(reduction)}`);
}

export function checkTensor(name: string, argument: string, value: unknown): asserts value is TensorBase {
  if (!(value instanceof TensorBase)) throw new ValueError(`${name}: ${argument} is a tensor, got ${typeof value}`);
}

/** Throws unless each is a tensor of floats; keys are the arguments' names. */
export function checkFloat(name: string, tensors: Record<string, unknown>): void {
  for (const argument in tensors) {
    const value = tensors[argument];
    checkTensor(name, argument, value);
    if (!isFloat(value.dtype))
      throw new DTypeError(`${name}: ${argument} is float32 or float64, got ${value.dtype}; see cast`);
  }
}

/** Throws unless all shapes are equal: broadcasting in a loss is nearly always a mistake. */
export function checkSameShape(name: string, tensors: Record<string, TensorBase>): void {
  const [first, ...others] = Object.values(tensors);
  if (others.every(({ shape }) => shapesEqual(shape, first!.shape))) return;
  const names = listed(Object.keys(tensors));
  throw new ShapeError(
    `${name}: ${names} have one shape, got ${listed(Object.values(tensors).map(({ shape }) => formatShape(shape)))}`,
  );
}

/** Throws unless `value` broadcasts to `shape`. */
export function checkBroadcast(
  name: string,
  argument: string,
  value: TensorBase | null | undefined,
  shape: Shape,
): void {
  if (!value) return;
  checkTensor(name, argument, value);
  const offset = shape.length - value.rank;
  if (offset < 0 || value.shape.some((size, dim) => size !== 1 && size !== shape[offset + dim]))
    throw new ShapeError(
      `${name}: ${argument} ${formatShape(value.shape)} does not broadcast to ${formatShape(shape)}`,
    );
}

const listed = (words: readonly string[]): string => `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
