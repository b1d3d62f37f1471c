import { DTypeError, ShapeError, ValueError } from '../errors';
import { labelled } from '../graph/modes';
import { clamp } from '../ops/activations';
import { cast } from '../ops/cast';
import { tensor } from '../ops/create';
import { abs, add, div, eq, gt, mul, ne, pow, sqrt, square, sub, where } from '../ops/elementwise';
import { embedding } from '../ops/indexing';
import { max, min, sum, type ReduceOptions } from '../ops/reduce';
import { expand } from '../ops/shape';
import { isFloat } from '../tensor/dtype';
import { broadcastShapes, formatShape, normalizeDim, normalizeDims } from '../tensor/shape';
import { TensorBase, type Tensor } from '../tensor/tensor';
import { checkNumber } from './check';
import { Module } from './module';
import { atLeast } from './straight-through';

export interface PairwiseDistanceOptions {
  /** Exponent of the norm: any number, Infinity for the largest difference. */
  p?: number;
  /** Added to every difference, so that it is never 0. */
  eps?: number;
  /** Whether the last dim stays, with size 1. */
  keepdim?: boolean;
}

export interface NormalizeOptions {
  /** Exponent of the norm: any number, Infinity for the largest element. */
  p?: number;
  /** The dim, or dims, whose norm becomes 1. */
  dim?: number | readonly number[];
  /** Norms below it count as this. */
  eps?: number;
}

export interface CosineSimilarityOptions {
  /** The dim that holds the vectors. */
  dim?: number;
  /** Norms below it count as this. */
  eps?: number;
}

/**
 * The p-norm of x1 - x2 + eps over the last dim: [..., D] and [..., D], which broadcast, to [...]. Throws ShapeError where
 * they do not, DTypeError for integers, ValueError for a p or eps that is no number.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.PairwiseDistance.html
 *
 *     pairwiseDistance(tensor([[0, 0]]), tensor([[3, 4]])); // [5]
 *     pairwiseDistance(a, b, { p: 1, keepdim: true });
 */
export function pairwiseDistance(x1: TensorBase, x2: TensorBase, options: PairwiseDistanceOptions = {}): Tensor {
  const name = 'pairwiseDistance';
  const { p = 2, eps = 1e-6, keepdim = false } = options;
  checkVectors(name, { x1, x2 });
  checkExponent(name, p);
  checkNumber(name, 'eps', eps);
  return labelled(name, () => vectorNorm(add(sub(x1, x2), eps), { p, dim: -1, keepdim }));
}

/**
 * The cosine of the angle between vectors: x1 · x2 / (max(‖x1‖, eps) max(‖x2‖, eps)) over `dim`. x1 and x2 broadcast;
 * the result lacks `dim`. Below eps the derivative of a norm is x / eps, as in PyTorch. Throws ShapeError where they do not fit, DTypeError for integers, ValueError for an eps below 0.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.CosineSimilarity.html
 *
 *     cosineSimilarity(tensor([[1, 0]]), tensor([[1, 1]])); // [0.7071]
 *     cosineSimilarity(a, b, { dim: -1 });
 */
export function cosineSimilarity(x1: TensorBase, x2: TensorBase, options: CosineSimilarityOptions = {}): Tensor {
  const name = 'cosineSimilarity';
  const { eps = 1e-8 } = options;
  checkVectors(name, { x1, x2 });
  checkNumber(name, 'eps', eps, { least: 0 });
  return labelled(name, () => {
    const shape = broadcastShapes(name, x1.shape, x2.shape);
    const dim = normalizeDim(name, options.dim ?? 1, shape.length);
    const unit = (x: TensorBase): Tensor => {
      const vectors = expand(x, shape);
      return div(vectors, sqrt(atLeast(sum(square(vectors), { dim, keepdim: true }), eps * eps)));
    };
    return sum(mul(unit(x1), unit(x2)), { dim });
  });
}

/**
 * x / max(‖x‖, eps), with the p-norm over `dim`: vectors of length 1, but zeros stay 0. x of any shape. Throws ShapeError for
 * a dim that x has not, DTypeError for integers, ValueError for a p that is no number or an eps below 0.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.functional.normalize.html
 *
 *     normalize(tensor([[3, 4]])); // [[0.6, 0.8]]
 *     normalize(weight, { p: 1, dim: 0 });
 */
export function normalize(x: TensorBase, options: NormalizeOptions = {}): Tensor {
  const name = 'normalize';
  const { p = 2, dim = 1, eps = 1e-12 } = options;
  checkVectors(name, { x });
  checkExponent(name, p);
  checkNumber(name, 'eps', eps, { least: 0 });
  return labelled(name, () => {
    normalizeDims(name, dim, x.rank);
    return div(x, clamp(vectorNorm(x, { p, dim, keepdim: true }), { min: eps }));
  });
}

/**
 * The p-norms of the differences of all pairs of rows: x [N, D] gives [N (N - 1) / 2], in the order (0, 1), (0, 2), ...,
 * (1, 2), ... The gradient of a distance of 0 is 0. Throws ShapeError for other shapes, DTypeError for integers, ValueError
 * for a p below 0.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.functional.pdist.html
 *
 *     pdist(tensor([[0, 0], [3, 4], [0, 1]])); // [5, 1, 4.2426]
 *     pdist(points, { p: Infinity });
 */
export function pdist(x: TensorBase, options: { p?: number } = {}): Tensor {
  const name = 'pdist';
  const { p = 2 } = options;
  checkVectors(name, { x });
  if (typeof p !== 'number' || !(p >= 0))
    throw new ValueError(`${name}: p is a number of at least 0, got ${String(p)}`);
  if (x.rank !== 2) throw new ShapeError(`${name}: x is [N, D], got ${formatShape(x.shape)}`);
  return labelled(name, () => {
    const count = x.shape[0]!;
    const pairs = Array.from({ length: count }, (_, i) =>
      Array.from({ length: count - 1 - i }, (_, j) => [i, i + 1 + j]),
    );
    const row = (side: number): Tensor => embedding(x, tensor(Int32Array.from(pairs.flat(), (pair) => pair[side]!)));
    return vectorNorm(sub(row(0), row(1)), { p, dim: 1 });
  });
}

/**
 * The p-norm (Σ |x|^p)^(1/p) over the dims; p = 0 counts what is not 0, ±Infinity takes the extreme of |x|. Its gradient
 * at 0 is 0. Throws DTypeError for integers, ValueError for a p that is no number.
 *
 *     vectorNorm(tensor([3, 4])); // 5
 */
export function vectorNorm(x: TensorBase, options: ReduceOptions & { p?: number } = {}): Tensor {
  const name = 'vectorNorm';
  const { p = 2, ...over } = options;
  checkVectors(name, { x });
  checkExponent(name, p);
  return labelled(name, () => {
    if (p === 0) return cast(sum(ne(x, 0), over), x.dtype);
    if (p === 1) return sum(abs(x), over);
    if (p === Infinity) return max(abs(x), over);
    if (p === -Infinity) return min(abs(x), over);
    if (p === 2) return rootOf(sum(square(x), over), sqrt);
    if (p < 0) return pow(sum(pow(abs(x), p), over), 1 / p);
    // A choice before the power: 0^(p - 1) in its derivative may be infinite.
    const zero = eq(x, 0);
    const powers = where(zero, 0, pow(where(zero, 1, abs(x)), p));
    return rootOf(sum(powers, over), (total) => pow(total, 1 / p));
  });
}

/** A root, whose derivative at 0 is 0. */
function rootOf(total: Tensor, root: (total: Tensor) => Tensor): Tensor {
  const positive = gt(total, 0);
  const safe = root(where(positive, total, 1));
  // NaN stays NaN.
  return where(positive, safe, mul(total, 0));
}

function checkVectors(name: string, tensors: Record<string, unknown>): void {
  for (const [argument, value] of Object.entries(tensors)) {
    if (!(value instanceof TensorBase)) throw new ValueError(`${name}: ${argument} is a tensor, got ${typeof value}`);
    if (!isFloat(value.dtype))
      throw new DTypeError(`${name}: ${argument} is float32 or float64, got ${value.dtype}; see cast`);
  }
}

function checkExponent(name: string, p: unknown): void {
  if (typeof p !== 'number' || Number.isNaN(p))
    throw new ValueError(`${name}: p is a number, also Infinity or -Infinity, got ${String(p)}`);
}

/**
 * `pairwiseDistance` as a module; shapes and errors as there.
 *
 *     const distance = new PairwiseDistance({ p: 1 });
 *     distance.forward(a, b); // [N, D] and [N, D] to [N]
 */
export class PairwiseDistance extends Module {
  readonly p: number;
  readonly eps: number;
  readonly keepdim: boolean;

  constructor(options: PairwiseDistanceOptions = {}) {
    super();
    this.p = options.p ?? 2;
    this.eps = options.eps ?? 1e-6;
    this.keepdim = options.keepdim ?? false;
    checkExponent('PairwiseDistance', this.p);
    checkNumber('PairwiseDistance', 'eps', this.eps);
  }

  forward(x1: TensorBase, x2: TensorBase): Tensor {
    const { p, eps, keepdim } = this;
    return pairwiseDistance(x1, x2, { p, eps, keepdim });
  }

  protected override describe(): string {
    return `p=${this.p}, eps=${this.eps}, keepdim=${this.keepdim}`;
  }
}

/**
 * `cosineSimilarity` as a module; shapes and errors as there.
 *
 *     const similarity = new CosineSimilarity({ dim: -1 });
 *     similarity.forward(a, b); // [N, D] and [N, D] to [N]
 */
export class CosineSimilarity extends Module {
  readonly dim: number;
  readonly eps: number;

  constructor(options: CosineSimilarityOptions = {}) {
    super();
    this.dim = options.dim ?? 1;
    this.eps = options.eps ?? 1e-8;
    checkNumber('CosineSimilarity', 'eps', this.eps, { least: 0 });
  }

  forward(x1: TensorBase, x2: TensorBase): Tensor {
    const { dim, eps } = this;
    return cosineSimilarity(x1, x2, { dim, eps });
  }

  protected override describe(): string {
    return `dim=${this.dim}, eps=${this.eps}`;
  }
}
