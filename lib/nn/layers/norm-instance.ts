import { ShapeError } from '../../errors';
import { full, zeros } from '../../ops/create';
import { reshape } from '../../ops/shape';
import { checkInteger, formatShape } from '../../tensor/shape';
import { Variable, type Tensor, type TensorBase } from '../../tensor/tensor';
import { checkNumber } from '../check';
import { instanceNorm } from '../functional';
import * as init from '../init';
import { Module } from '../module';
import { Parameter } from '../parameter';

export interface InstanceNormLayerOptions {
  /** Added to the variance. */
  eps?: number;
  /** Share of the batch in the running statistics. */
  momentum?: number;
  /** Whether there are a weight and a bias: false where not given. */
  affine?: boolean;
  /** Whether there are running statistics, used in evaluation: false where not given. */
  trackRunningStats?: boolean;
}

/** Instance normalisation, whatever the dims behind the channels. */
export abstract class InstanceNorm extends Module {
  readonly eps: number;
  readonly momentum: number;
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;
  readonly runningMean: Variable | null;
  readonly runningVar: Variable | null;
  /** In PyTorch's state dicts; as there, nothing counts in it. */
  readonly numBatchesTracked: Variable | null;

  constructor(
    readonly numFeatures: number,
    options: InstanceNormLayerOptions = {},
  ) {
    super();
    const name = this.constructor.name;
    const { eps = 1e-5, momentum = 0.1, affine = false, trackRunningStats = false } = options;
    checkInteger(name, 'numFeatures', numFeatures, 1);
    checkNumber(name, 'eps', eps, { least: 0 });
    checkNumber(name, 'momentum', momentum, { least: 0, most: 1 });
    this.eps = eps;
    this.momentum = momentum;
    this.weight = affine ? new Parameter(full([numFeatures], 1)) : null;
    this.bias = affine ? new Parameter(zeros([numFeatures])) : null;
    this.runningMean = trackRunningStats ? new Variable(zeros([numFeatures])) : null;
    this.runningVar = trackRunningStats ? new Variable(full([numFeatures], 1)) : null;
    this.numBatchesTracked = trackRunningStats ? new Variable(zeros([], { dtype: 'int32' })) : null;
  }

  /** How many dims are behind the channels. */
  protected abstract readonly dims: number;

  /** Weight 1, bias 0, and the running statistics as at the start. */
  resetParameters(): void {
    if (this.runningMean !== null) init.zeros(this.runningMean);
    if (this.runningVar !== null) init.ones(this.runningVar);
    if (this.weight !== null) init.ones(this.weight);
    if (this.bias !== null) init.zeros(this.bias);
  }

  forward(x: TensorBase): Tensor {
    const { dims, numFeatures, weight, bias, runningMean, runningVar, momentum, eps } = this;
    const isBatch = x.rank === dims + 2;
    if ((!isBatch && x.rank !== dims + 1) || x.shape[isBatch ? 1 : 0] !== numFeatures)
      throw new ShapeError(
        `${this.constructor.name}: takes [N, ${numFeatures}, ...] or [${numFeatures}, ...] with ${dims} dims behind, got ${formatShape(x.shape)}`,
      );
    const useInputStats = this.training || runningMean === null;
    const options = { weight, bias, runningMean, runningVar, useInputStats, momentum, eps };
    return isBatch ? instanceNorm(x, options) : reshape(instanceNorm(reshape(x, [1, ...x.shape]), options), x.shape);
  }

  protected override describe(): string {
    return [
      `${this.numFeatures}, eps=${this.eps}, momentum=${this.momentum}`,
      `affine=${this.weight !== null}, trackRunningStats=${this.runningMean !== null}`,
    ].join(', ');
  }
}

/**
 * Normalises each channel of each sample of [N, C, L] or [C, L] by itself (Ulyanov et al. 2016).
 *
 *     const layer = new InstanceNorm1d(16, { affine: true });
 */
export class InstanceNorm1d extends InstanceNorm {
  protected readonly dims = 1;
}

/**
 * Normalises each channel of each image of [N, C, H, W] or [C, H, W] by itself (Ulyanov et al. 2016).
 *
 *     const layer = new InstanceNorm2d(16, { affine: true });
 */
export class InstanceNorm2d extends InstanceNorm {
  protected readonly dims = 2;
}

/**
 * Normalises each channel of each volume of [N, C, D, H, W] or [C, D, H, W] by itself (Ulyanov et al. 2016).
 *
 *     const layer = new InstanceNorm3d(16, { affine: true });
 */
export class InstanceNorm3d extends InstanceNorm {
  protected readonly dims = 3;
}
