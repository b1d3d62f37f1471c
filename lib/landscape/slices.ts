import { ValueError } from '../errors';
import type { AbortOptions } from '../graph/abort';
import { submit } from '../graph/evaluate';
import { noGrad } from '../graph/modes';
import { add, mul, sub } from '../ops/elementwise';
import { checkInteger } from '../tensor/shape';
import type { TensorBase, Variable } from '../tensor/tensor';
import type { Loss } from './curvature';
import { checkDirection } from './hessian';
import { ParameterVector } from './parameters';
import { lossAt } from './record-at';

export interface SliceOptions extends AbortOptions {
  /** Evaluations along each direction, evenly spaced. Default: 51 along a line, 31 in a plane. */
  readonly points?: number;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

export interface LineSlice {
  /** Multiples of the direction. */
  readonly alpha: Float64Array;
  readonly loss: Float64Array;
}

/**
 * The loss on the straight line from one point to another, alpha from 0 to 1: Goodfellow, Vinyals and Saxe, "Qualitatively
 * Characterizing Neural Network Optimization Problems", 2015. Points are lists of one tensor for each parameter; the parameters
 * stay where they are. Throws ValueError for points that do not fit.
 *
 *     const { alpha, loss } = await interpolate(lossOf, model.parameters(), initialWeights, trainedWeights);
 */
export async function interpolate(
  loss: Loss,
  params: Iterable<Variable>,
  from: readonly TensorBase[],
  to: readonly TensorBase[],
  options: SliceOptions = {},
): Promise<LineSlice> {
  const vector = new ParameterVector('interpolate', params);
  for (const point of [from, to]) checkDirection('interpolate', vector, point);
  const direction = noGrad(() => to.map((end, i) => sub(end, from[i]!)));
  await submit(direction, { signal: options.signal });
  return along('interpolate', loss, vector, from, direction, [0, 1], options);
}

export interface LineSliceOptions extends SliceOptions {
  /** From and to which multiple. Default: [-1, 1]. */
  readonly range?: readonly [number, number];
}

/**
 * The loss along a direction from where the parameters stand. Throws ValueError for a direction that does not fit.
 *
 *     const { alpha, loss } = await lineSlice(lossOf, params, escape.direction, { range: [-2, 2] });
 */
export async function lineSlice(
  loss: Loss,
  params: Iterable<Variable>,
  direction: readonly TensorBase[],
  options: LineSliceOptions = {},
): Promise<LineSlice> {
  const vector = new ParameterVector('lineSlice', params);
  checkDirection('lineSlice', vector, direction);
  const here = vector.params.map((parameter) => parameter.capture());
  return along('lineSlice', loss, vector, here, direction, options.range ?? [-1, 1], options);
}

export interface PlaneSliceOptions extends SliceOptions {
  /** For each direction from and to which multiple. Default: [-1, 1] for both. */
  readonly ranges?: readonly [readonly [number, number], readonly [number, number]];
  /** The point where both multiples are 0. Default: where the parameters stand. */
  readonly origin?: readonly TensorBase[];
}

export interface PlaneSlice {
  readonly alpha: Float64Array;
  readonly beta: Float64Array;
  /** loss[j][i] at alpha[i], beta[j]. */
  readonly loss: readonly Float64Array[];
}

/**
 * The loss on the plane of two directions, such as `randomDirections` with filter normalisation (Li et al., "Visualizing the
 * Loss Landscape of Neural Nets", 2018) or `projectPath`. Throws ValueError for directions that do not fit.
 *
 *     const { loss } = await planeSlice(lossOf, params, await randomDirections(params, { count: 2 }));
 */
export async function planeSlice(
  loss: Loss,
  params: Iterable<Variable>,
  directions: readonly (readonly TensorBase[])[],
  options: PlaneSliceOptions = {},
): Promise<PlaneSlice> {
  const op = 'planeSlice';
  const vector = new ParameterVector(op, params);
  if (directions.length !== 2) throw new ValueError(`${op}: takes two directions, got ${directions.length}`);
  const {
    ranges = [
      [-1, 1],
      [-1, 1],
    ],
    points = 31,
    onProgress,
  } = options;
  const origin = options.origin ?? vector.params.map((parameter) => parameter.capture());
  for (const direction of [...directions, origin]) checkDirection(op, vector, direction);
  const [alpha, beta] = ranges.map((range) => spaced(op, range, points)) as [Float64Array, Float64Array];
  const rows: Float64Array[] = [];
  for (const [j, y] of beta.entries()) {
    const start = noGrad(() => origin.map((value, i) => add(value, mul(directions[1]![i]!, y))));
    await submit(start, { signal: options.signal });
    const row = await losses(loss, vector, start, directions[0]!, alpha, options, (done) =>
      onProgress?.({ done: j * points + done, total: points * points }),
    );
    rows.push(row);
  }
  return { alpha, beta, loss: rows };
}

async function along(
  op: string,
  loss: Loss,
  vector: ParameterVector,
  from: readonly TensorBase[],
  direction: readonly TensorBase[],
  range: readonly [number, number],
  options: SliceOptions,
): Promise<LineSlice> {
  const { points = 51, onProgress } = options;
  const alpha = spaced(op, range, points);
  const values = await losses(loss, vector, from, direction, alpha, options, (done) =>
    onProgress?.({ done, total: points }),
  );
  return { alpha, loss: values };
}

async function losses(
  loss: Loss,
  { params }: ParameterVector,
  from: readonly TensorBase[],
  direction: readonly TensorBase[],
  multiples: Float64Array,
  { signal }: AbortOptions,
  onDone: (done: number) => void,
): Promise<Float64Array> {
  const values = new Float64Array(multiples.length);
  for (const [i, multiple] of multiples.entries()) {
    values[i] = await lossAt(loss, params, from, direction, multiple, { signal });
    onDone(i + 1);
  }
  return values;
}

function spaced(op: string, [from, to]: readonly [number, number], points: number): Float64Array {
  checkInteger(op, 'points', points, 2);
  if (!Number.isFinite(from) || !Number.isFinite(to) || from >= to)
    throw new ValueError(`${op}: a range is two finite numbers, the first below the second, got [${from}, ${to}]`);
  return Float64Array.from({ length: points }, (_, i) => from + ((to - from) * i) / (points - 1));
}
