import { DTypeError, ShapeError } from '../errors';
import { defineOp, type Apply } from '../graph/op';
import { isFloat } from '../tensor/dtype';
import { broadcastShapes, formatShape, shapesEqual, sizeOf, type Shape } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { arange } from './create';
import { add, ge, mul, sub, where } from './elementwise';
import { concat } from './join';
import { matmul } from './matmul';
import { sameFloats } from './operands';
import { sum } from './reduce';
import { expand, narrow, reshape, transpose } from './shape';
import { softmax } from './softmax';

/*
 * Attention (Vaswani et al. 2017) as two operations, closed under each other's gradients: what they need of the weights
 * [..., L, S] is computed again, tile by tile, and never kept (Dao et al., FlashAttention, 2022).
 */

export interface AttentionAttrs {
  readonly scale: number;
  /** Query i sees the keys up to i. */
  readonly isCausal: boolean;
}

const adjoint = (x: Tensor): Tensor => transpose(x, -2, -1);

/** [L, S]: true where key s is not after query l. */
export function causalMask(queries: number, keys: number): Tensor {
  return ge(reshape(arange(queries), [queries, 1]), arange(keys));
}

/** softmax(Q Kᵀ · scale + mask) in plain operations: [..., L, S]. */
export function attentionWeights(
  q: TensorBase,
  k: TensorBase,
  mask: TensorBase | null,
  { scale, isCausal }: AttentionAttrs,
): Tensor {
  let scores = matmul(mul(q, scale), transpose(k, -2, -1));
  if (mask !== null) scores = mask.dtype === 'bool' ? where(mask, scores, -Infinity) : add(scores, mask);
  if (isCausal) scores = where(causalMask(q.shape.at(-2)!, k.shape.at(-2)!), scores, -Infinity);
  return softmax(scores, -1);
}

/** The derivative of the rows of softmax, a symmetric matrix, times x. */
const throughSoftmax = (weights: Tensor, x: Tensor): Tensor => mul(weights, sub(x, rowMean(weights, x)));
const rowMean = (weights: Tensor, x: Tensor): Tensor => sum(mul(weights, x), { dim: -1, keepdim: true });

/** What `attentionGrad` is for q, k and v, beside each other: [..., L E + S E + S Ev]. */
function pack(...gradients: readonly Tensor[]): Tensor {
  return concat(
    gradients.map((x) => reshape(x, [...x.shape.slice(0, -2), sizeOf(x.shape.slice(-2))])),
    { dim: -1 },
  );
}

function unpack(packed: Tensor, like: readonly Tensor[]): Tensor[] {
  let start = 0;
  return like.map((x) => {
    const length = sizeOf(x.shape.slice(-2));
    start += length;
    return reshape(narrow(packed, -1, start - length, length), x.shape);
  });
}

const attributes = ({ scale, isCausal }: AttentionAttrs): number[] => [scale, isCausal ? 1 : 0];

const attentionOp: Apply<AttentionAttrs> = defineOp<AttentionAttrs>('attention', {
  shape: ([q, , v]) => [...q!.shape.slice(0, -1), v!.shape.at(-1)!],
  attributes,
  lower: { kernel: 'attention' },
  vjp: (g, [q, k, v, mask], _output, attrs) => {
    const given = mask ? [q!, k!, v!, mask] : [q!, k!, v!];
    const gradients: (Tensor | null)[] = unpack(gradOp([g, ...given], attrs), [q!, k!, v!]);
    if (mask === undefined) return gradients;
    if (!isFloat(mask.dtype)) return [...gradients, null];
    return [...gradients, throughSoftmax(attentionWeights(q!, k!, mask, attrs), matmul(g, adjoint(v!)))];
  },
  decompose: ([q, k, v, mask], attrs) => matmul(attentionWeights(q!, k!, mask ?? null, attrs), v!),
});

const gradOp: Apply<AttentionAttrs> = defineOp<AttentionAttrs>('attentionGrad', {
  shape: ([, q, k, v]) => [
    ...q!.shape.slice(0, -2),
    [q, k, v].reduce((length, x) => length + sizeOf(x!.shape.slice(-2)), 0),
  ],
  attributes,
  lower: { kernel: 'attentionGrad' },
  // With P = weights, D = g vᵀ, J = throughSoftmax and the cotangent's parts a, b, c, the output's product with the
  // cotangent is ⟨T, J D⟩ + ⟨P c, g⟩ for T = scale (a kᵀ + q bᵀ); J is symmetric.
  vjp: (u, [g, q, k, v, mask], _output, attrs) => {
    const [a, b, c] = unpack(u, [q!, k!, v!]) as [Tensor, Tensor, Tensor];
    const weights = attentionWeights(q!, k!, mask ?? null, attrs);
    const scaled = (x: Tensor): Tensor => mul(x, attrs.scale);
    const ofWeights = matmul(g!, adjoint(v!));
    const direction = scaled(add(matmul(a, adjoint(k!)), matmul(q!, adjoint(b))));
    const ofScores = throughSoftmax(weights, ofWeights);
    const turned = throughSoftmax(weights, direction);
    // The gradient for P of ⟨T, J D⟩ + ⟨P c, g⟩, and through the softmax.
    const product = sub(
      mul(direction, sub(ofWeights, rowMean(weights, ofWeights))),
      mul(ofWeights, rowMean(weights, direction)),
    );
    const second = throughSoftmax(weights, add(product, matmul(g!, adjoint(c))));
    const gradients = [
      add(matmul(turned, v!), matmul(weights, c)),
      scaled(add(matmul(second, k!), matmul(ofScores, b))),
      scaled(add(matmul(adjoint(second), q!), matmul(adjoint(ofScores), a))),
      matmul(adjoint(turned), g!),
    ];
    return mask ? [...gradients, isFloat(mask.dtype) ? second : null] : gradients;
  },
  decompose: ([g, q, k, v, mask], attrs) => {
    const weights = attentionWeights(q!, k!, mask ?? null, attrs);
    const ofScores = mul(throughSoftmax(weights, matmul(g!, adjoint(v!))), attrs.scale);
    return pack(matmul(ofScores, k!), matmul(adjoint(ofScores), q!), matmul(adjoint(weights), g!));
  },
});

/**
 * Throws ShapeError unless q [..., L, E], k [..., S, E] and v [..., S, Ev] fit and the mask broadcasts to [..., L, S],
 * DTypeError for a mask of int64.
 */
export function checkAttention(op: string, q: TensorBase, k: TensorBase, v: TensorBase, mask: TensorBase | null): void {
  const fits =
    [q, k, v].every(({ rank }) => rank >= 2) && q.shape.at(-1) === k.shape.at(-1) && k.shape.at(-2) === v.shape.at(-2);
  if (!fits)
    throw new ShapeError(
      `${op}: takes [..., L, E], [..., S, E] and [..., S, Ev], got ` +
        [q, k, v].map((x) => formatShape(x.shape)).join(', '),
    );
  const ofScores = broadcastShapes(op, q.shape.slice(0, -2), k.shape.slice(0, -2));
  broadcastShapes(op, ofScores, v.shape.slice(0, -2));
  if (mask === null) return;
  const scores = [...ofScores, q.shape.at(-2)!, k.shape.at(-2)!];
  if (mask.rank > scores.length || !shapesEqual(broadcastShapes(op, mask.shape, scores), scores))
    throw new ShapeError(`${op}: attnMask broadcasts to ${formatShape(scores)}, got ${formatShape(mask.shape)}`);
  if (mask.dtype === 'int64') throw new DTypeError(`${op}: attnMask is bool or floats, got int64`);
}

/** All of one floating dtype, but a bool mask, and with the batch dims of all of them. */
function operands(op: string, mask: TensorBase | null, ...matrices: readonly TensorBase[]): [Tensor[], Shape] {
  const isBool = mask?.dtype === 'bool';
  const floats = sameFloats(op, ...matrices, ...(mask !== null && !isBool ? [mask] : []));
  const all = isBool ? [...floats, mask.capture()] : floats;
  const batch = matrices.map((x) => x.shape.slice(0, -2)).reduce<Shape>((a, b) => broadcastShapes(op, a, b), []);
  return [all, batch];
}

/**
 * softmax(Q Kᵀ · scale + mask) V for q [..., L, E], k [..., S, E], v [..., S, Ev] gives [..., L, Ev], in memory that
 * does not grow with L S. The mask, which broadcasts to [..., L, S], is bool, true where a key is seen, or floats that
 * are added to the scores. A query that may see no key gives NaN. Throws ShapeError, DTypeError for what does not fit.
 *
 *     attention(q, k, v, null, { scale: 0.125, isCausal: true });
 */
export function attention(
  q: TensorBase,
  k: TensorBase,
  v: TensorBase,
  mask: TensorBase | null,
  attrs: AttentionAttrs,
): Tensor {
  checkAttention('attention', q, k, v, mask);
  const [all, batch] = operands('attention', mask, q, k, v);
  return attentionOp(expandAll(all, mask, batch, q, k), attrs);
}

/**
 * The gradients of `attention` for q, k and v from that for its output, g [..., L, Ev], beside each other and each in
 * row-major order: [..., L E + S E + S Ev]. Throws ShapeError, DTypeError for what does not fit.
 *
 *     const packed = attentionGrad(g, q, k, v, null, { scale: 0.125, isCausal: false });
 */
export function attentionGrad(
  g: TensorBase,
  q: TensorBase,
  k: TensorBase,
  v: TensorBase,
  mask: TensorBase | null,
  attrs: AttentionAttrs,
): Tensor {
  const op = 'attentionGrad';
  checkAttention(op, q, k, v, mask);
  if (g.rank < 2 || g.shape.at(-2) !== q.shape.at(-2) || g.shape.at(-1) !== v.shape.at(-1))
    throw new ShapeError(
      `${op}: for q ${formatShape(q.shape)} and v ${formatShape(v.shape)}, g ends with ` +
        `${formatShape([q.shape.at(-2)!, v.shape.at(-1)!])}, got ${formatShape(g.shape)}`,
    );
  const [all, batch] = operands(op, mask, g, q, k, v);
  return gradOp(expandAll(all, mask, batch, q, k), attrs);
}

function expandAll(
  all: readonly Tensor[],
  mask: TensorBase | null,
  batch: Shape,
  q: TensorBase,
  k: TensorBase,
): Tensor[] {
  return all.map((x, i) => {
    const isMask = mask !== null && i === all.length - 1;
    const matrix = isMask ? [q.shape.at(-2)!, k.shape.at(-2)!] : x.shape.slice(-2);
    return expand(x, [...batch, ...matrix]);
  });
}
