import type { Tensor, TensorBase } from '../../tensor/tensor';
import { ValueError } from '../../errors';
import { checkNumber } from '../check';
import {
  avgPool1d,
  avgPool2d,
  avgPool3d,
  lpPool1d,
  lpPool2d,
  maxPool1d,
  maxPool1dWithIndices,
  maxPool2d,
  maxPool2dWithIndices,
  maxPool3d,
  maxPool3dWithIndices,
  type AvgPool1dOptions,
  type AvgPoolOptions,
  type LPPoolOptions,
  type MaxPoolOptions,
} from '../functional';
import { Module } from '../module';
import { sizesOf, type SizeLike } from '../window';

export { AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d } from './pool-adaptive';

const list = (sizes: readonly number[]): string => `[${sizes.join(', ')}]`;

// ---- the largest of each window

abstract class MaxPool extends Module {
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly dilation: readonly number[];
  readonly ceilMode: boolean;

  constructor(kernelSize: SizeLike, options: MaxPoolOptions, dims: number) {
    super();
    const name = this.constructor.name;
    this.kernelSize = sizesOf(name, 'kernelSize', kernelSize, dims, 1);
    this.stride = sizesOf(name, 'stride', options.stride ?? kernelSize, dims, 1);
    this.padding = sizesOf(name, 'padding', options.padding ?? 0, dims, 0);
    this.dilation = sizesOf(name, 'dilation', options.dilation ?? 1, dims, 1);
    this.ceilMode = options.ceilMode ?? false;
  }

  /** The functions that this layer is. */
  protected abstract readonly pool: typeof maxPool1d;
  protected abstract readonly poolWithIndices: typeof maxPool1dWithIndices;

  forward(x: TensorBase): Tensor {
    return this.pool(x, this.kernelSize, this.#options());
  }

  /** The result, and where each of its elements comes from: what MaxUnpool takes. PyTorch's returnIndices. */
  forwardWithIndices(x: TensorBase): [Tensor, Tensor] {
    return this.poolWithIndices(x, this.kernelSize, this.#options());
  }

  #options(): MaxPoolOptions {
    const { stride, padding, dilation, ceilMode } = this;
    return { stride, padding, dilation, ceilMode };
  }

  protected override describe(): string {
    const { kernelSize, stride, padding, dilation, ceilMode } = this;
    const window = `kernelSize=${list(kernelSize)}, stride=${list(stride)}, padding=${list(padding)}, dilation=${list(dilation)}`;
    return ceilMode ? `${window}, ceilMode=true` : window;
  }
}

/**
 * The largest value in every window of signals [N, C, L] or [C, L]. Throws ValueError for sizes or options that are not
 * possible.
 *
 *     const layer = new MaxPool1d(2); // halves the sizes
 */
export class MaxPool1d extends MaxPool {
  protected readonly pool = maxPool1d;
  protected readonly poolWithIndices = maxPool1dWithIndices;

  constructor(kernelSize: SizeLike, options: MaxPoolOptions = {}) {
    super(kernelSize, options, 1);
  }
}

/**
 * The largest value in every window of images [N, C, H, W] or [C, H, W]. Throws ValueError for sizes or options that are not
 * possible.
 *
 *     const layer = new MaxPool2d(2); // halves the sizes
 */
export class MaxPool2d extends MaxPool {
  protected readonly pool = maxPool2d;
  protected readonly poolWithIndices = maxPool2dWithIndices;

  constructor(kernelSize: SizeLike, options: MaxPoolOptions = {}) {
    super(kernelSize, options, 2);
  }
}

/**
 * The largest value in every window of volumes [N, C, D, H, W] or [C, D, H, W]. Throws ValueError for sizes or options that are not
 * possible.
 *
 *     const layer = new MaxPool3d(2); // halves the sizes
 */
export class MaxPool3d extends MaxPool {
  protected readonly pool = maxPool3d;
  protected readonly poolWithIndices = maxPool3dWithIndices;

  constructor(kernelSize: SizeLike, options: MaxPoolOptions = {}) {
    super(kernelSize, options, 3);
  }
}

// ---- the mean of each window

abstract class AvgPool extends Module {
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];
  readonly ceilMode: boolean;
  readonly countIncludePad: boolean;
  readonly divisorOverride: number | null;

  constructor(kernelSize: SizeLike, options: AvgPoolOptions, dims: number) {
    super();
    const name = this.constructor.name;
    this.kernelSize = sizesOf(name, 'kernelSize', kernelSize, dims, 1);
    this.stride = sizesOf(name, 'stride', options.stride ?? kernelSize, dims, 1);
    this.padding = sizesOf(name, 'padding', options.padding ?? 0, dims, 0);
    this.ceilMode = options.ceilMode ?? false;
    this.countIncludePad = options.countIncludePad ?? true;
    this.divisorOverride = options.divisorOverride ?? null;
    if (this.divisorOverride !== null) checkNumber(name, 'divisorOverride', this.divisorOverride);
    if (this.divisorOverride === 0) throw new ValueError(`${name}: divisorOverride is not 0`);
  }

  /** The function that this layer is. */
  protected abstract readonly pool: typeof avgPool2d;

  forward(x: TensorBase): Tensor {
    const { stride, padding, ceilMode, countIncludePad, divisorOverride } = this;
    return this.pool(x, this.kernelSize, { stride, padding, ceilMode, countIncludePad, divisorOverride });
  }

  protected override describe(): string {
    const { kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride } = this;
    const parts = [`kernelSize=${list(kernelSize)}, stride=${list(stride)}, padding=${list(padding)}`];
    if (ceilMode) parts.push('ceilMode=true');
    if (!countIncludePad) parts.push('countIncludePad=false');
    if (divisorOverride !== null) parts.push(`divisorOverride=${divisorOverride}`);
    return parts.join(', ');
  }
}

/**
 * The mean of every window of signals [N, C, L] or [C, L]. Throws ValueError for sizes or options that are not possible.
 *
 *     const layer = new AvgPool1d(3, { stride: 2, padding: 1, countIncludePad: false });
 */
export class AvgPool1d extends AvgPool {
  protected readonly pool = avgPool1d;

  constructor(kernelSize: SizeLike, options: AvgPool1dOptions = {}) {
    super(kernelSize, options, 1);
  }
}

/**
 * The mean of every window of images [N, C, H, W] or [C, H, W]. Throws ValueError for sizes or options that are not possible.
 *
 *     const layer = new AvgPool2d(3, { stride: 2, padding: 1, countIncludePad: false });
 */
export class AvgPool2d extends AvgPool {
  protected readonly pool = avgPool2d;

  constructor(kernelSize: SizeLike, options: AvgPoolOptions = {}) {
    super(kernelSize, options, 2);
  }
}

/**
 * The mean of every window of volumes [N, C, D, H, W] or [C, D, H, W]. Throws ValueError for sizes or options that are not possible.
 *
 *     const layer = new AvgPool3d(3, { stride: 2, padding: 1, countIncludePad: false });
 */
export class AvgPool3d extends AvgPool {
  protected readonly pool = avgPool3d;

  constructor(kernelSize: SizeLike, options: AvgPoolOptions = {}) {
    super(kernelSize, options, 3);
  }
}

// ---- the p-norm of each window

abstract class LPPool extends Module {
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly ceilMode: boolean;

  constructor(
    readonly normType: number,
    kernelSize: SizeLike,
    options: LPPoolOptions,
    dims: number,
  ) {
    super();
    const name = this.constructor.name;
    checkNumber(name, 'normType', normType);
    if (normType === 0) throw new ValueError(`${name}: normType is not 0`);
    this.kernelSize = sizesOf(name, 'kernelSize', kernelSize, dims, 1);
    this.stride = sizesOf(name, 'stride', options.stride ?? kernelSize, dims, 1);
    this.ceilMode = options.ceilMode ?? false;
  }

  /** The function that this layer is. */
  protected abstract readonly pool: typeof lpPool1d;

  forward(x: TensorBase): Tensor {
    const { stride, ceilMode } = this;
    return this.pool(x, this.normType, this.kernelSize, { stride, ceilMode });
  }

  protected override describe(): string {
    const { normType, kernelSize, stride, ceilMode } = this;
    return `normType=${normType}, kernelSize=${list(kernelSize)}, stride=${list(stride)}, ceilMode=${ceilMode}`;
  }
}

/**
 * (Σ x^p)^(1/p) over every window of signals [N, C, L] or [C, L], p = normType. Throws ValueError for a normType of 0 and
 * sizes below 1.
 *
 *     const layer = new LPPool1d(2, 3, { stride: 2 });
 */
export class LPPool1d extends LPPool {
  protected readonly pool = lpPool1d;

  constructor(normType: number, kernelSize: SizeLike, options: LPPoolOptions = {}) {
    super(normType, kernelSize, options, 1);
  }
}

/**
 * (Σ x^p)^(1/p) over every window of images [N, C, H, W] or [C, H, W], p = normType. Throws ValueError for a normType of 0 and
 * sizes below 1.
 *
 *     const layer = new LPPool2d(2, 3, { stride: 2 });
 */
export class LPPool2d extends LPPool {
  protected readonly pool = lpPool2d;

  constructor(normType: number, kernelSize: SizeLike, options: LPPoolOptions = {}) {
    super(normType, kernelSize, options, 2);
  }
}
