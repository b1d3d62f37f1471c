import { ValueError } from '../errors';
import { signalOf, type AbortOptions } from '../graph/abort';
import { submit } from '../graph/evaluate';
import { noGrad } from '../graph/modes';
import { readItem } from '../graph/reading';
import { inTurns } from '../graph/turns';
import { cast } from '../ops/cast';
import { zerosLike } from '../ops/create';
import { add, div, mul, sqrt, sub } from '../ops/elementwise';
import { Generator, randn } from '../ops/random';
import { sum } from '../ops/reduce';
import { checkChoice } from '../optim/options';
import { checkInteger } from '../tensor/shape';
import type { Tensor, TensorBase, Variable } from '../tensor/tensor';
import { checkDirection } from './hessian';
import { ParameterVector } from './parameters';
import { symmetricEigen } from './symmetric';

export interface RandomDirectionsOptions extends AbortOptions {
  /** Default: 2. */
  readonly count?: number;
  /**
   * What gets the length that the weights have: every filter (what belongs to one output: a slice along the first dim), every
   * parameter ('layer'), or nothing. With the first two, parameters of fewer than two dims (biases, batch normalisation) do not
   * move. Default: 'filter'.
   */
  readonly normalize?: 'filter' | 'layer' | 'none';
  /** Default: one with seed 0. */
  readonly generator?: Generator;
}

/**
 * Random directions that are comparable between networks: Li, Xu, Taylor, Studer and Goldstein, "Visualizing the Loss
 * Landscape of Neural Nets", 2018. Each has one tensor for each parameter.
 *
 *     const [first, second] = await randomDirections(model.parameters());
 */
export async function randomDirections(
  params: Iterable<Variable>,
  options: RandomDirectionsOptions = {},
): Promise<Tensor[][]> {
  const op = 'randomDirections';
  const vector = new ParameterVector(op, params);
  const { count = 2, normalize = 'filter', generator = new Generator(0) } = options;
  checkInteger(op, 'count', count, 1);
  checkChoice(op, 'normalize', normalize, ['filter', 'layer', 'none']);
  const directions = noGrad(() =>
    Array.from({ length: count }, () => vector.params.map((parameter) => drawFor(parameter, normalize, generator))),
  );
  await submit(directions.flat(), { signal: signalOf(op, options) ?? undefined });
  return directions;
}

function drawFor(parameter: Variable, normalize: 'filter' | 'layer' | 'none', generator: Generator): Tensor {
  const noise = randn(parameter.shape, { dtype: parameter.dtype, generator });
  if (normalize === 'none') return noise;
  if (parameter.rank < 2) return zerosLike(parameter);
  const first = normalize === 'filter' ? 1 : 0;
  const dim = Array.from({ length: parameter.rank - first }, (_, i) => first + i);
  const length = (x: TensorBase): Tensor => sqrt(sum(mul(x, x), { dim, keepdim: true }));
  return mul(noise, div(length(parameter), length(noise)));
}

export interface ProjectedPath {
  /** Two orthonormal directions, one tensor for each parameter. */
  readonly directions: readonly [readonly Tensor[], readonly Tensor[]];
  /** Each point's multiples of the directions, from the last point. */
  readonly coordinates: readonly (readonly [number, number])[];
  /** The shares of the path's variance that the directions have. */
  readonly explained: readonly [number, number];
}

/**
 * The plane in which a path of points moves most: the first two principal components of the points' differences from the last
 * one (Li et al., 2018, section 7). Each point has one tensor for each parameter; three points at least. Throws ValueError for
 * fewer, points that do not fit, and a path that does not leave a line.
 *
 *     const { directions, coordinates } = await projectPath(model.parameters(), snapshots);
 *     const { loss } = await planeSlice(lossOf, model.parameters(), directions, { origin: snapshots.at(-1) });
 */
export async function projectPath(
  params: Iterable<Variable>,
  points: readonly (readonly TensorBase[])[],
  options: AbortOptions = {},
): Promise<ProjectedPath> {
  const op = 'projectPath';
  const vector = new ParameterVector(op, params);
  const count = points.length;
  if (count < 3) throw new ValueError(`${op}: a path has three points at least, got ${count}`);
  points.forEach((point) => checkDirection(op, vector, point));
  const signal = signalOf(op, options) ?? undefined;
  const flat = noGrad(() => points.map((point) => vector.flatten(point)));
  await submit(flat, { signal });
  const rows = noGrad(() => flat.map((point) => sub(point, flat[count - 1]!)));
  await submit(rows, { signal });

  // There are fewer points than parameters: the Gram matrix has the covariance's eigenvalues that are not zero.
  const gram = new Float64Array(count * count);
  for (let i = 0; i < count; i++)
    for (let j = 0; j <= i; j++) {
      const dot = noGrad(() => sum(cast(mul(rows[i]!, rows[j]!), 'float64')));
      gram[i * count + j] = gram[j * count + i] = await readItem(dot, { signal });
    }
  const { values, vectors } = await inTurns(symmetricEigen(gram, count), signal);
  const total = values.reduce((all, value) => all + Math.max(value, 0), 0);
  const [first, second] = [values.at(-1)!, values.at(-2)!];
  if (!(second > 1e-12 * first)) throw new ValueError(`${op}: the points lie on a line; see interpolate`);
  const directions: Tensor[][] = [];
  const scores: number[][] = [];
  for (const [value, weights] of [
    [first, vectors.at(-1)!],
    [second, vectors.at(-2)!],
  ] as const) {
    const direction = noGrad(() =>
      rows.map((row, i) => mul(row, weights[i]! / Math.sqrt(value))).reduce((a, b) => add(a, b)),
    );
    const parts = noGrad(() => vector.unflatten(direction));
    await submit(parts, { signal });
    directions.push(parts);
    scores.push(Array.from(weights, (weight) => weight * Math.sqrt(value)));
  }
  return {
    directions: directions as [Tensor[], Tensor[]],
    coordinates: rows.map((_, i) => [scores[0]![i]!, scores[1]![i]!] as const),
    explained: [first / total, second / total],
  };
}
