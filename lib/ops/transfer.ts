import { DTypeError, ShapeError } from '../errors';
import { readData } from '../graph/reading';
import { checkDType, dtypes, type DType, type TypedArray } from '../tensor/dtype';
import { checkShape, formatShape, sizeOf, type Shape } from '../tensor/shape';
import { Storage } from '../tensor/storage';
import { Tensor, type TensorBase } from '../tensor/tensor';

/** A tensor as plain data, for postMessage and structuredClone; `data.buffer` may be in their transfer list. */
export interface TransferableTensor {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TypedArray;
}

/**
 * The numbers of a tensor as plain data that may cross to another thread. Tensors themselves may not: they share memory
 * with programs.
 *
 *     const plain = await toTransferable(weight);
 *     worker.postMessage(plain, [plain.data.buffer]);
 */
export async function toTransferable(x: TensorBase): Promise<TransferableTensor> {
  const { dtype, shape } = x;
  return { dtype, shape: [...shape], data: await readData(x.capture()) };
}

/** The tensor on the other side. Throws DTypeError or ShapeError if the parts do not fit each other. */
export function fromTransferable({ dtype, shape, data }: TransferableTensor): Tensor {
  checkDType('fromTransferable', dtype);
  const { name } = dtypes[dtype].array;
  // By its tag: what comes from another realm is no instance of ours.
  if (Object.prototype.toString.call(data) !== `[object ${name}]`)
    throw new DTypeError(`fromTransferable: the data of a ${dtype} tensor is a ${name}`);
  checkShape('fromTransferable', shape);
  if (data.length !== sizeOf(shape))
    throw new ShapeError(`fromTransferable: ${data.length} numbers do not fit the shape ${formatShape(shape)}`);
  return Tensor.ofStorage(Storage.from(dtype, data), [...shape]);
}
