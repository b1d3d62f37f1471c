import { ShapeError, ValueError } from '../../errors';
import { full, zeros } from '../../ops/create';
import { checkInteger, checkShape, formatShape, type Shape } from '../../tensor/shape';
import { Variable, type Tensor, type TensorBase } from '../../tensor/tensor';
import { checkNumber } from '../check';
import { batchNorm, groupNorm, layerNorm, localResponseNorm, rmsNorm } from '../functional';
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

/**
 * Normalises each channel of volumes [N, C, D, H, W] over batch and voxels, then scales and shifts it.
 *
 *     const layer = new BatchNorm3d(16);
 */
export class BatchNorm3d extends BatchNorm {
  protected readonly ranks = [5];
}

export interface LayerNormLayerOptions {
  /** Added to the variance. */
  eps?: number;
  /** Whether there are a weight and, unless `bias` is false, a bias. */
  elementwiseAffine?: boolean;
  /** False leaves the bias out, as in PyTorch from 2.1 on. */
  bias?: boolean;
}

function shapeOf(name: string, normalizedShape: number | Shape): Shape {
  const shape = typeof normalizedShape === 'number' ? [normalizedShape] : [...normalizedShape];
  checkShape(name, shape);
  if (shape.length === 0) throw new ValueError(`${name}: normalizedShape has at least one dim, got []`);
  return shape;
}

/**
 * Normalises the last dims, then scales and shifts each element of them (Ba et al. 2016): `layerNorm` with a weight and a
 * bias of normalizedShape. Throws ShapeError, ValueError for a shape or eps that is not possible.
 *
 *     const layer = new LayerNorm(64); // x [..., 64]
 */
export class LayerNorm extends Module {
  readonly normalizedShape: Shape;
  readonly eps: number;
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;

  constructor(normalizedShape: number | Shape, options: LayerNormLayerOptions = {}) {
    super();
    const { eps = 1e-5, elementwiseAffine = true, bias = true } = options;
    checkNumber('LayerNorm', 'eps', eps, { least: 0 });
    this.normalizedShape = shapeOf('LayerNorm', normalizedShape);
    this.eps = eps;
    this.weight = elementwiseAffine ? new Parameter(full(this.normalizedShape, 1)) : null;
    this.bias = elementwiseAffine && bias ? new Parameter(zeros(this.normalizedShape)) : null;
  }

  /** Weight 1 and bias 0. */
  resetParameters(): void {
    if (this.weight !== null) init.ones(this.weight);
    if (this.bias !== null) init.zeros(this.bias);
  }

  forward(x: TensorBase): Tensor {
    const { weight, bias, eps } = this;
    return layerNorm(x, this.normalizedShape, { weight, bias, eps });
  }

  protected override describe(): string {
    const [affine, bias] = [this.weight !== null, this.bias !== null];
    return `${formatShape(this.normalizedShape)}, eps=${this.eps}, elementwiseAffine=${affine}, bias=${bias}`;
  }
}

export interface RMSNormLayerOptions {
  /** Added to the mean square; the machine epsilon of x's dtype where null. */
  eps?: number | null;
  /** Whether there is a weight. */
  elementwiseAffine?: boolean;
}

/**
 * Divides the last dims by their root mean square, then scales each element of them (Zhang and Sennrich 2019).
 * Throws ShapeError, ValueError for a shape or eps that is not possible.
 *
 *     const layer = new RMSNorm(64, { eps: 1e-6 });
 */
export class RMSNorm extends Module {
  readonly normalizedShape: Shape;
  readonly eps: number | null;
  readonly weight: Parameter | null;

  constructor(normalizedShape: number | Shape, options: RMSNormLayerOptions = {}) {
    super();
    const { eps = null, elementwiseAffine = true } = options;
    if (eps !== null) checkNumber('RMSNorm', 'eps', eps, { least: 0 });
    this.normalizedShape = shapeOf('RMSNorm', normalizedShape);
    this.eps = eps;
    this.weight = elementwiseAffine ? new Parameter(full(this.normalizedShape, 1)) : null;
  }

  /** Weight 1. */
  resetParameters(): void {
    if (this.weight !== null) init.ones(this.weight);
  }

  forward(x: TensorBase): Tensor {
    return rmsNorm(x, this.normalizedShape, { weight: this.weight, eps: this.eps });
  }

  protected override describe(): string {
    return `${formatShape(this.normalizedShape)}, eps=${this.eps}, elementwiseAffine=${this.weight !== null}`;
  }
}

export interface GroupNormLayerOptions {
  /** Added to the variance. */
  eps?: number;
  /** Whether there are a weight and a bias. */
  affine?: boolean;
}

/**
 * Normalises groups of numChannels / numGroups channels of each sample, then scales and shifts each channel (Wu and He
 * 2018). Throws ValueError unless numGroups divides numChannels.
 *
 *     const layer = new GroupNorm(4, 16); // x [N, 16, ...]
 */
export class GroupNorm extends Module {
  readonly eps: number;
  readonly weight: Parameter | null;
  readonly bias: Parameter | null;

  constructor(
    readonly numGroups: number,
    readonly numChannels: number,
    options: GroupNormLayerOptions = {},
  ) {
    super();
    const { eps = 1e-5, affine = true } = options;
    checkInteger('GroupNorm', 'numGroups', numGroups, 1);
    checkInteger('GroupNorm', 'numChannels', numChannels, 1);
    checkNumber('GroupNorm', 'eps', eps, { least: 0 });
    if (numChannels % numGroups !== 0)
      throw new ValueError(`GroupNorm: numGroups divides numChannels, got ${numGroups} and ${numChannels}`);
    this.eps = eps;
    this.weight = affine ? new Parameter(full([numChannels], 1)) : null;
    this.bias = affine ? new Parameter(zeros([numChannels])) : null;
  }

  /** Weight 1 and bias 0. */
  resetParameters(): void {
    if (this.weight !== null) init.ones(this.weight);
    if (this.bias !== null) init.zeros(this.bias);
  }

  forward(x: TensorBase): Tensor {
    if (x.shape[1] !== this.numChannels)
      throw new ShapeError(`GroupNorm: takes [N, ${this.numChannels}, ...], got ${formatShape(x.shape)}`);
    const { weight, bias, eps } = this;
    return groupNorm(x, this.numGroups, { weight, bias, eps });
  }

  protected override describe(): string {
    return `${this.numGroups}, ${this.numChannels}, eps=${this.eps}, affine=${this.weight !== null}`;
  }
}

/**
 * `localResponseNorm` over `size` neighbouring channels (Krizhevsky et al. 2012). Throws ValueError for a size below 1.
 *
 *     const layer = new LocalResponseNorm(5);
 */
export class LocalResponseNorm extends Module {
  readonly alpha: number;
  readonly beta: number;
  readonly k: number;

  constructor(
    readonly size: number,
    options: { alpha?: number; beta?: number; k?: number } = {},
  ) {
    super();
    const { alpha = 1e-4, beta = 0.75, k = 1 } = options;
    checkInteger('LocalResponseNorm', 'size', size, 1);
    for (const [name, value] of Object.entries({ alpha, beta, k })) checkNumber('LocalResponseNorm', name, value);
    this.alpha = alpha;
    this.beta = beta;
    this.k = k;
  }

  forward(x: TensorBase): Tensor {
    const { alpha, beta, k } = this;
    return localResponseNorm(x, this.size, { alpha, beta, k });
  }

  protected override describe(): string {
    return `${this.size}, alpha=${this.alpha}, beta=${this.beta}, k=${this.k}`;
  }
}
