import { ShapeError, ValueError } from '../errors';
import { defineOp, type Apply } from '../graph/op';
import { formatShape, shapesEqual } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { full, zerosLike } from './create';
import { add, mul, rsqrt, square, sub } from './elementwise';
import { stack } from './join';
import { sameFloats } from './operands';
import { mean, sum } from './reduce';
import { select } from './shape';

/*
 * Layer normalisation (Ba, Kiros and Hinton 2016) of the rows of x [R, D] as three operations, closed under each other's
 * gradients. With r = 1 / √(variance + eps), x̂ = r (x - mean) and P(v) = v - mean of v - x̂ · mean of v x̂, which is symmetric: y
 * is x̂ weight + bias, the gradient for x is r P(g weight), and a small change d of x changes x̂ by r P(d).
 */

interface LayerNormAttrs {
  readonly eps: number;
}

const attributes = ({ eps }: LayerNormAttrs): number[] => [eps];

const meanOfRows = (x: Tensor): Tensor => mean(x, { dim: 1, keepdim: true });

/** [R, 1]: 1 / √(variance + eps). */
function inverseOf(x: Tensor, eps: number): Tensor {
  return rsqrt(add(meanOfRows(square(sub(x, meanOfRows(x)))), eps));
}

const normalized = (x: Tensor, eps: number): Tensor => mul(sub(x, meanOfRows(x)), inverseOf(x, eps));

const ones = (x: Tensor): Tensor => full([x.shape[1]!], 1, { dtype: x.dtype });

/** Throws unless x is [R, D], and what belongs to the columns [D]. */
function checkRows(op: string, x: Tensor, perColumn: { readonly [name: string]: Tensor }): void {
  if (x.rank !== 2) throw new ShapeError(`${op}: takes rows [R, D], got ${formatShape(x.shape)}`);
  for (const [name, values] of Object.entries(perColumn))
    if (!shapesEqual(values.shape, [x.shape[1]!]))
      throw new ShapeError(
        `${op}: for x ${formatShape(x.shape)} ${name} is [${x.shape[1]}], got ${formatShape(values.shape)}`,
      );
}

function checkCotangent(op: string, g: Tensor, x: Tensor): void {
  if (!shapesEqual(g.shape, x.shape))
    throw new ShapeError(`${op}: for x ${formatShape(x.shape)} g has its shape, got ${formatShape(g.shape)}`);
}

const layerNormOp: Apply<LayerNormAttrs> = defineOp<LayerNormAttrs>('layerNorm', {
  shape: ([x, weight, bias]) => {
    checkRows('layerNorm', x!, { weight: weight!, bias: bias! });
    return x!.shape;
  },
  attributes,
  lower: { kernel: 'layerNorm' },
  vjp: (g, [x, weight], _output, attrs) => {
    const sums = weightGradsOp([g, x!], attrs);
    return [inputGradOp([g, x!, weight!], attrs), select(sums, 0, 0), select(sums, 0, 1)];
  },
  jvp: ([dx, dweight, dbias], [x, weight], _output, attrs) => {
    const ofInput = dx && mul(inputGradOp([dx, x!, ones(x!)], attrs), weight!);
    if (!dweight && !dbias) return [ofInput];
    return [ofInput, layerNormOp([x!, dweight ?? zerosLike(weight!), dbias ?? zerosLike(weight!)], attrs)];
  },
  decompose: ([x, weight, bias], { eps }) => add(mul(normalized(x!, eps), weight!), bias!),
});

const inputGradOp: Apply<LayerNormAttrs> = defineOp<LayerNormAttrs>('layerNormInputGrad', {
  shape: ([g, x, weight]) => {
    checkRows('layerNormInputGrad', x!, { weight: weight! });
    checkCotangent('layerNormInputGrad', g!, x!);
    return x!.shape;
  },
  attributes,
  lower: { kernel: 'layerNormInputGrad' },
  vjp: (u, [g, x, weight], _output, attrs) => {
    const projected = inputGradOp([u, x!, ones(x!)], attrs);
    const ofInput = alongRows(u, projected, g!, x!, weight!, attrs);
    return [mul(projected, weight!), ofInput, sum(mul(projected, g!), { dim: 0 })];
  },
  jvp: ([dg, dx, dweight], [g, x, weight], _output, attrs) => [
    dg && inputGradOp([dg, x!, weight!], attrs),
    dx && alongRows(dx, inputGradOp([dx, x!, ones(x!)], attrs), g!, x!, weight!, attrs),
    dweight && inputGradOp([g!, x!, dweight], attrs),
  ],
  decompose: ([g, x, weight], { eps }) => {
    const values = mul(g!, weight!);
    const row = normalized(x!, eps);
    const centered = sub(values, meanOfRows(values));
    return mul(inverseOf(x!, eps), sub(centered, mul(row, meanOfRows(mul(values, row)))));
  },
});

/**
 * The derivative of r P(v), v = g weight, for x: r P(v) is the gradient of ⟨v, x̂⟩, so its derivative H is symmetric, and this
 * H u is both the reverse and the forward rule. It has what comes by r and what comes by x̂; `projected` is r P(u).
 */
function alongRows(u: Tensor, projected: Tensor, g: Tensor, x: Tensor, weight: Tensor, attrs: LayerNormAttrs): Tensor {
  const values = mul(g, weight);
  const inverse = inverseOf(x, attrs.eps);
  const row = mul(sub(x, meanOfRows(x)), inverse);
  const alongU = meanOfRows(mul(u, row));
  const alongValues = meanOfRows(mul(values, row));
  const size = sub(sub(meanOfRows(mul(u, values)), mul(meanOfRows(u), meanOfRows(values))), mul(alongU, alongValues));
  const byInverse = mul(mul(size, square(inverse)), row);
  const byRow = mul(inverse, add(mul(alongU, inputGradOp([g, x, weight], attrs)), mul(alongValues, projected)));
  return mul(add(byInverse, byRow), -1);
}

const weightGradsOp: Apply<LayerNormAttrs> = defineOp<LayerNormAttrs>('layerNormWeightGrads', {
  shape: ([g, x]) => {
    checkRows('layerNormWeightGrads', x!, {});
    checkCotangent('layerNormWeightGrads', g!, x!);
    return [2, x!.shape[1]!];
  },
  attributes,
  lower: { kernel: 'layerNormWeightGrads' },
  vjp: (u, [g, x], _output, attrs) => {
    const [ofProducts, ofSums] = [select(u, 0, 0), select(u, 0, 1)];
    return [layerNormOp([x!, ofProducts, ofSums], attrs), inputGradOp([g!, x!, ofProducts], attrs)];
  },
  jvp: ([dg, dx], [g, x], _output, attrs) => {
    const ofCotangent = dg && weightGradsOp([dg, x!], attrs);
    if (!dx) return [ofCotangent];
    const ofProducts = sum(mul(g!, inputGradOp([dx, x!, ones(x!)], attrs)), { dim: 0 });
    return [ofCotangent, stack([ofProducts, zerosLike(ofProducts)])];
  },
  decompose: ([g, x], { eps }) => stack([sum(mul(g!, normalized(x!, eps)), { dim: 0 }), sum(g!, { dim: 0 })]),
});

export interface RowNormOptions {
  /** Added to the variance: 1e-5 where not given. */
  eps?: number;
}

function attrsOf(op: string, { eps = 1e-5 }: RowNormOptions): LayerNormAttrs {
  if (!(Number.isFinite(eps) && eps >= 0)) throw new ValueError(`${op}: eps is a number of at least 0, got ${eps}`);
  return { eps };
}

/**
 * (x - mean) / √(variance + eps) · weight + bias for each row of x [R, D], weight and bias [D]; the variance is the biased one.
 * Throws ShapeError for shapes that do not fit, ValueError for an eps below 0.
 *
 *     layerNorm(tensor([[1, 3]]), ones([2]), zeros([2]), { eps: 0 }); // [[-1, 1]]
 */
export function layerNorm(x: TensorBase, weight: TensorBase, bias: TensorBase, options: RowNormOptions = {}): Tensor {
  return layerNormOp(sameFloats('layerNorm', x, weight, bias), attrsOf('layerNorm', options));
}

/** The gradient of `layerNorm` for x from that for its output, g [R, D]. Throws as layerNorm does. */
export function layerNormInputGrad(
  g: TensorBase,
  x: TensorBase,
  weight: TensorBase,
  options: RowNormOptions = {},
): Tensor {
  return inputGradOp(sameFloats('layerNormInputGrad', g, x, weight), attrsOf('layerNormInputGrad', options));
}

/** The gradients of `layerNorm` for weight and bias, [2, D], from that for its output, g [R, D]. Throws as layerNorm does. */
export function layerNormWeightGrads(g: TensorBase, x: TensorBase, options: RowNormOptions = {}): Tensor {
  return weightGradsOp(sameFloats('layerNormWeightGrads', g, x), attrsOf('layerNormWeightGrads', options));
}
