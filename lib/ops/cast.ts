import { defineOp } from '../graph/op';
import { checkDType, isFloat, type DType } from '../tensor/dtype';
import { Tensor, type TensorBase } from '../tensor/tensor';
import { asTensor } from './operands';

function defineCast(name: 'castFloat32' | 'castFloat64' | 'castInt32' | 'castBool' | 'castInt64', dtype: DType) {
  return defineOp(name, {
    shape: ([x]) => x!.shape,
    dtype: () => dtype,
    lower: { elementwise: name },
    vjp: isFloat(dtype) ? (g, [x]) => [isFloat(x!.dtype) ? cast(g, x!.dtype) : null] : 'none',
    jvp: ([dx]) => cast(dx!, dtype),
  });
}

const casts: { readonly [D in DType]: (inputs: readonly Tensor[], attrs: undefined) => Tensor } = {
  float32: defineCast('castFloat32', 'float32'),
  float64: defineCast('castFloat64', 'float64'),
  int32: defineCast('castInt32', 'int32'),
  bool: defineCast('castBool', 'bool'),
  int64: defineCast('castInt64', 'int64'),
};

/**
 * The same numbers in another dtype: floats to integers go towards zero and saturate (NaN to 0), anything but 0 is true.
 * Throws DTypeError for an unknown dtype.
 *
 *     cast(tensor([1.7, -1.7]), 'int32'); // [1, -1]
 */
export function cast(x: TensorBase, dtype: DType): Tensor {
  checkDType('cast', dtype);
  const tensor = asTensor('cast', x);
  if (tensor.dtype === dtype) return tensor;
  // A scalar stays one, so that numbers never cost an instruction.
  if (tensor.scalar !== null && isFloat(dtype)) return Tensor.ofScalar(tensor.scalar, dtype);
  return casts[dtype]([tensor], undefined);
}
