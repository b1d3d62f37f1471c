import { DTypeError, ShapeError, ValueError } from '../../errors';
import { labelledChecked, labelledHere } from '../../graph/modes';
import { cast } from '../../ops/cast';
import { full } from '../../ops/create';
import { eq, where } from '../../ops/elementwise';
import { gather } from '../../ops/indexing';
import { reshape } from '../../ops/shape';
import { formatShape, shapesEqual } from '../../tensor/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { currentTrace } from '../../tensor/tracing';
import { checkFloat, checkTensor } from './reduction';

/** Class indices, checked. */
export interface Labels {
  /** Index for each sample, of the target's shape; 0 where ignored. */
  readonly index: Tensor;
  readonly ignored: Tensor;
  /** What each sample counts: 0 where ignored. */
  readonly weights: Tensor;
  /** Where the classes are in the input. */
  readonly dim: number;
}

/** Where the classes are: [C], or [N, C, ...]. */
export function classDim(name: string, input: TensorBase): { dim: number; classes: number } {
  const dim = input.rank === 1 ? 0 : 1;
  const classes = input.shape[dim];
  if (classes === undefined || classes === 0)
    throw new ShapeError(`${name}: the input is [N, classes, ...] or [classes], got ${formatShape(input.shape)}`);
  return { dim, classes };
}

export function checkWeight(name: string, weight: TensorBase | null | undefined, classes: number): void {
  if (!weight) return;
  checkTensor(name, 'weight', weight);
  if (!shapesEqual(weight.shape, [classes]))
    throw new ShapeError(`${name}: weight is [${classes}], one for each class, got ${formatShape(weight.shape)}`);
}

/** Throws unless it is a tensor of integers. */
export function checkIndices(name: string, argument: string, value: unknown): asserts value is TensorBase {
  checkTensor(name, argument, value);
  if (value.dtype !== 'int32' && value.dtype !== 'int64')
    throw new DTypeError(`${name}: ${argument} is int32 or int64, got ${value.dtype}`);
}

export function checkIgnoreIndex(name: string, ignoreIndex: unknown): void {
  if (!Number.isInteger(ignoreIndex))
    throw new ValueError(`${name}: ignoreIndex is an integer, got ${String(ignoreIndex)}`);
}

export interface LabelOptions {
  weight?: TensorBase | null;
  /** null: every label is a class. */
  ignoreIndex?: number | null;
}

/** Checks the input, a target of the input's shape without its classes, and the options; says where the classes are. */
export function checkLabels(
  name: string,
  input: TensorBase,
  target: TensorBase,
  { weight, ignoreIndex = -100 }: LabelOptions,
): { dim: number; classes: number } {
  checkFloat(name, { input });
  checkIndices(name, 'target', target);
  const { dim, classes } = classDim(name, input);
  if (ignoreIndex !== null) checkIgnoreIndex(name, ignoreIndex);
  const expected = input.shape.filter((_, d) => d !== dim);
  if (!shapesEqual(target.shape, expected))
    throw new ShapeError(
      `${name}: class indices for an input ${formatShape(input.shape)} are ${formatShape(expected)}, got ${formatShape(target.shape)}`,
    );
  checkWeight(name, weight, classes);
  return { dim, classes };
}

/** So many labels are looked at faster than a stack is taken. */
const FEW_LABELS = 1024;

/** Records a loss of labels; where that was is remembered for the error of a label that is none, if there may be one. */
export function recordedWithLabels<T>(
  name: string,
  input: TensorBase,
  target: TensorBase,
  ignoreIndex: number,
  record: () => T,
): T {
  return areClasses(target, input.shape[input.rank === 1 ? 0 : 1]!, ignoreIndex)
    ? labelledChecked(name, record)
    : labelledHere(name, record);
}

/** Whether all labels are known, and classes or ignored; false also where finding out would take too long. */
function areClasses(target: TensorBase, classes: number, ignoreIndex: number): boolean {
  // What a trace is given stands for other labels.
  if (currentTrace() !== null || target.size > FEW_LABELS) return false;
  const { storage, run } = target.capture();
  if (storage === null || run !== 0) return false;
  const labels = storage.data;
  for (let i = 0; i < labels.length; i++) {
    const label = Number(labels[i]);
    if (!(label >= 0 && label < classes) && label !== ignoreIndex) return false;
  }
  return true;
}

/** The labels of a target. */
export function labelsOf(name: string, input: TensorBase, target: TensorBase, options: LabelOptions): Labels {
  const { weight, ignoreIndex = -100 } = options;
  const { dim } = checkLabels(name, input, target, options);
  const expected = target.shape;
  const given = cast(target, 'int32');
  const ignored = ignoreIndex === null ? full(expected, false) : eq(given, ignoreIndex);
  const index = where(ignored, 0, given);
  const count = weight ? reshape(gather(weight, 0, reshape(index, [-1])), expected) : 1;
  return { index, ignored, weights: cast(where(ignored, 0, count), input.dtype), dim };
}

/** The index with a dim of size 1 where the input has its classes. */
export function asColumn({ index, dim }: Labels): Tensor {
  return reshape(index, index.shape.toSpliced(dim, 0, 1));
}

/** The element of x that each label names. */
export function chosenOf(x: TensorBase, labels: Labels): Tensor {
  return reshape(gather(x, labels.dim, asColumn(labels)), labels.index.shape);
}

/** A number for each class, as it broadcasts to the input. */
export function alongClasses(values: TensorBase, input: TensorBase, dim: number): Tensor {
  return reshape(values, [values.size, ...new Array<number>(input.rank - 1 - dim).fill(1)]);
}
