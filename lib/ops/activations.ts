import { ValueError } from '../errors';
import { labelled } from '../graph/modes';
import type { Operand, Tensor } from '../tensor/tensor';
import {
  abs,
  add,
  div,
  erf,
  expm1,
  ge,
  gt,
  le,
  lt,
  mul,
  neg,
  sigmoid,
  softplus,
  square,
  tanh,
  where,
} from './elementwise';
import { asFloat, asTensor } from './operands';

/** Activation functions as their papers write them; fused, each is one pass over memory. */
function activation(name: string, x: Operand, formula: (x: Tensor) => Tensor): Tensor {
  return labelled(name, () => formula(asFloat(name, x)));
}

function checkFinite(op: string, name: string, value: number): void {
  if (!Number.isFinite(value)) throw new ValueError(`${op}: ${name} is a finite number, got ${String(value)}`);
}

export interface ClampOptions {
  min?: number;
  max?: number;
}

/**
 * x, but min where it is below and max where it is above (max wins); NaN stays. The gradient passes at both limits.
 * Throws ValueError without a limit, or for a NaN.
 *
 *     clamp(tensor([-1, 0.5, 2]), { min: 0, max: 1 }); // [0, 0.5, 1]
 */
export function clamp(x: Operand, { min, max }: ClampOptions): Tensor {
  if ((min === undefined && max === undefined) || Number.isNaN(min) || Number.isNaN(max))
    throw new ValueError(`clamp: takes min, max or both as numbers, got ${String(min)} and ${String(max)}`);
  return labelled('clamp', () => {
    const tensor = asTensor('clamp', x);
    const raised = min === undefined ? tensor : where(lt(tensor, min), min, tensor);
    return max === undefined ? raised : where(gt(raised, max), max, raised);
  });
}

/** x, and negativeSlope · x below 0 (0.01 where not given). */
export function leakyRelu(x: Operand, options: { negativeSlope?: number } = {}): Tensor {
  const { negativeSlope = 0.01 } = options;
  checkFinite('leakyRelu', 'negativeSlope', negativeSlope);
  return activation('leakyRelu', x, (v) => where(gt(v, 0), v, mul(v, negativeSlope)));
}

/** x, and alpha · (e^x - 1) below 0 (Clevert et al. 2016). */
export function elu(x: Operand, options: { alpha?: number } = {}): Tensor {
  const { alpha = 1 } = options;
  checkFinite('elu', 'alpha', alpha);
  // The inner choice keeps the exponential, and its gradient, from overflowing where it is not taken.
  return activation('elu', x, (v) => where(gt(v, 0), v, mul(expm1(where(gt(v, 0), 0, v)), alpha)));
}

/** Scaled elu that keeps mean 0 and variance 1 (Klambauer et al. 2017). */
export function selu(x: Operand): Tensor {
  return activation('selu', x, (v) => mul(elu(v, { alpha: 1.6732632423543772 }), 1.0507009873554805));
}

/**
 * x Φ(x) with the normal distribution's Φ (Hendrycks and Gimpel 2016); 'tanh' is the paper's approximation.
 *
 *     gelu(x, { approximate: 'tanh' });
 */
export function gelu(x: Operand, options: { approximate?: 'none' | 'tanh' } = {}): Tensor {
  const { approximate = 'none' } = options;
  if (approximate !== 'none' && approximate !== 'tanh')
    throw new ValueError(`gelu: approximate is 'none' or 'tanh', got ${String(approximate)}`);
  if (approximate === 'none') return activation('gelu', x, (v) => mul(mul(v, 0.5), add(erf(mul(v, Math.SQRT1_2)), 1)));
  return activation('gelu', x, (v) => {
    const inner = mul(mul(v, Math.sqrt(2 / Math.PI)), add(mul(square(v), 0.044715), 1));
    return mul(mul(v, 0.5), add(tanh(inner), 1));
  });
}

/** x · sigmoid(x), also known as swish. */
export const silu = (x: Operand): Tensor => activation('silu', x, (v) => mul(v, sigmoid(v)));
/** x · tanh(softplus(x)) (Misra 2019). */
export const mish = (x: Operand): Tensor => activation('mish', x, (v) => mul(v, tanh(softplus(v))));
/** min(max(x, 0), 6). */
export const relu6 = (x: Operand): Tensor => activation('relu6', x, (v) => hardtanh(v, { minValue: 0, maxValue: 6 }));
/** x between two limits, -1 and 1 where not given; unlike that of clamp its gradient at both is 0, as in PyTorch. */
export function hardtanh(x: Operand, options: { minValue?: number; maxValue?: number } = {}): Tensor {
  const { minValue = -1, maxValue = 1 } = options;
  if (!(minValue <= maxValue))
    throw new ValueError(`hardtanh: minValue is at most maxValue, got ${minValue} and ${maxValue}`);
  return activation('hardtanh', x, (v) => where(le(v, minValue), minValue, where(ge(v, maxValue), maxValue, v)));
}
/** relu6(x + 3) / 6. */
export const hardsigmoid = (x: Operand): Tensor => activation('hardsigmoid', x, (v) => div(relu6(add(v, 3)), 6));
/** x (x + 3) / 6 from -3 to 3, x above, 0 below (Howard et al. 2019). */
export const hardswish = (x: Operand): Tensor =>
  activation('hardswish', x, (v) =>
    where(lt(v, -3), 0, where(lt(v, 3), div(mul(where(lt(v, 3), v, 0), add(v, 3)), 6), v)),
  );
/** x / (1 + |x|). */
export const softsign = (x: Operand): Tensor => activation('softsign', x, (v) => div(v, add(abs(v), 1)));
/** log sigmoid(x), without overflow. */
export const logSigmoid = (x: Operand): Tensor => activation('logSigmoid', x, (v) => neg(softplus(neg(v))));
