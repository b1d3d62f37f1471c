import { ShapeError, ValueError } from '../errors';
import { labelled, noGrad } from '../graph/modes';
import { cast } from '../ops/cast';
import { full } from '../ops/create';
import { add, div, mul, sub } from '../ops/elementwise';
import { stack } from '../ops/join';
import { batchNorm as normalize, batchNormStatistics } from '../ops/norm';
import { select } from '../ops/shape';
import { formatShape, shapesEqual } from '../tensor/shape';
import type { Operand, Tensor, TensorBase, Variable } from '../tensor/tensor';
import { checkNumber } from './check';

export interface BatchNormOptions {
  /** [C], 1 where not given. */
  weight?: TensorBase | null;
  /** [C], 0 where not given. */
  bias?: TensorBase | null;
  /** Normalises by the batch's statistics and moves the running ones; otherwise by the running ones. */
  training?: boolean;
  /** Share of the batch in the running statistics; null averages over all batches so far. */
  momentum?: number | null;
  /** Added to the variance. */
  eps?: number;
  /** int32 scalar that counts the batches. */
  numBatchesTracked?: Variable | null;
}

/**
 * Normalises each channel of x [N, C, ...] (Ioffe and Szegedy 2015). In training the running statistics, [C], are moved
 * towards the batch's, the variance as the unbiased one; that happens once, when the forward is computed.
 * Throws ShapeError for sizes that do not fit, ValueError if a channel has a single value in training, or if evaluation
 * has no running statistics.
 *
 *     const y = batchNorm(x, runningMean, runningVar, { training: true });
 */
export function batchNorm(
  x: TensorBase,
  runningMean: Variable | null,
  runningVar: Variable | null,
  options: BatchNormOptions = {},
): Tensor {
  const { training = false, momentum = 0.1, eps = 1e-5, numBatchesTracked = null } = options;
  const channels = x.shape[1];
  if (channels === undefined) throw new ShapeError(`batchNorm: takes [N, C, ...], got ${formatShape(x.shape)}`);
  checkNumber('batchNorm', 'eps', eps, { least: 0 });
  if (momentum !== null) checkNumber('batchNorm', 'momentum', momentum, { least: 0, most: 1 });
  const perChannel = { weight: options.weight, bias: options.bias, runningMean, runningVar };
  for (const [name, value] of Object.entries(perChannel))
    if (value && !shapesEqual(value.shape, [channels]))
      throw new ShapeError(
        `batchNorm: ${name} is [${channels}] for ${formatShape(x.shape)}, got ${formatShape(value.shape)}`,
      );
  return labelled('batchNorm', () => {
    const statistics = training
      ? trackedStatistics(x, { runningMean, runningVar, momentum, numBatchesTracked })
      : runningStatistics(runningMean, runningVar);
    const weight = options.weight ?? full([channels], 1, { dtype: statistics.dtype });
    const bias = options.bias ?? full([channels], 0, { dtype: statistics.dtype });
    return normalize(x, statistics, weight, bias, { eps });
  });
}

function runningStatistics(runningMean: Variable | null, runningVar: Variable | null): Tensor {
  if (runningMean === null || runningVar === null)
    throw new ValueError('batchNorm: in evaluation runningMean and runningVar are needed');
  return stack([runningMean, runningVar]);
}

interface Running {
  readonly runningMean: Variable | null;
  readonly runningVar: Variable | null;
  readonly momentum: number | null;
  readonly numBatchesTracked: Variable | null;
}

/** The batch's mean and biased variance; whoever computes them moves the running statistics too. */
function trackedStatistics(x: TensorBase, running: Running): Tensor {
  const count = x.size / x.shape[1]!;
  if (count === 1)
    throw new ValueError(`batchNorm: training needs more than one value per channel, got ${formatShape(x.shape)}`);
  const statistics = batchNormStatistics(x);
  const { runningMean, runningVar, numBatchesTracked } = running;
  noGrad(() => {
    let share: Operand = running.momentum ?? 1;
    if (numBatchesTracked !== null) {
      numBatchesTracked.assign(add(numBatchesTracked, 1), { with: statistics });
      if (running.momentum === null) share = div(1, numBatchesTracked);
    }
    if (runningMean !== null) move(runningMean, select(statistics, 0, 0), share, statistics);
    const unbiased = mul(select(statistics, 0, 1), count / (count - 1));
    if (runningVar !== null) move(runningVar, unbiased, share, statistics);
  });
  return statistics;
}

/** Moves a running statistic by a share of the way towards a value; whoever computes `statistics` does so. */
export function move(variable: Variable, value: Tensor, share: Operand, statistics: Tensor): void {
  const moved = add(variable, mul(sub(value, variable), share));
  variable.assign(cast(moved, variable.dtype), { with: statistics });
}
