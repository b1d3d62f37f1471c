import { gradients, hessianVectorProduct } from '../autodiff';
import { ShapeError, ValueError } from '../errors';
import { compile } from '../graph/compile';
import { Observer } from '../graph/compile/observer';
import type { AbortSignalLike } from '../graph/abort';
import { recordTogether, submit } from '../graph/evaluate';
import { enableGrad } from '../graph/modes';
import { zerosLike } from '../ops/create';
import { detach } from '../ops/identity';
import { formatShape } from '../tensor/shape';
import { TensorBase, type Tensor, type Variable } from '../tensor/tensor';
import { withTrace } from '../tensor/tracing';
import type { Operator } from './krylov';
import { ParameterVector } from './parameters';

/** Records the loss of a fixed batch: the same number whenever the parameters are the same. */
export type Loss = () => TensorBase;

/** A loss around the point where its parameters stand, as a function of one vector. */
export class Curvature {
  readonly vector: ParameterVector;
  /** How many Hessian-vector products were asked for. */
  products = 0;

  /**
   * Throws ValueError for a loss that draws random numbers or moves Variables, as dropout and batch normalisation do while
   * a model is in training mode: it would be another function at every call.
   */
  constructor(
    op: string,
    private readonly loss: Loss,
    params: Iterable<Variable>,
  ) {
    if (typeof loss !== 'function') throw new ValueError(`${op}: the loss is a function, got ${typeof loss}`);
    this.vector = new ParameterVector(op, params);
    checkPure(op, loss);
  }

  /** Computes parameters that are only recipes yet, between turns of the event loop: recording would do it at once. */
  async prepare(signal?: AbortSignalLike): Promise<void> {
    await submit(
      this.vector.params.map((parameter) => parameter.current),
      { signal },
    );
  }

  /** The loss and its gradient [size], not computed yet. */
  gradient(): { loss: Tensor; gradient: Tensor } {
    const record = (): { loss: Tensor; gradient: Tensor } => {
      const loss = this.loss().capture();
      const { params } = this.vector;
      const found: (Tensor | null)[] = loss.requiresGrad
        ? gradients([loss], params, undefined, { allowUnused: true })
        : params.map(() => null);
      const gradient = this.vector.flatten(found.map((g, i) => g ?? zerosLike(params[i]!)));
      return { loss: detach(loss), gradient: detach(gradient) };
    };
    return recordTogether(() => enableGrad(record));
  }

  /** The Hessian times a vector [size]: recorded once, then replayed. */
  product(direction: Tensor): Tensor {
    this.products++;
    return enableGrad(() => this.#product(direction));
  }

  readonly #product = compile((direction: Tensor) => {
    const { vector } = this;
    const { products } = hessianVectorProduct(this.loss(), vector.params, vector.unflatten(direction));
    return detach(vector.flatten(products));
  });
}

/** The Hessian as what Lanczos takes. */
export function operatorOf(curvature: Curvature): Operator {
  const { size, dtype } = curvature.vector;
  return { size, dtype, apply: (direction) => curvature.product(direction) };
}

function checkPure(op: string, loss: Loss): void {
  const observer = new Observer();
  try {
    const value = enableGrad(() => withTrace(observer, loss));
    if (!(value instanceof TensorBase)) throw new ValueError(`${op}: the loss returns a tensor, got ${typeof value}`);
    if (value.size !== 1)
      throw new ShapeError(`${op}: the loss returns one number, got shape ${formatShape(value.shape)}`);
  } finally {
    observer.rollBack();
  }
  const remedy = 'put the model into evaluation mode (model.eval()), and let the loss be of a fixed batch';
  if (observer.drawn.length > 0) throw new ValueError(`${op}: the loss draws random numbers; ${remedy}`);
  if (observer.starts.size > 0)
    throw new ValueError(`${op}: the loss changes Variables when it is computed; ${remedy}`);
}
