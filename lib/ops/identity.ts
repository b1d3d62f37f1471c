import { DTypeError, ValueError } from '../errors';
import { defineOp, type Apply } from '../graph/op';
import { isFloat } from '../tensor/dtype';
import { setDetach, type Tensor, type TensorBase } from '../tensor/tensor';
import { zerosLike } from './create';
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

const barrierOp = defineOp('barrier', {
  shape: ([x]) => x!.shape,
  // Nothing is read of the others; but what reads this comes after them.
  lower: { view: (input) => input },
  vjp: (g, others) => [g, ...others.slice(1).map(() => null)],
  jvp: ([dx], [x]) => dx ?? zerosLike(x!),
});

/**
 * The values of x, for what may be computed only when `others` are there; so a program that has x already keeps it apart from
 * this, and computes what depends on this later, and once more. Gradients pass to x alone.
 *
 *     const again = exp(barrier(x, [g])); // not the exp(x) of before, and not before g
 */
export function barrier(x: TensorBase, others: readonly TensorBase[]): Tensor {
  const inputs = [x, ...others].map((input) => asTensor('barrier', input));
  return barrierOp(inputs, undefined);
}

interface RangeAttrs {
  readonly least: number;
  readonly most: number;
  readonly allowNaN: boolean;
}

const checkRangeOp: Apply<RangeAttrs> = defineOp('checkRange', {
  shape: ([x]) => x!.shape,
  attributes: ({ least, most, allowNaN }) => [least, most, Number(allowNaN)],
  lower: { kernel: 'checkRange' },
  checksData: true,
  vjp: (g) => [g],
  jvp: ([dx]) => dx!,
});

/**
 * The same values; one outside of [least, most] fails when it is computed, as an index out of range does, naming the value
 * and where. NaN is outside unless `allowNaN`. Gradients pass unchecked. Throws DTypeError for integers, ValueError unless
 * least <= most.
 *
 *     checkRange(probabilities, 0, 1);
 *     checkRange(tensor([-2]), 0, Infinity).dataSync(); // ValueError: checkRange: -2 at position 0 is out of range ...
 */
export function checkRange(x: TensorBase, least: number, most: number, options: { allowNaN?: boolean } = {}): Tensor {
  const tensor = asTensor('checkRange', x);
  if (!isFloat(tensor.dtype)) throw new DTypeError(`checkRange: takes float32 or float64, got ${tensor.dtype}`);
  if (!(least <= most))
    throw new ValueError(`checkRange: takes numbers least <= most, got ${String(least)} and ${String(most)}`);
  return checkRangeOp([tensor], { least, most, allowNaN: options.allowNaN === true });
}

setDetach(detach);
