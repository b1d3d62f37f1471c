import { ValueError } from '../../errors';
import type { AbortOptions } from '../../graph/abort';
import { submit } from '../../graph/evaluate';
import { noGrad } from '../../graph/modes';
import { readItem } from '../../graph/reading';
import { cast } from '../../ops/cast';
import { mul } from '../../ops/elementwise';
import { sum } from '../../ops/reduce';
import type { TensorBase, Variable } from '../../tensor/tensor';
import { Curvature, type Loss } from '../curvature';
import { checkDirection } from '../hessian';

export interface GradientCovariance {
  /** The mean gradient along each direction. */
  readonly mean: Float64Array;
  /** covariance[i][j] of the gradient along directions i and j over the batches: what pushes out of a saddle. */
  readonly covariance: readonly Float64Array[];
  readonly batches: number;
}

/**
 * The noise of mini-batches along directions, such as those of negative curvature: mean and covariance (with n - 1) of the
 * batches' gradients. Takes one loss for each batch, two at least. Throws ValueError for fewer, or directions that do not fit.
 *
 *     const { covariance } = await gradientCovariance(batches.map(lossOf), params, [escape.direction]);
 */
export async function gradientCovariance(
  losses: Iterable<Loss>,
  params: Iterable<Variable>,
  directions: readonly (readonly TensorBase[])[],
  options: AbortOptions = {},
): Promise<GradientCovariance> {
  const given = [...params];
  if (directions.length === 0) throw new ValueError('gradientCovariance: needs at least one direction');
  const rows: number[][] = [];
  for (const loss of losses) {
    const curvature = new Curvature('gradientCovariance', loss, given);
    directions.forEach((direction) => checkDirection('gradientCovariance', curvature.vector, direction));
    const { gradient } = curvature.gradient();
    const parts = noGrad(() =>
      directions.map((direction) => sum(cast(mul(gradient, curvature.vector.flatten(direction)), 'float64'))),
    );
    await submit(parts, options);
    const row: number[] = [];
    for (const part of parts) row.push(await readItem(part));
    rows.push(row);
  }
  const n = rows.length;
  if (n < 2) throw new ValueError(`gradientCovariance: needs two batches at least, got ${n}`);
  const mean = Float64Array.from(directions, (_, i) => rows.reduce((total, row) => total + row[i]!, 0) / n);
  const covariance = directions.map((_, i) =>
    Float64Array.from(
      directions,
      (__, j) => rows.reduce((total, row) => total + (row[i]! - mean[i]!) * (row[j]! - mean[j]!), 0) / (n - 1),
    ),
  );
  return { mean, covariance, batches: n };
}
