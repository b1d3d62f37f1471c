import { DTypeError, ShapeError, ValueError } from '../errors';
import { concat } from '../ops/join';
import { reshape, slice } from '../ops/shape';
import type { DType } from '../tensor/dtype';
import { formatShape } from '../tensor/shape';
import { Variable, type Tensor, type TensorBase } from '../tensor/tensor';

/** Parameters seen as one vector of `size` numbers, in the order in which they are given. */
export class ParameterVector {
  readonly params: readonly Variable[];
  readonly size: number;
  readonly dtype: DType;

  /** Throws ValueError unless these are Variables that require gradients, DTypeError unless all are of one dtype. */
  constructor(op: string, params: Iterable<Variable>) {
    this.params = [...params];
    const [first] = this.params;
    if (first === undefined) throw new ValueError(`${op}: needs at least one parameter`);
    for (const [i, parameter] of this.params.entries()) {
      if (!(parameter instanceof Variable) || !parameter.requiresGrad)
        throw new ValueError(`${op}: parameter ${i} is not a Variable that requires a gradient`);
      if (parameter.dtype !== first.dtype)
        throw new DTypeError(`${op}: parameters are of one dtype, got ${first.dtype} and ${parameter.dtype}`);
    }
    if (new Set(this.params).size !== this.params.length)
      throw new ValueError(`${op}: a parameter is given more than once`);
    this.dtype = first.dtype;
    this.size = this.params.reduce((sum, { size }) => sum + size, 0);
    if (this.size === 0) throw new ValueError(`${op}: the parameters have no elements`);
  }

  /** One tensor for each parameter, as a vector [size]. */
  flatten(tensors: readonly TensorBase[]): Tensor {
    return concat(tensors.map((tensor) => reshape(tensor, [tensor.size])));
  }

  /** The parts of a vector [size], in the parameters' shapes. */
  unflatten(vector: TensorBase): Tensor[] {
    if (vector.shape.length !== 1 || vector.size !== this.size)
      throw new ShapeError(`a direction is a vector of ${this.size} elements, got shape ${formatShape(vector.shape)}`);
    let offset = 0;
    return this.params.map(({ size, shape }) => {
      const start = offset;
      offset += size;
      return reshape(slice(vector, [[start, offset]]), shape);
    });
  }
}
