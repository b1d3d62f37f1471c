import { defineOp } from '../graph/op';
import { setDetach, type Tensor, type TensorBase } from '../tensor/tensor';
import { asTensor } from './operands';

const detachOp = defineOp('detach', {
  shape: ([x]) => x!.shape,
  lower: { view: (input) => input },
  vjp: 'none',
});

const aliasOp = defineOp('alias', {
  shape: ([x]) => x!.shape,
  lower: { view: (input) => input },
  vjp: (g) => [g],
  jvp: ([dx]) => dx!,
});

/**
 * The same values, with no gradient to what they came from.
 *
 *     const target = detach(model.forward(x));
 */
export function detach(x: TensorBase): Tensor {
  return detachOp([asTensor('detach', x)], undefined);
}

/** The same values as a node of its own: gradients pass, and can be asked of this node alone. */
export function alias(x: TensorBase): Tensor {
  return aliasOp([asTensor('alias', x)], undefined);
}

setDetach(detach);
