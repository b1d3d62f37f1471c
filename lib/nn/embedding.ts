import { DTypeError, ShapeError, ValueError } from '../errors';
import { labelled, noGrad } from '../graph/modes';
import { cast } from '../ops/cast';
import { full } from '../ops/create';
import { abs, add, div, eq, gt, logicalAnd, maximum, mul, pow, sub, where } from '../ops/elementwise';
import { detach } from '../ops/identity';
import { embedding as rowsOf, gather, scatterAdd } from '../ops/indexing';
import { sum } from '../ops/reduce';
import { reshape, unsqueeze } from '../ops/shape';
import { isFloat } from '../tensor/dtype';
import { formatShape } from '../tensor/shape';
import { Variable, type Tensor, type TensorBase } from '../tensor/tensor';
import { checkNumber } from './check';

export interface EmbeddingFunctionOptions {
  /** Rows of this index get no gradient; negative ones count from the end. */
  paddingIdx?: number | null;
  /** Rows that are looked up and have a larger norm are scaled down to it, in the weight itself. */
  maxNorm?: number | null;
  /** The p of that norm: 2 where not given. */
  normType?: number;
  /** Whether each row's gradient is divided by how often the row was looked up. */
  scaleGradByFreq?: boolean;
}

/**
 * The rows of weight [V, D] that `input` names: [...] to [..., D]
 * (https://pytorch.org/docs/1.13/generated/torch.nn.functional.embedding.html). `input` is int32 or int64.
 * Throws ShapeError, DTypeError, ValueError for what does not fit; an index outside of [0, V) fails when it is computed.
 *
 *     embedding(tensor(Int32Array.of(2, 0)), weight);
 *     embedding(tokens, weight, { paddingIdx: 0 });
 */
export function embedding(input: TensorBase, weight: TensorBase, options: EmbeddingFunctionOptions = {}): Tensor {
  const name = 'embedding';
  const { maxNorm = null, scaleGradByFreq = false } = options;
  checkLookup(name, input, weight);
  const paddingIdx = checkPaddingIdx(name, options.paddingIdx, weight.shape[0]!);
  checkMaxNorm(name, weight, options);
  return labelled(name, () => {
    if (maxNorm !== null) renormalize(weight as Variable, input, maxNorm, options.normType ?? 2);
    let rows = rowsOf(weight, input);
    if (scaleGradByFreq) rows = scaledGradient(rows, div(1, unsqueeze(frequencies(input, weight), -1)));
    return paddingIdx === null ? rows : where(unsqueeze(eq(index(input), paddingIdx), -1), detach(rows), rows);
  });
}

/** Throws unless `input` can be looked up in `weight`. */
export function checkLookup(name: string, input: TensorBase, weight: TensorBase): void {
  if (input.dtype !== 'int32' && input.dtype !== 'int64')
    throw new DTypeError(`${name}: input holds indices, int32 or int64, got ${input.dtype}`);
  if (weight.rank !== 2 || !isFloat(weight.dtype))
    throw new ShapeError(
      `${name}: weight is [entries, features] of float32 or float64, got ${formatShape(weight.shape)} of ${weight.dtype}`,
    );
}

/** The index of the padding counted from 0, or null for none. */
export function checkPaddingIdx(name: string, paddingIdx: number | null | undefined, entries: number): number | null {
  if (paddingIdx === null || paddingIdx === undefined) return null;
  if (!Number.isInteger(paddingIdx) || paddingIdx < -entries || paddingIdx >= entries)
    throw new ValueError(
      `${name}: paddingIdx is an integer from ${-entries} to ${entries - 1}, got ${String(paddingIdx)}`,
    );
  return paddingIdx < 0 ? paddingIdx + entries : paddingIdx;
}

export function checkMaxNorm(
  name: string,
  weight: TensorBase,
  { maxNorm = null, normType = 2 }: { maxNorm?: number | null; normType?: number },
): void {
  if (maxNorm === null) return;
  checkNumber(name, 'maxNorm', maxNorm, { least: 0 });
  if (normType !== Infinity) checkNumber(name, 'normType', normType, { least: Number.MIN_VALUE });
  if (!(weight instanceof Variable))
    throw new ValueError(`${name}: maxNorm changes the weight, so that it has to be a Parameter or Variable`);
}

/** The index as int32, which comparisons take. */
export function index(input: TensorBase): Tensor {
  return cast(input, 'int32');
}

/** How often each row is looked up: [V]. */
function counts(input: TensorBase, weight: TensorBase): Tensor {
  const flat = reshape(index(input), [-1]);
  const nothing = full([weight.shape[0]!], 0, { dtype: weight.dtype });
  return scatterAdd(nothing, 0, flat, full(flat.shape, 1, { dtype: weight.dtype }));
}

/** How often the row of each index is looked up, of the input's shape. */
export function frequencies(input: TensorBase, weight: TensorBase): Tensor {
  return reshape(gather(counts(input, weight), 0, reshape(index(input), [-1])), input.shape);
}

/** The same values; gradients are multiplied by `scale`. */
export function scaledGradient(x: Tensor, scale: Tensor): Tensor {
  const fixed = detach(x);
  return add(fixed, mul(sub(x, fixed), scale));
}

/** Scales the rows that are looked up down to a norm of at most maxNorm. */
export function renormalize(weight: Variable, input: TensorBase, maxNorm: number, normType: number): void {
  noGrad(() => {
    const size = abs(weight);
    const norms =
      normType === Infinity
        ? size.max({ dim: 1, keepdim: true })
        : pow(sum(pow(size, normType), { dim: 1, keepdim: true }), 1 / normType);
    const isTooLong = logicalAnd(gt(norms, maxNorm), unsqueeze(gt(counts(input, weight), 0), 1));
    // As PyTorch: a little below the limit, so that rounding does not lead above it.
    const shorter = mul(weight, div(maxNorm, add(maximum(norms, maxNorm), 1e-7)));
    weight.assign(where(isTooLong, shorter, weight));
  });
}
