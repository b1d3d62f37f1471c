import { ShapeError, ValueError } from '../errors';
import { labelled } from '../graph/modes';
import { arange, full } from '../ops/create';
import { add, ge, mul, where } from '../ops/elementwise';
import { matmul } from '../ops/matmul';
import { dropout, type Generator } from '../ops/random';
import { reshape, transpose } from '../ops/shape';
import { softmax } from '../ops/softmax';
import { broadcastShapes, formatShape, shapesEqual } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { checkNumber } from './check';

export interface AttentionOptions {
  /** Broadcasts to [..., L, S]: bool, true where a key may be seen; or floats that are added to the scores. */
  attnMask?: TensorBase | null;
  /** Share of the weights that is dropped: 0 where not given. Also in evaluation, so pass 0 there. */
  dropoutP?: number;
  /** Query i sees the keys up to i; not together with attnMask. */
  isCausal?: boolean;
  /** 1/√E where not given. */
  scale?: number | null;
  generator?: Generator;
}

/**
 * softmax(Q Kᵀ · scale + mask) V (Vaswani et al. 2017;
 * https://pytorch.org/docs/2.1/generated/torch.nn.functional.scaled_dot_product_attention.html):
 * query [..., L, E], key [..., S, E], value [..., S, Ev] to [..., L, Ev]. A query that may see no key gives NaN.
 * Throws ShapeError for sizes that do not fit, ValueError for options outside what is possible.
 *
 *     scaledDotProductAttention(q, k, v, { isCausal: true });
 *     scaledDotProductAttention(q, k, v, { attnMask: mask, dropoutP: training ? 0.1 : 0 });
 */
export function scaledDotProductAttention(
  query: TensorBase,
  key: TensorBase,
  value: TensorBase,
  options: AttentionOptions = {},
): Tensor {
  const name = 'scaledDotProductAttention';
  const { dropoutP = 0, generator, isCausal = false, attnMask = null } = options;
  checkNumber(name, 'dropoutP', dropoutP, { least: 0, most: 1 });
  if (isCausal && attnMask !== null) throw new ValueError(`${name}: takes isCausal or attnMask, got both`);
  checkAttention(name, query, key, value);
  if (attnMask !== null) checkMask(name, attnMask, query, key);
  return labelled(name, () => {
    const weights = attentionWeights(query, key, options);
    return matmul(dropout(weights, dropoutP, { generator }), value);
  });
}

/** softmax(Q Kᵀ · scale + mask): [..., L, S]. */
export function attentionWeights(query: TensorBase, key: TensorBase, options: AttentionOptions): Tensor {
  const { scale = null, isCausal = false, attnMask = null } = options;
  const scaled = mul(query, scale ?? 1 / Math.sqrt(query.shape.at(-1)!));
  const scores = matmul(scaled, transpose(key, -2, -1));
  if (isCausal) return softmax(where(causal(query.shape.at(-2)!, key.shape.at(-2)!), scores, -Infinity), -1);
  if (attnMask === null) return softmax(scores, -1);
  return softmax(attnMask.dtype === 'bool' ? where(attnMask, scores, -Infinity) : add(scores, attnMask), -1);
}

/** [L, S]: true where key s is not after query l. */
function causal(queries: number, keys: number): Tensor {
  return ge(reshape(arange(queries), [queries, 1]), arange(keys));
}

/**
 * The mask that Transformers add to scores so that position i sees positions up to i: [size, size] with 0 there and -∞
 * elsewhere (https://pytorch.org/docs/1.13/generated/torch.nn.Transformer.html).
 *
 *     generateSquareSubsequentMask(2); // [[0, -Infinity], [0, 0]]
 */
export function generateSquareSubsequentMask(size: number): Tensor {
  return where(causal(size, size), full([], 0), -Infinity);
}

function checkAttention(name: string, query: TensorBase, key: TensorBase, value: TensorBase): void {
  const ranks = [query, key, value].map((x) => x.rank);
  const fits =
    ranks.every((rank) => rank >= 2) &&
    query.shape.at(-1) === key.shape.at(-1) &&
    key.shape.at(-2) === value.shape.at(-2);
  if (!fits)
    throw new ShapeError(
      `${name}: takes [..., L, E], [..., S, E] and [..., S, Ev], got ` +
        [query, key, value].map((x) => formatShape(x.shape)).join(', '),
    );
}

function checkMask(name: string, mask: TensorBase, query: TensorBase, key: TensorBase): void {
  const batch = broadcastShapes(name, query.shape.slice(0, -2), key.shape.slice(0, -2));
  const scores = [...batch, query.shape.at(-2)!, key.shape.at(-2)!];
  if (mask.rank > scores.length || !shapesEqual(broadcastShapes(name, mask.shape, scores), scores))
    throw new ShapeError(`${name}: attnMask broadcasts to ${formatShape(scores)}, got ${formatShape(mask.shape)}`);
}
