import { ShapeError, ValueError } from '../errors';
import { labelled } from '../graph/modes';
import { cast } from '../ops/cast';
import { full, tensor } from '../ops/create';
import { div, logicalNot, maximum, mul, ne, where } from '../ops/elementwise';
import { embedding as rowsOf, embeddingGrad } from '../ops/indexing';
import { any, max } from '../ops/reduce';
import { reshape, unsqueeze } from '../ops/shape';
import { formatShape, shapesEqual } from '../tensor/shape';
import type { Tensor, TensorBase, Variable } from '../tensor/tensor';
import {
  checkLookup,
  checkMaxNorm,
  checkPaddingIdx,
  frequencies,
  index,
  renormalize,
  scaledGradient,
  type EmbeddingFunctionOptions,
} from './embedding';

export type BagMode = 'sum' | 'mean' | 'max';

export interface EmbeddingBagFunctionOptions extends EmbeddingFunctionOptions {
  /** For an input of one dim: where each bag starts, ascending from 0. Read when the call is recorded. */
  offsets?: TensorBase | readonly number[] | null;
  /** What becomes of the rows of a bag: 'mean' where not given. */
  mode?: BagMode;
  /** Of the input's shape: how much each row counts; for 'sum' only. */
  perSampleWeights?: TensorBase | null;
  /** Whether the last offset is the end of the last bag. */
  includeLastOffset?: boolean;
}

/**
 * The sum, mean or maximum of the rows of weight [V, D] in each bag, without keeping the rows: bags are the rows of an
 * input [B, N], or parts of an input [N] that begin at `offsets`; gives [B, D], zeros for empty bags. Rows of paddingIdx
 * do not count (https://pytorch.org/docs/1.13/generated/torch.nn.functional.embedding_bag.html).
 * Throws ShapeError, DTypeError, ValueError for what does not fit.
 *
 *     embeddingBag(tokens, weight, { mode: 'sum' });
 *     embeddingBag(tensor(Int32Array.of(3, 1, 2)), weight, { offsets: [0, 2] }); // bags [3, 1] and [2]
 */
export function embeddingBag(input: TensorBase, weight: TensorBase, options: EmbeddingBagFunctionOptions = {}): Tensor {
  const name = 'embeddingBag';
  const { mode = 'mean', perSampleWeights = null, maxNorm = null, scaleGradByFreq = false } = options;
  checkLookup(name, input, weight);
  if (!['sum', 'mean', 'max'].includes(mode))
    throw new ValueError(`${name}: mode is sum, mean or max, got ${String(mode)}`);
  const entries = weight.shape[0]!;
  const paddingIdx = checkPaddingIdx(name, options.paddingIdx, entries);
  checkMaxNorm(name, weight, options);
  if (perSampleWeights !== null && mode !== 'sum')
    throw new ValueError(`${name}: perSampleWeights are for mode sum, got mode ${mode}`);
  if (perSampleWeights !== null && !shapesEqual(perSampleWeights.shape, input.shape))
    throw new ShapeError(
      `${name}: perSampleWeights are of input's shape ${formatShape(input.shape)}, got ${formatShape(perSampleWeights.shape)}`,
    );
  if (scaleGradByFreq && mode === 'max') throw new ValueError(`${name}: scaleGradByFreq is for modes sum and mean`);
  const bags = bagsOf(name, input, options);

  return labelled(name, () => {
    if (maxNorm !== null) renormalize(weight as Variable, input, maxNorm, options.normType ?? 2);
    const flat = reshape(index(input), [-1]);
    let rows = rowsOf(weight, flat);
    if (scaleGradByFreq) rows = scaledGradient(rows, div(1, unsqueeze(frequencies(flat, weight), -1)));
    const counts = paddingIdx === null ? null : ne(flat, paddingIdx);
    if (mode === 'max') return largest(rows, counts, bags);
    const weights = perSampleWeights && reshape(perSampleWeights, [-1]);
    const shares = weights && counts ? where(counts, weights, 0) : (weights ?? (counts && cast(counts, weight.dtype)));
    const ids = tensor(bags.ids);
    const total = embeddingGrad(shares ? mul(rows, unsqueeze(shares, -1)) : rows, ids, bags.starts.length);
    if (mode === 'sum') return total;
    const one = unsqueeze(shares ?? full(flat.shape, 1, { dtype: weight.dtype }), -1);
    return div(total, maximum(embeddingGrad(one, ids, bags.starts.length), 1));
  });
}

interface Bags {
  /** The bag of each position. */
  readonly ids: Int32Array;
  readonly starts: readonly number[];
  readonly lengths: readonly number[];
}

function bagsOf(name: string, input: TensorBase, options: EmbeddingBagFunctionOptions): Bags {
  const { offsets = null, includeLastOffset = false } = options;
  if (input.rank === 2 && offsets !== null)
    throw new ValueError(
      `${name}: offsets are for an input of one dim; the rows of ${formatShape(input.shape)} are bags`,
    );
  if (input.rank === 2) {
    const [count, length] = input.shape as [number, number];
    return layOut(
      Array.from({ length: count }, (_, bag) => bag * length),
      input.size,
    );
  }
  if (input.rank !== 1) throw new ShapeError(`${name}: input is [B, N] or [N], got ${formatShape(input.shape)}`);
  if (offsets === null) throw new ValueError(`${name}: an input of one dim needs offsets, where each bag starts`);
  const starts = Array.isArray(offsets)
    ? [...(offsets as readonly number[])]
    : Array.from((offsets as TensorBase).dataSync(), Number);
  if (includeLastOffset && starts.length === 0)
    throw new ValueError(`${name}: with includeLastOffset there is at least one offset`);
  const end = includeLastOffset ? starts.pop()! : input.size;
  const limits = [...starts, end];
  const isAscending = limits.every((start, i) => Number.isInteger(start) && (i === 0 || start >= limits[i - 1]!));
  if (!isAscending || (starts.length > 0 && starts[0] !== 0) || end > input.size)
    throw new ValueError(
      `${name}: offsets ascend from 0 to at most ${input.size}, the size of the input, got ${limits.join(', ')}`,
    );
  return layOut(starts, end);
}

function layOut(starts: readonly number[], end: number): Bags {
  const lengths = starts.map((start, bag) => (starts[bag + 1] ?? end) - start);
  const ids = new Int32Array(end);
  starts.forEach((start, bag) => ids.fill(bag, start, start + lengths[bag]!));
  return { ids, starts, lengths };
}

/** The largest of the rows that count in each bag: bags are laid out as a rectangle, what is left over counts as -∞. */
function largest(rows: Tensor, counts: Tensor | null, { starts, lengths }: Bags): Tensor {
  const width = Math.max(1, ...lengths);
  const features = rows.shape[1]!;
  if (rows.shape[0] === 0) return full([starts.length, features], 0, { dtype: rows.dtype });
  const positions = new Int32Array(starts.length * width);
  const isThere = new Int32Array(positions.length);
  starts.forEach((start, bag) => {
    for (let i = 0; i < lengths[bag]!; i++) {
      positions[bag * width + i] = start + i;
      isThere[bag * width + i] = 1;
    }
  });
  const shape = [starts.length, width];
  const at = tensor(positions, { shape });
  const inBag = cast(tensor(isThere, { shape }), 'bool');
  const chosen =
    counts === null
      ? inBag
      : mul(cast(inBag, 'int32'), reshape(rowsOf(unsqueeze(cast(counts, rows.dtype), -1), at), shape));
  const mask = unsqueeze(cast(chosen, 'bool'), -1);
  const highest = max(where(mask, rowsOf(rows, at), -Infinity), { dim: 1 });
  return where(logicalNot(any(mask, { dim: 1 })), 0, highest);
}
