import { ValueError } from '../errors';
import { signalOf, type AbortOptions } from '../graph/abort';
import { submit } from '../graph/evaluate';
import { noGrad } from '../graph/modes';
import { readItem } from '../graph/reading';
import { inTurns } from '../graph/turns';
import { tensor } from '../ops/create';
import type { Generator } from '../ops/random';
import { normOf } from '../optim/clip';
import { epsilonOf } from '../tensor/dtype';
import { significant } from '../tensor/print';
import { checkInteger } from '../tensor/shape';
import type { Tensor, Variable } from '../tensor/tensor';
import { Curvature, type Loss } from './curvature';
import { symmetricHessian } from './hessian';
import { sampleAlong, type Samples } from './higher-order';
import { hessianSpectrum, type Eigenpair, type SpectrumProgress } from './spectrum';
import { symmetricEigen } from './symmetric';

export type CriticalPointKind = 'minimum' | 'maximum' | 'saddle' | 'degenerate' | 'not-critical';

export interface ClassifyOptions extends AbortOptions {
  /**
   * The longest gradient of a critical point. Default: the square root of the dtype's epsilon times the larger of 1 and
   * |loss| (3.5e-4 for float32, 1.5e-8 for float64).
   */
  readonly gradientTolerance?: number;
  /** The least |λ| that counts as curvature, besides the bound of rounding. Default: 0. */
  readonly curvatureTolerance?: number;
  /** Up to so many parameters all eigenvalues are computed, beyond only the extreme ones. Default: 128. */
  readonly exactUpTo?: number;
  /** Random directions in which a degenerate point is left, to see what higher orders do there. Default: 64; 0 for none. */
  readonly samples?: number;
  /** Hessian-vector products at most, where there are too many parameters for the exact Hessian. Default: 300. */
  readonly maxProducts?: number;
  /** Of start vectors and samples. Default: one with seed 0. */
  readonly generator?: Generator;
  readonly onProgress?: (progress: SpectrumProgress) => void;
}

export interface CriticalPoint {
  readonly kind: CriticalPointKind;
  readonly loss: number;
  readonly gradientNorm: number;
  /** Ascending: all of them (`isComplete`), or the smallest and the largest. */
  readonly eigenvalues: readonly number[];
  readonly isComplete: boolean;
  /** directions[i] belongs to eigenvalues[i]: a unit vector, one tensor for each parameter. */
  readonly directions: readonly (readonly Tensor[])[];
  /** |λ| up to this cannot be told from zero. */
  readonly tolerance: number;
  /** What decided: the length of the gradient, the signs of the curvature, or what higher orders do. */
  readonly evidence: 'gradient' | 'curvature' | 'higher-order';
  /** The verdict in words, with its numbers. */
  readonly explanation: string;
}

/**
 * What kind of point the parameters are at: no critical point while the gradient is long; a saddle if the Hessian has
 * eigenvalues of both signs beyond what rounding can do; a minimum or maximum if all are of one sign; else degenerate, unless
 * ascent and descent along the directions without curvature show a saddle of higher order (`evidence: 'higher-order'`).
 * The loss is of a fixed batch, the model in evaluation mode. Throws as `hessianSpectrum` does.
 *
 *     const { kind, explanation } = await classifyCriticalPoint(() => x.square().sub(y.square()), [x, y]);
 */
export async function classifyCriticalPoint(
  loss: Loss,
  params: Iterable<Variable>,
  options: ClassifyOptions = {},
): Promise<CriticalPoint> {
  const op = 'classifyCriticalPoint';
  const curvature = new Curvature(op, loss, params);
  const { dtype } = curvature.vector;
  const { curvatureTolerance = 0, samples = 64, exactUpTo = 128 } = options;
  checkInteger(op, 'samples', samples, 0);
  checkInteger(op, 'exactUpTo', exactUpTo, 0);
  if (!(curvatureTolerance >= 0))
    throw new ValueError(`${op}: curvatureTolerance is at least 0, got ${curvatureTolerance}`);

  const { value, gradientNorm } = await measure(curvature, options);
  if (!Number.isFinite(value) || !Number.isFinite(gradientNorm))
    throw new ValueError(
      `${op}: the loss is ${value} and its gradient's length ${gradientNorm}; both are finite at a point`,
    );
  const { gradientTolerance = Math.sqrt(epsilonOf(dtype)) * Math.max(1, Math.abs(value)) } = options;
  if (!(gradientTolerance >= 0))
    throw new ValueError(`${op}: gradientTolerance is at least 0, got ${gradientTolerance}`);
  const { eigenvalues, directions, isComplete, bound } = await spectrumOf(curvature, loss, options, exactUpTo);
  const tolerance = Math.max(bound, curvatureTolerance);
  const [least, most] = [eigenvalues[0]!, eigenvalues.at(-1)!];
  const found = { loss: value, gradientNorm, eigenvalues, directions, isComplete, tolerance };
  const between = `curvature from ${show(least)} to ${show(most)} (zero up to ${show(tolerance)})`;

  if (gradientNorm > gradientTolerance)
    return {
      ...found,
      kind: 'not-critical',
      evidence: 'gradient',
      explanation: `not a critical point: the gradient's length is ${show(gradientNorm)}, above ${show(gradientTolerance)}; ${between}`,
    };
  const byCurvature = (kind: CriticalPointKind, why: string): CriticalPoint => ({
    ...found,
    kind,
    evidence: 'curvature',
    explanation: `${kind}: ${why}; ${between}`,
  });
  if (least < -tolerance && most > tolerance) return byCurvature('saddle', 'the loss curves up and down');
  if (least > tolerance) return byCurvature('minimum', 'the loss curves up in every direction');
  if (most < -tolerance) return byCurvature('maximum', 'the loss curves down in every direction');

  const flat = directions.filter((_, i) => Math.abs(eigenvalues[i]!) <= tolerance);
  if (samples > 0) {
    const seen = await sampleAlong(loss, curvature.vector, flat, { ...options, samples, gradientNorm, tolerance });
    const ascends = most > tolerance || seen.rise > 0;
    const descends = least < -tolerance || seen.fall > 0;
    if (ascends && descends)
      return {
        ...found,
        kind: 'saddle',
        evidence: 'higher-order',
        explanation: `saddle of higher order: ${describe(seen)}; ${between}`,
      };
  }
  return byCurvature('degenerate', `${flat.length} of ${eigenvalues.length} eigenvalues cannot be told from zero`);
}

async function measure(curvature: Curvature, options: AbortOptions): Promise<{ value: number; gradientNorm: number }> {
  const { loss, gradient } = curvature.gradient();
  const length = noGrad(() => normOf([gradient]));
  await submit([loss, length], { signal: signalOf('classifyCriticalPoint', options) ?? undefined });
  return { value: await readItem(loss), gradientNorm: await readItem(length) };
}

interface Spectrum {
  readonly eigenvalues: readonly number[];
  readonly directions: readonly (readonly Tensor[])[];
  readonly isComplete: boolean;
  readonly bound: number;
}

async function spectrumOf(
  { vector }: Curvature,
  loss: Loss,
  options: ClassifyOptions,
  exactUpTo: number,
): Promise<Spectrum> {
  const { size, dtype, params } = vector;
  if (size <= exactUpTo) {
    const { matrix, asymmetry } = await symmetricHessian(loss, params, options);
    if (!matrix.every(Number.isFinite)) throw new ValueError('classifyCriticalPoint: the Hessian is not finite here');
    const { values, vectors } = await inTurns(symmetricEigen(matrix, size), options.signal);
    const scale = Math.max(Math.abs(values[0]!), Math.abs(values[size - 1]!));
    const directions = noGrad(() => vectors.map((direction) => vector.unflatten(tensor(direction, { dtype }))));
    await submit(directions.flat());
    return {
      eigenvalues: [...values],
      directions,
      isComplete: true,
      bound: size * (asymmetry + epsilonOf(dtype) * scale),
    };
  }
  const found = await hessianSpectrum(loss, params, { ...options, k: 1, smallest: 1 });
  const pairs: Eigenpair[] = [...found.smallest, ...found.largest];
  return {
    eigenvalues: pairs.map(({ value }) => value),
    directions: pairs.map((pair) => pair.vector),
    isComplete: false,
    // A Ritz value lies inside the spectrum, and within its residual of an eigenvalue.
    bound: Math.max(found.bound, ...pairs.map(({ residual }) => residual).filter(() => !found.converged)),
  };
}

function describe({ rise, fall, distance }: Samples): string {
  const parts = [
    rise > 0 ? `it rises by ${show(rise)}` : 'none rises',
    fall > 0 ? `it falls by ${show(fall)}` : 'none falls',
  ];
  return `along directions without curvature, ${parts.join(' and ')} within ${show(distance)}`;
}

const show = (value: number): string => significant(value, 3);
