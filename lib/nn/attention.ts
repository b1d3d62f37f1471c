import { ValueError } from '../errors';
import { labelled } from '../graph/modes';
import { attention, attentionWeights, causalMask, checkAttention, type AttentionAttrs } from '../ops/attention';
import { full } from '../ops/create';
import { where } from '../ops/elementwise';
import { matmul } from '../ops/matmul';
import { dropout, type Generator } from '../ops/random';
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
 * Without dropout it is one operation that never keeps the weights: memory does not grow with L S.
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
  checkAttention(name, query, key, value, attnMask);
  const width = query.shape.at(-1)!;
  const scale = options.scale ?? (width === 0 ? 1 : 1 / Math.sqrt(width));
  checkNumber(name, 'scale', scale);
  return labelled(name, () => {
    if (dropoutP === 0) return attend(query, key, value, attnMask, { scale, isCausal });
    const weights = attentionWeights(query, key, attnMask, { scale, isCausal });
    return matmul(dropout(weights, dropoutP, { generator }), value);
  });
}

/** Fewer queries than this have fewer weights than keys have elements; packing these would cost more than it saves. */
const FEW_QUERIES = 8;

/** Attention without dropout: one operation, or for few queries its formula, which is then faster. */
export function attend(
  query: TensorBase,
  key: TensorBase,
  value: TensorBase,
  mask: TensorBase | null,
  attrs: AttentionAttrs,
): Tensor {
  if (query.shape.at(-2)! >= FEW_QUERIES) return attention(query, key, value, mask, attrs);
  return matmul(attentionWeights(query, key, mask, attrs), value);
}

/**
 * The mask that Transformers add to scores so that position i sees positions up to i: [size, size] with 0 there and -∞
 * elsewhere (https://pytorch.org/docs/1.13/generated/torch.nn.Transformer.html).
 *
 *     generateSquareSubsequentMask(2); // [[0, -Infinity], [0, 0]]
 */
export function generateSquareSubsequentMask(size: number): Tensor {
  return where(causalMask(size, size), full([], 0), -Infinity);
}
