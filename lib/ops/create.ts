import { DTypeError, ShapeError, ValueError } from '../errors';
import { checkDType, isFloat, type DType, type TypedArray } from '../tensor/dtype';
import { checkInteger, checkShape, formatShape, MAX_ELEMENTS, MAX_RANK, sizeOf, type Shape } from '../tensor/shape';
import { Storage } from '../tensor/storage';
import { Tensor, TensorBase } from '../tensor/tensor';
import { expand } from './shape';

export interface CreateOptions {
  /** float32 where nothing says otherwise. */
  dtype?: DType;
  /** Whether `backward()` leaves a gradient in its `grad`. */
  requiresGrad?: boolean;
}

/** Numbers as users have them: one, an array, arrays of arrays, or a typed array. */
export type NestedArray = number | bigint | boolean | ArrayLike<number | bigint> | readonly NestedArray[];

type Scalar = number | bigint | boolean;

/** Marks a tensor as one that gradients are asked of. */
export function withGrad(op: string, tensor: Tensor, requiresGrad: boolean | undefined): Tensor {
  if (requiresGrad !== true) return tensor;
  if (!isFloat(tensor.dtype))
    throw new DTypeError(`${op}: only float32 and float64 have gradients, got ${tensor.dtype}`);
  tensor.requiresGrad = true;
  tensor.asksGradient = true;
  return tensor;
}

/**
 * A tensor of numbers, copied: a number, nested arrays, or a typed array, with `shape` where that differs. Without
 * `dtype`, numbers become float32, booleans bool, bigints int64, and a typed array keeps its kind (8 and 16 bit integers
 * become int32). Throws ShapeError for ragged arrays, DTypeError for numbers that the dtype does not hold.
 *
 *     tensor([[1, 2], [3, 4]]);
 *     tensor(new Float64Array(6), { shape: [2, 3] });
 */
export function tensor(data: NestedArray, options: CreateOptions & { shape?: Shape } = {}): Tensor {
  if ((data as unknown) instanceof TensorBase)
    throw new ValueError('tensor: got a tensor; they never change, so there is no need for a copy (see detach)');
  const { values, shape: found } = flat(data);
  const shape = options.shape ?? found;
  checkShape('tensor', shape);
  if (sizeOf(shape) !== values.length)
    throw new ShapeError(`tensor: ${values.length} numbers do not fit the shape ${formatShape(shape)}`);
  const dtype = options.dtype ?? dtypeOf(values);
  checkDType('tensor', dtype);
  checkValues(values, dtype);
  return withGrad('tensor', Tensor.ofStorage(Storage.from(dtype, values), [...shape]), options.requiresGrad);
}

function flat(data: NestedArray): { values: ArrayLike<Scalar>; shape: number[] } {
  if (ArrayBuffer.isView(data) && !(data instanceof DataView))
    return { values: data as unknown as TypedArray, shape: [(data as unknown as TypedArray).length] };
  const shape: number[] = [];
  for (let level: unknown = data; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
    if (shape.length > MAX_RANK) throw new ShapeError(`tensor: arrays are nested more than ${MAX_RANK} deep`);
  }
  const values: Scalar[] = [];
  collect(data, shape, 0, values);
  return { values, shape };
}

function collect(data: unknown, shape: readonly number[], depth: number, values: Scalar[]): void {
  if (depth === shape.length) {
    if (typeof data !== 'number' && typeof data !== 'boolean' && typeof data !== 'bigint')
      throw Array.isArray(data) || ArrayBuffer.isView(data)
        ? new ShapeError('tensor: ragged arrays: an array where others have a number')
        : new ValueError(`tensor: takes numbers, bigints and booleans, got ${data === null ? 'null' : typeof data}`);
    values.push(data);
    return;
  }
  if (!Array.isArray(data)) throw new ShapeError('tensor: ragged arrays: a number where others have an array');
  if (data.length !== shape[depth])
    throw new ShapeError(`tensor: ragged arrays: ${data.length} elements where others have ${shape[depth]}`);
  for (const element of data) collect(element, shape, depth + 1, values);
}

function dtypeOf(values: ArrayLike<Scalar>): DType {
  if (values instanceof Float64Array) return 'float64';
  if (values instanceof BigInt64Array) return 'int64';
  if (ArrayBuffer.isView(values) && !(values instanceof Float32Array)) return 'int32';
  const first = values[0];
  return typeof first === 'boolean' ? 'bool' : typeof first === 'bigint' ? 'int64' : 'float32';
}

/** Throws if conversion to an integer dtype would change a number. */
function checkValues(values: ArrayLike<Scalar>, dtype: DType): void {
  if (dtype === 'int32' && !(values instanceof Int32Array)) {
    for (let i = 0; i < values.length; i++)
      if ((Number(values[i]) | 0) !== Number(values[i]))
        throw new DTypeError(`tensor: ${values[i]} is not an int32; cast rounds towards zero`);
  } else if (dtype === 'int64' && !(values instanceof BigInt64Array)) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!;
      if (typeof value === 'bigint' ? BigInt.asIntN(64, value) !== value : !Number.isSafeInteger(Number(value)))
        throw new DTypeError(`tensor: ${value} is not an integer that int64 takes`);
    }
  }
}

/**
 * A tensor of the shape with one value everywhere; booleans give bool, numbers float32. It takes no memory by itself.
 * Throws DTypeError for a number that the dtype does not hold.
 *
 *     full([2, 3], 7);
 */
export function full(shape: Shape, value: number | boolean, options: CreateOptions = {}): Tensor {
  checkShape('full', shape);
  if (typeof value !== 'number' && typeof value !== 'boolean')
    throw new ValueError(`full: the value is a number or a boolean, got ${typeof value}`);
  const dtype = options.dtype ?? (typeof value === 'boolean' ? 'bool' : 'float32');
  checkDType('full', dtype);
  checkValues([value], dtype);
  const number = dtype === 'bool' ? Number(value !== 0 && value !== false) : Number(value);
  // A leaf has a value of its own, which gradients are asked of and optimizers may replace.
  if (options.requiresGrad === true) {
    const storage = new Storage(dtype, sizeOf(shape));
    if (storage.data instanceof BigInt64Array) storage.data.fill(BigInt(number));
    else storage.data.fill(number);
    return withGrad('full', Tensor.ofStorage(storage, [...shape]), true);
  }
  return expand(Tensor.ofScalar(number, dtype), [...shape]);
}

/** A tensor of zeros. */
export const zeros = (shape: Shape, options: CreateOptions = {}): Tensor =>
  full(shape, 0, { dtype: 'float32', ...options });
/** A tensor of ones. */
export const ones = (shape: Shape, options: CreateOptions = {}): Tensor =>
  full(shape, 1, { dtype: 'float32', ...options });
/** Zeros of the shape and dtype of x. */
export const zerosLike = (x: TensorBase, options: CreateOptions = {}): Tensor =>
  full(x.shape, 0, { dtype: x.dtype, ...options });
/** Ones of the shape and dtype of x. */
export const onesLike = (x: TensorBase, options: CreateOptions = {}): Tensor =>
  full(x.shape, 1, { dtype: x.dtype, ...options });

export interface ArangeOptions extends CreateOptions {
  /** 1 where not given; below 0 it counts down. */
  step?: number;
}

/**
 * start, start + step, ... below end; with one number, from 0 to below it. int32 if all are integers, else float32.
 * Throws ValueError for a step of 0.
 *
 *     arange(3); // [0, 1, 2]
 *     arange(1, 2, { step: 0.5 }); // [1, 1.5]
 */
export function arange(end: number, options?: ArangeOptions): Tensor;
export function arange(start: number, end: number, options?: ArangeOptions): Tensor;
export function arange(first: number, second: number | ArangeOptions = {}, third: ArangeOptions = {}): Tensor {
  const isRange = typeof second === 'number';
  const start = isRange ? first : 0;
  const end = isRange ? second : first;
  const { step = 1, ...options } = isRange ? third : second;
  for (const [name, value] of Object.entries({ start, end, step }))
    if (!Number.isFinite(value)) throw new ValueError(`arange: ${name} is a finite number, got ${value}`);
  if (step === 0) throw new ValueError('arange: step is not 0');
  const isInteger = [start, end, step].every(Number.isInteger);
  const length = Math.max(0, Math.ceil((end - start) / step));
  return sequence('arange', length, (i) => start + i * step, { dtype: isInteger ? 'int32' : 'float32', ...options });
}

/**
 * `steps` numbers evenly spaced from start to end, both included.
 *
 *     linspace(0, 1, 5); // [0, 0.25, 0.5, 0.75, 1]
 */
export function linspace(start: number, end: number, steps: number, options: CreateOptions = {}): Tensor {
  checkInteger('linspace', 'steps', steps, 0);
  // From the nearer end, so that both ends are exact.
  const at = (i: number): number => {
    const step = steps > 1 ? (end - start) / (steps - 1) : 0;
    return i < steps / 2 ? start + i * step : end - (steps - 1 - i) * step;
  };
  return sequence('linspace', steps, steps === 1 ? () => start : at, { dtype: 'float32', ...options });
}

function sequence(op: string, length: number, at: (i: number) => number, options: CreateOptions): Tensor {
  if (length > MAX_ELEMENTS)
    throw new ShapeError(`${op}: ${length} numbers are more than the possible ${MAX_ELEMENTS}`);
  const values = Float64Array.from({ length }, (_, i) => at(i));
  return tensor(values, options);
}

/** The identity matrix of n rows, and `columns` columns where that differs. */
export function eye(n: number, options: CreateOptions & { columns?: number } = {}): Tensor {
  const { columns = n, ...others } = options;
  checkInteger('eye', 'n', n, 0);
  checkInteger('eye', 'columns', columns, 0);
  checkShape('eye', [n, columns]);
  const values = new Float64Array(n * columns);
  for (let i = 0; i < Math.min(n, columns); i++) values[i * columns + i] = 1;
  return tensor(values, { dtype: 'float32', ...others, shape: [n, columns] });
}
