import { DTypeError, ShapeError, ValueError } from '../errors';
import { labelled } from '../graph/modes';
import { attentionWeights } from '../ops/attention';
import { full, zeros } from '../ops/create';
import { add, where } from '../ops/elementwise';
import { concat } from '../ops/join';
import { matmul } from '../ops/matmul';
import { pad } from '../ops/place';
import { dropout, type Generator } from '../ops/random';
import { mean } from '../ops/reduce';
import { expand, narrow, permute, reshape, squeeze, transpose, unsqueeze } from '../ops/shape';
import { isFloat } from '../tensor/dtype';
import { formatShape, shapesEqual, type Shape } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { attend } from './attention';
import { checkNumber } from './check';
import { linear } from './linear';

/** What multi-head attention learns; E is the model's width, and each head has E / heads of it. */
export interface MultiHeadAttentionWeights {
  /** [3 E, E]: the projections of query, key and value, where all three have width E. */
  readonly inProjWeight?: TensorBase | null;
  /** [E, E], [E, kdim], [E, vdim]: the same, where they have their own widths. */
  readonly qProjWeight?: TensorBase | null;
  readonly kProjWeight?: TensorBase | null;
  readonly vProjWeight?: TensorBase | null;
  /** [3 E]. */
  readonly inProjBias?: TensorBase | null;
  /** [1, 1, E]: one more key and value for every sequence. */
  readonly biasK?: TensorBase | null;
  readonly biasV?: TensorBase | null;
  /** [E, E]. */
  readonly outProjWeight: TensorBase;
  /** [E]. */
  readonly outProjBias?: TensorBase | null;
}

export interface MultiHeadAttentionMasks {
  /** [N, S]: bool, true for keys that are not seen; or floats that are added to the scores. */
  keyPaddingMask?: TensorBase | null;
  /** [L, S] or [N · heads, L, S]: bool, true where a key is not seen; or floats that are added to the scores. */
  attnMask?: TensorBase | null;
  /** Whether the weights are given back too; true where not given. */
  needWeights?: boolean;
  /** Their mean over the heads, or those of each head; true where not given. */
  averageAttnWeights?: boolean;
}

export interface MultiHeadAttentionOptions extends MultiHeadAttentionMasks {
  /** Whether each sequence gets one more key and value of zeros. */
  addZeroAttn?: boolean;
  dropoutP?: number;
  training?: boolean;
  generator?: Generator;
}

/**
 * Attention in several heads (Vaswani et al. 2017): query [L, N, E], key [S, N, kdim] and value [S, N, vdim], or each
 * without N, give the output [L, N, E] and the weights [N, L, S] (or [N, heads, L, S], or null)
 * (https://pytorch.org/docs/1.13/generated/torch.nn.MultiheadAttention.html).
 * Throws ShapeError, DTypeError, ValueError for what does not fit.
 *
 *     const [y, weights] = multiHeadAttentionForward(x, x, x, 8, attention);
 */
export function multiHeadAttentionForward(
  query: TensorBase,
  key: TensorBase,
  value: TensorBase,
  numHeads: number,
  weights: MultiHeadAttentionWeights,
  options: MultiHeadAttentionOptions = {},
): [output: Tensor, weights: Tensor | null] {
  const name = 'multiHeadAttention';
  const { dropoutP = 0, training = true, needWeights = true, averageAttnWeights = true, generator } = options;
  const embedDim = weights.outProjWeight.shape[0]!;
  checkNumber(name, 'dropoutP', dropoutP, { least: 0, most: 1 });
  if (!Number.isInteger(numHeads) || numHeads < 1 || embedDim % numHeads !== 0)
    throw new ValueError(`${name}: numHeads divides the embedding's ${embedDim}, got ${String(numHeads)}`);
  checkInputs(name, query, key, value, embedDim);
  const batched = query.rank === 3;
  const batch = batched ? query.shape[1]! : 1;
  const [queries, keys] = [query.shape[0]!, key.shape[0]!];
  const scores = [batch * numHeads, queries, keys];
  checkMasks(name, options, batched ? [batch, keys] : [keys], scores);

  return labelled(name, () => {
    const withBatch = (x: TensorBase): Tensor => (batched ? x.capture() : unsqueeze(x, 1));
    const [q, k, v] = projected(withBatch(query), withBatch(key), withBatch(value), weights);
    const extended = (x: Tensor, extra: TensorBase | null | undefined): Tensor => {
      const parts = extra ? [x, expand(extra, [1, batch, embedDim])] : [x];
      if (options.addZeroAttn === true) parts.push(zeros([1, batch, embedDim], { dtype: x.dtype }));
      return concat(parts);
    };
    // [length, N, E] to [N, heads, length, E / heads]
    const heads = (x: Tensor): Tensor =>
      permute(reshape(x, [x.shape[0]!, batch, numHeads, embedDim / numHeads]), [1, 2, 0, 3]);
    const allKeys = extended(k, weights.biasK);
    const mask = addedMask(options, [batch, numHeads, queries, keys], allKeys);
    const values = heads(extended(v, weights.biasV));
    const attrs = { scale: 1 / Math.sqrt(embedDim / numHeads), isCausal: false };
    const [queriesOfHeads, keysOfHeads] = [heads(q), heads(allKeys)];
    const kept =
      needWeights || (training && dropoutP > 0)
        ? dropout(attentionWeights(queriesOfHeads, keysOfHeads, mask, attrs), dropoutP, { training, generator })
        : null;
    const mixed = kept === null ? attend(queriesOfHeads, keysOfHeads, values, mask, attrs) : matmul(kept, values);
    const joined = reshape(permute(mixed, [2, 0, 1, 3]), [queries, batch, embedDim]);
    const output = linear(joined, weights.outProjWeight, weights.outProjBias ?? null);
    const given = needWeights && kept !== null ? (averageAttnWeights ? mean(kept, { dim: 1 }) : kept) : null;
    return batched ? [output, given] : [squeeze(output, { dim: 1 }), given && squeeze(given, { dim: 0 })];
  });
}

/** Query, key and value of width E. */
function projected(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  { inProjWeight, qProjWeight, kProjWeight, vProjWeight, inProjBias }: MultiHeadAttentionWeights,
): [Tensor, Tensor, Tensor] {
  const width = query.shape[2]!;
  const part = (x: TensorBase, i: number): Tensor => narrow(x, 0, i * width, width);
  const own = [qProjWeight, kProjWeight, vProjWeight];
  const project = (x: Tensor, i: number): Tensor =>
    linear(x, inProjWeight ? part(inProjWeight, i) : own[i]!, inProjBias ? part(inProjBias, i) : null);
  return [project(query, 0), project(key, 1), project(value, 2)];
}

/** Both masks as numbers that are added to the scores [N, heads, L, S + extra]; null without masks. */
function addedMask(
  { keyPaddingMask, attnMask }: MultiHeadAttentionMasks,
  [batch, heads, queries, keys]: readonly [number, number, number, number],
  allKeys: Tensor,
): Tensor | null {
  const extra = allKeys.shape[0]! - keys;
  // What was added to the keys is always seen.
  const asNumbers = (mask: TensorBase): Tensor => {
    const zero = full([], 0, { dtype: allKeys.dtype });
    const numbers = isFloat(mask.dtype) ? mask.capture() : where(mask, -Infinity, zero);
    const sides = new Array<number>(2 * mask.rank).fill(0);
    sides[1] = extra;
    return extra === 0 ? numbers : pad(numbers, sides);
  };
  const all = keys + extra;
  const ofPadding = keyPaddingMask ? reshape(asNumbers(keyPaddingMask), [batch, 1, 1, all]) : null;
  const ofPairs = attnMask
    ? reshape(asNumbers(attnMask), attnMask.rank === 2 ? [1, 1, queries, all] : [batch, heads, queries, all])
    : null;
  return ofPadding && ofPairs ? add(ofPadding, ofPairs) : (ofPadding ?? ofPairs);
}

function checkInputs(name: string, query: TensorBase, key: TensorBase, value: TensorBase, embedDim: number): void {
  const { rank } = query;
  const fits =
    (rank === 2 || rank === 3) &&
    key.rank === rank &&
    value.rank === rank &&
    query.shape.at(-1) === embedDim &&
    key.shape[0] === value.shape[0] &&
    (rank === 2 || (query.shape[1] === key.shape[1] && key.shape[1] === value.shape[1]));
  if (!fits)
    throw new ShapeError(
      `${name}: takes query [L, N, ${embedDim}], key [S, N, kdim] and value [S, N, vdim], or all without N, got ` +
        [query, key, value].map((x) => formatShape(x.shape)).join(', '),
    );
}

function checkMasks(name: string, masks: MultiHeadAttentionMasks, padding: Shape, scores: Shape): void {
  const { keyPaddingMask, attnMask } = masks;
  for (const [label, mask] of Object.entries({ keyPaddingMask, attnMask }))
    if (mask && mask.dtype !== 'bool' && !isFloat(mask.dtype))
      throw new DTypeError(`${name}: ${label} is bool, float32 or float64, got ${mask.dtype}`);
  if (keyPaddingMask && !shapesEqual(keyPaddingMask.shape, padding))
    throw new ShapeError(
      `${name}: keyPaddingMask is ${formatShape(padding)}, got ${formatShape(keyPaddingMask.shape)}`,
    );
  if (attnMask && !shapesEqual(attnMask.shape, scores) && !shapesEqual(attnMask.shape, scores.slice(1)))
    throw new ShapeError(
      `${name}: attnMask is ${formatShape(scores.slice(1))} or ${formatShape(scores)}, got ${formatShape(attnMask.shape)}`,
    );
}

/** With its first two dims exchanged, as batchFirst has them; what has no batch stays. */
export const batchExchanged = (x: TensorBase): Tensor => (x.rank === 3 ? transpose(x, 0, 1) : x.capture());
