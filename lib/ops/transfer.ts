import { DTypeError } from '../errors';
import { readData } from '../graph/evaluate';
import { checkDType, dtypes, type DType, type TypedArray } from '../tensor/dtype';
import type { Shape } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { tensor } from './create';

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
  if (!(data instanceof dtypes[dtype].array))
    throw new DTypeError(`fromTransferable: the data of a ${dtype} tensor is a ${dtypes[dtype].array.name}`);
  return tensor(data, { shape, dtype });
}
