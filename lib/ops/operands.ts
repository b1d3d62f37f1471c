import { DTypeError, ValueError } from '../errors';
import { dtypes, isFloat, promote, type DType } from '../tensor/dtype';
import { Tensor, TensorBase, type Operand } from '../tensor/tensor';
import { cast } from './cast';

/** The tensor that an operation captures. A number alone becomes a float32 scalar. */
export function asTensor(op: string, x: Operand): Tensor {
  if (x instanceof TensorBase) return x.capture();
  if (typeof x === 'number') return Tensor.ofScalar(x, 'float32');
  throw new ValueError(
    `${op}: an operand is a tensor or a number, got ${typeof x === 'object' ? 'an object' : String(x)}`,
  );
}

/** As `asTensor`, and floating point: integers become float32. */
export function asFloat(op: string, x: Operand): Tensor {
  const tensor = asTensor(op, x);
  return isFloat(tensor.dtype) ? tensor : cast(tensor, 'float32');
}

/** A number beside a tensor takes its dtype, unless that is an integer and the number is not: then float32. */
function scalarLike(op: string, value: number, dtype: DType): Tensor {
  if (isFloat(dtype)) return Tensor.ofScalar(value, dtype);
  if (!Number.isInteger(value)) return Tensor.ofScalar(value, 'float32');
  if (Math.abs(value) > 2 ** 31 - 1)
    throw new DTypeError(`${op}: ${value} does not fit int32, the dtype of the tensor`);
  return Tensor.ofScalar(value, 'int32');
}

/** Both operands with the dtype that PyTorch's promotion gives them. */
export function promoted(op: string, a: Operand, b: Operand): [Tensor, Tensor] {
  let x: Tensor;
  let y: Tensor;
  if (typeof a === 'number' && b instanceof TensorBase) {
    y = b.capture();
    x = scalarLike(op, a, y.dtype);
  } else if (typeof b === 'number' && a instanceof TensorBase) {
    x = a.capture();
    y = scalarLike(op, b, x.dtype);
  } else {
    x = asTensor(op, a);
    y = asTensor(op, b);
  }
  if (x.dtype === y.dtype) return [x, y];
  const dtype = promote(x.dtype, y.dtype);
  return [cast(x, dtype), cast(y, dtype)];
}

/** Both operands promoted, and numbers: bools count as int32. */
export function promotedNumbers(op: string, a: Operand, b: Operand): [Tensor, Tensor] {
  const [x, y] = promoted(op, a, b);
  if (x.dtype === 'int64') throw new DTypeError(`${op}: int64 is for interchange; cast to int32 or float64 first`);
  return x.dtype === 'bool' ? [cast(x, 'int32'), cast(y, 'int32')] : [x, y];
}

/** Both operands promoted, and floating point. */
export function promotedFloats(op: string, a: Operand, b: Operand): [Tensor, Tensor] {
  const [x, y] = promoted(op, a, b);
  return isFloat(x.dtype) ? [x, y] : [cast(x, 'float32'), cast(y, 'float32')];
}

/** All of them floating point and of one dtype. */
export function sameFloats(op: string, ...operands: readonly Operand[]): Tensor[] {
  const tensors = operands.map((x) => asFloat(op, x));
  const dtype = tensors.map((x) => x.dtype).reduce(promote);
  return tensors.map((x) => cast(x, dtype));
}

/** Throws DTypeError unless the tensor has one of the dtypes. */
export function checkDTypes(op: string, tensor: Tensor, possible: readonly DType[]): void {
  if (!possible.includes(tensor.dtype))
    throw new DTypeError(`${op}: takes ${possible.join(' or ')}, got ${tensor.dtype}`);
}

export const floats = (Object.keys(dtypes) as DType[]).filter(isFloat);
