import { ShapeError } from '../../errors';
import { full, zeros } from '../../ops/create';
import { checkInteger, formatShape } from '../../tensor/shape';
import { Variable, type Tensor, type TensorBase } from '../../tensor/tensor';
import { checkNumber } from '../check';
import { batchNorm } from '../functional';
import * as init from '../init';
import { Module } from '../module';
import { Parameter } from '../parameter';

export interface BatchNormOptions {
  /** Added to the variance. */
  eps?: number;
  /** Share of the batch in the running statistics; null averages over all batches so far. */
  momentum?: number | null;
  /** Whether there are a weight and a bias. */
  affine?: boolean;
  /** Whether there are running statistics; without them the batch's are used in evaluation too. */
  trackRunningStats?: boolean;
}

/** Batch normalisation, whatever the dims behind the channels. */
export abstract class BatchNorm extends Module {
  readonly eps: number;
  readonly momentum: number | null;
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly runningMean: Variable | null;
  readonly runningVar: Variable | null;
  readonly numBatchesTracked: Variable | null;

  constructor(
    readonly numFeatures: number,
    options: BatchNormOptions = {},
  ) {
    super();
    const name = this.constructor.name;
    const { eps = 1e-5, momentum = 0.1, affine = true, trackRunningStats = true } = options;
    checkInteger(name, 'numFeatures', numFeatures, 1);
    checkNumber(name, 'eps', eps, { least: 0 });
    if (momentum !== null) checkNumber(name, 'momentum', momentum, { least: 0, most: 1 });
    this.eps = eps;
    this.momentum = momentum;
    this.weight = affine ? new Parameter(full([numFeatures], 1)) : null;
    this.bias = affine ? new Parameter(zeros([numFeatures])) : null;
    this.runningMean = trackRunningStats ? new Variable(zeros([numFeatures])) : null;
    this.runningVar = trackRunningStats ? new Variable(full([numFeatures], 1)) : null;
    this.numBatchesTracked = trackRunningStats ? new Variable(zeros([], { dtype: 'int32' })) : null;
  }

  /** The ranks of inputs that are possible. */
  protected abstract readonly ranks: readonly number[];

  resetParameters(): void {
    this.resetRunningStats();
    if (this.weight !== null) init.ones(this.weight);
    if (this.bias !== null) init.zeros(this.bias);
  }

  resetRunningStats(): void {
    if (this.runningMean !== null) init.zeros(this.runningMean);
    if (this.runningVar !== null) init.ones(this.runningVar);
    if (this.numBatchesTracked !== null) init.zeros(this.numBatchesTracked);
  }

  forward(x: TensorBase): Tensor {
    if (!this.ranks.includes(x.rank))
      throw new ShapeError(
        `${this.constructor.name}: takes ${this.ranks.join(' or ')} dims, got shape ${formatShape(x.shape)}`,
      );
    const { weight, bias, runningMean, runningVar, numBatchesTracked, momentum, eps } = this;
    const training = this.training || runningMean === null;
    return batchNorm(x, runningMean, runningVar, { weight, bias, training, momentum, eps, numBatchesTracked });
  }

  protected override describe(): string {
    const affine = this.weight !== null;
    const trackRunningStats = this.runningMean !== null;
    return [
      `${this.numFeatures}, eps=${this.eps}, momentum=${this.momentum}`,
      `affine=${affine}, trackRunningStats=${trackRunningStats}`,
    ].join(', ');
  }
}

/**
 * Normalises each feature of [N, C] or [N, C, L] over the batch, then scales and shifts it (Ioffe and Szegedy 2015).
 *
 *     const layer = new BatchNorm1d(64);
 */
export class BatchNorm1d extends BatchNorm {
  protected readonly ranks = [2, 3];
}

/**
 * Normalises each channel of images [N, C, H, W] over batch and pixels, then scales and shifts it.
 * In training with the batch's statistics, which also move the running ones; in evaluation with the running ones.
 *
 *     const layer = new BatchNorm2d(16);
 */
export class BatchNorm2d extends BatchNorm {
  protected readonly ranks = [4];
}
