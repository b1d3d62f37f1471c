import { ValueError } from '../errors';
import { signalOf, type AbortOptions } from '../graph/abort';
import { submit } from '../graph/evaluate';
import { noGrad } from '../graph/modes';
import { inTurns } from '../graph/turns';
import { Generator } from '../ops/random';
import { epsilonOf, infoOf } from '../tensor/dtype';
import { checkInteger } from '../tensor/shape';
import type { Tensor, Variable } from '../tensor/tensor';
import { Curvature, operatorOf, type Loss } from './curvature';
import { Krylov, type Operator } from './krylov';
import { symmetricEigen, type Eigen } from './symmetric';

/** An eigenvalue of the Hessian with its unit vector, one tensor for each parameter. */
export interface Eigenpair {
  readonly value: number;
  readonly vector: readonly Tensor[];
  /** |Hv - λv|: an eigenvalue lies within this distance of `value`. */
  readonly residual: number;
}

export interface SpectrumProgress {
  /** Hessian-vector products so far. */
  readonly products: number;
  readonly maxProducts: number;
  /** How many of the wanted eigenvalues have converged. */
  readonly converged: number;
  readonly wanted: number;
}

export interface HessianSpectrumOptions extends AbortOptions {
  /** How many of the largest eigenvalues. Default: 1. */
  readonly k?: number;
  /** How many of the smallest (the most negative) ones. Default: 1. */
  readonly smallest?: number;
  /** Converged is what has a residual of at most `tolerance` |λ|, or of what rounding can do. Default: 1e-2. */
  readonly tolerance?: number;
  /** Default: 300. */
  readonly maxProducts?: number;
  /**
   * Vectors [n] that there are at a time, at most: Lanczos is restarted from the best before there would be more. At least
   * 2 (k + smallest) + 4. Default: as many as 2 GiB hold.
   */
  readonly maxBasis?: number;
  /** Of the start vector. Default: one with seed 0. */
  readonly generator?: Generator;
  readonly onProgress?: (progress: SpectrumProgress) => void;
}

export interface HessianSpectrum {
  /** The largest eigenvalues, in descending order. */
  readonly largest: readonly Eigenpair[];
  /** The smallest eigenvalues, in ascending order. */
  readonly smallest: readonly Eigenpair[];
  /** Whether all of them met the tolerance within `maxProducts`. */
  readonly converged: boolean;
  /** Hessian-vector products. */
  readonly products: number;
  /** What rounding may have done to an eigenvalue. */
  readonly bound: number;
  /** The most memory that vectors [n] took at a time, in bytes. */
  readonly basisBytes: number;
}

const DEFAULT_BYTES = 2 ** 31;
const MAX_BASIS = 150;

/**
 * Extreme eigenvalues and eigenvectors of a loss's Hessian by Lanczos' method on Hessian-vector products, with full
 * reorthogonalisation and thick restarts (Wu and Simon, 2000). The loss is of a fixed batch, the model in evaluation mode.
 * An eigenvalue that is there several times is found once. Throws ValueError for a loss that is not the same at every call,
 * counts that are impossible, and a Hessian that is not finite; AbortError by the signal.
 *
 *     model.eval();
 *     const { largest } = await hessianSpectrum(() => F.crossEntropy(model.forward(x), y), model.parameters(), { k: 5 });
 */
export async function hessianSpectrum(
  loss: Loss,
  params: Iterable<Variable>,
  options: HessianSpectrumOptions = {},
): Promise<HessianSpectrum> {
  const curvature = new Curvature('hessianSpectrum', loss, params);
  const { vector } = curvature;
  await curvature.prepare(signalOf('hessianSpectrum', options) ?? undefined);
  const found = await lanczos('hessianSpectrum', operatorOf(curvature), options);
  const pairs = found.values.map((value, i) => ({
    value,
    residual: found.residuals[i]!,
    vector: noGrad(() => vector.unflatten(found.vectors[i]!)),
  }));
  // Values, and no views that every program would compute again.
  await submit(pairs.flatMap((pair) => pair.vector));
  const { k } = found;
  return {
    largest: pairs.slice(0, k),
    smallest: pairs.slice(k),
    converged: found.converged,
    products: curvature.products,
    bound: found.bound,
    basisBytes: found.basisBytes,
  };
}

interface Extremes {
  readonly k: number;
  /** The k largest, descending; then the smallest, ascending. */
  readonly values: number[];
  readonly residuals: number[];
  readonly vectors: Tensor[];
  readonly converged: boolean;
  readonly bound: number;
  readonly basisBytes: number;
}

async function lanczos(op: string, operator: Operator, options: HessianSpectrumOptions): Promise<Extremes> {
  const { size, dtype } = operator;
  const {
    k = 1,
    smallest = Math.max(0, Math.min(1, size - k)),
    tolerance = 1e-2,
    maxProducts = 300,
    onProgress,
  } = options;
  const wanted = k + smallest;
  const fitting = Math.floor(DEFAULT_BYTES / (size * infoOf(dtype).bytes));
  const { maxBasis = Math.max(3 * wanted + 12, Math.min(MAX_BASIS, fitting)), generator = new Generator(0) } = options;
  checkInteger(op, 'k', k, 0);
  checkInteger(op, 'smallest', smallest, 0);
  checkInteger(op, 'maxProducts', maxProducts, 1);
  checkInteger(op, 'maxBasis', maxBasis, 2 * wanted + 4);
  if (wanted < 1 || wanted > size)
    throw new ValueError(`${op}: k + smallest is from 1 to the ${size} parameters, got ${k} + ${smallest}`);
  if (!(tolerance > 0)) throw new ValueError(`${op}: tolerance is positive, got ${tolerance}`);

  const signal = signalOf(op, options) ?? undefined;
  // While a basis is replaced there are up to (capacity + wanted) / 2 new vectors beside it, and one more.
  const capacity = Math.floor((2 * (maxBasis - 1) - wanted) / 3);
  const krylov = new Krylov(operator, Math.min(size, capacity), generator, signal);
  for (let products = 1; ; products++) {
    await krylov.step();
    const eigen = await inTurns(symmetricEigen(krylov.matrix(), krylov.length), signal);
    const bound = roundingBound(krylov, eigen, operator);
    const indices = extremesOf(krylov.length, k, smallest);
    const residuals = indices.map((i) => Math.abs(krylov.beta * eigen.vectors[i]![krylov.length - 1]!));
    const ended = indices.map((i, j) => residuals[j]! <= Math.max(tolerance * Math.abs(eigen.values[i]!), bound));
    const count = ended.filter(Boolean).length;
    const all = count === wanted || krylov.length === size;
    onProgress?.({ products, maxProducts, converged: count, wanted });
    if (all || products >= maxProducts) {
      const vectors = await krylov.combine(indices.map((i) => eigen.vectors[i]!));
      return {
        k: Math.min(k, indices.length),
        values: indices.map((i) => eigen.values[i]!),
        residuals,
        vectors,
        converged: all,
        bound,
        basisBytes: krylov.peak * size * infoOf(dtype).bytes,
      };
    }
    if (krylov.length === krylov.capacity) {
      // Neighbours of what is wanted are kept too: they would slow its convergence down.
      const spare = Math.floor((krylov.capacity - wanted) / 4);
      const kept = extremesOf(krylov.length, k + (k > 0 ? spare : 0), smallest + (smallest > 0 ? spare : 0));
      await krylov.restart(
        kept.map((i) => eigen.values[i]!),
        kept.map((i) => eigen.vectors[i]!),
      );
    }
  }
}

/** The places of the k largest of `length` ascending values, the largest first, then of the smallest ones. */
function extremesOf(length: number, k: number, smallest: number): number[] {
  const top = Math.min(k, length);
  const bottom = Math.min(smallest, length - top);
  return [...Array.from({ length: top }, (_, i) => length - 1 - i), ...Array.from({ length: bottom }, (_, i) => i)];
}

/** What rounding may do to an eigenvalue: what it did to the symmetry, and no less than to one product with H. */
function roundingBound({ asymmetry }: Krylov, { values }: Eigen, { size, dtype }: Operator): number {
  const scale = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  return 4 * asymmetry + epsilonOf(dtype) * Math.sqrt(size) * scale;
}
