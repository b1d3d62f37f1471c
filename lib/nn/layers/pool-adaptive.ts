import type { Generator } from '../../ops/random';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import {
  adaptiveAvgPool1d,
  adaptiveAvgPool2d,
  adaptiveAvgPool3d,
  adaptiveMaxPool1d,
  adaptiveMaxPool1dWithIndices,
  adaptiveMaxPool2d,
  adaptiveMaxPool2dWithIndices,
  adaptiveMaxPool3d,
  adaptiveMaxPool3dWithIndices,
  fractionalMaxPool2d,
  fractionalMaxPool2dWithIndices,
  fractionalMaxPool3d,
  fractionalMaxPool3dWithIndices,
  type AdaptiveSize,
  type FractionalMaxPoolOptions,
} from '../functional';
import { ValueError } from '../../errors';
import { Module } from '../module';
import { sizesOf, type SizeLike } from '../window';

/** Throws ValueError unless each size is an integer of at least 1, or null. */
function checkAdaptive(name: string, outputSize: AdaptiveSize, dims: number): AdaptiveSize {
  const filled = typeof outputSize === 'number' ? outputSize : outputSize.map((size) => size ?? 1);
  sizesOf(name, 'outputSize', filled, dims, 1);
  return outputSize;
}

const describeSize = (outputSize: AdaptiveSize): string =>
  `outputSize=${typeof outputSize === 'number' ? outputSize : `[${outputSize.map(String).join(', ')}]`}`;

abstract class AdaptiveAvgPool extends Module {
  readonly outputSize: AdaptiveSize;

  constructor(outputSize: AdaptiveSize, dims: number) {
    super();
    this.outputSize = checkAdaptive(this.constructor.name, outputSize, dims);
  }

  /** The function that this layer is. */
  protected abstract readonly pool: typeof adaptiveAvgPool1d;

  forward(x: TensorBase): Tensor {
    return this.pool(x, this.outputSize);
  }

  protected override describe(): string {
    return describeSize(this.outputSize);
  }
}

abstract class AdaptiveMaxPool extends Module {
  readonly outputSize: AdaptiveSize;

  constructor(outputSize: AdaptiveSize, dims: number) {
    super();
    this.outputSize = checkAdaptive(this.constructor.name, outputSize, dims);
  }

  /** The functions that this layer is. */
  protected abstract readonly pool: typeof adaptiveMaxPool1d;
  protected abstract readonly poolWithIndices: typeof adaptiveMaxPool1dWithIndices;

  forward(x: TensorBase): Tensor {
    return this.pool(x, this.outputSize);
  }

  /** The result, and where each of its elements comes from. PyTorch's returnIndices. */
  forwardWithIndices(x: TensorBase): [Tensor, Tensor] {
    return this.poolWithIndices(x, this.outputSize);
  }

  protected override describe(): string {
    return describeSize(this.outputSize);
  }
}

/**
 * Means over windows chosen so that signals [N, C, L] or [C, L] come out as outputSize; null keeps a size.
 * Throws ValueError for a size below 1.
 *
 *     const layer = new AdaptiveAvgPool1d(1); // one number for each channel
 */
export class AdaptiveAvgPool1d extends AdaptiveAvgPool {
  protected readonly pool = adaptiveAvgPool1d;

  constructor(outputSize: AdaptiveSize) {
    super(outputSize, 1);
  }
}

/**
 * Means over windows chosen so that images [N, C, H, W] or [C, H, W] come out as outputSize; null keeps a size.
 * Throws ValueError for a size below 1.
 *
 *     const layer = new AdaptiveAvgPool2d(1); // one number for each channel
 */
export class AdaptiveAvgPool2d extends AdaptiveAvgPool {
  protected readonly pool = adaptiveAvgPool2d;

  constructor(outputSize: AdaptiveSize) {
    super(outputSize, 2);
  }
}

/**
 * Means over windows chosen so that volumes [N, C, D, H, W] or [C, D, H, W] come out as outputSize; null keeps a size.
 * Throws ValueError for a size below 1.
 *
 *     const layer = new AdaptiveAvgPool3d(1); // one number for each channel
 */
export class AdaptiveAvgPool3d extends AdaptiveAvgPool {
  protected readonly pool = adaptiveAvgPool3d;

  constructor(outputSize: AdaptiveSize) {
    super(outputSize, 3);
  }
}

/**
 * The largest of windows chosen so that signals [N, C, L] or [C, L] come out as outputSize; null keeps a size.
 * Throws ValueError for a size below 1.
 *
 *     const layer = new AdaptiveMaxPool1d(1); // one number for each channel
 */
export class AdaptiveMaxPool1d extends AdaptiveMaxPool {
  protected readonly pool = adaptiveMaxPool1d;
  protected readonly poolWithIndices = adaptiveMaxPool1dWithIndices;

  constructor(outputSize: AdaptiveSize) {
    super(outputSize, 1);
  }
}

/**
 * The largest of windows chosen so that images [N, C, H, W] or [C, H, W] come out as outputSize; null keeps a size.
 * Throws ValueError for a size below 1.
 *
 *     const layer = new AdaptiveMaxPool2d(1); // one number for each channel
 */
export class AdaptiveMaxPool2d extends AdaptiveMaxPool {
  protected readonly pool = adaptiveMaxPool2d;
  protected readonly poolWithIndices = adaptiveMaxPool2dWithIndices;

  constructor(outputSize: AdaptiveSize) {
    super(outputSize, 2);
  }
}

/**
 * The largest of windows chosen so that volumes [N, C, D, H, W] or [C, D, H, W] come out as outputSize; null keeps a size.
 * Throws ValueError for a size below 1.
 *
 *     const layer = new AdaptiveMaxPool3d(1); // one number for each channel
 */
export class AdaptiveMaxPool3d extends AdaptiveMaxPool {
  protected readonly pool = adaptiveMaxPool3d;
  protected readonly poolWithIndices = adaptiveMaxPool3dWithIndices;

  constructor(outputSize: AdaptiveSize) {
    super(outputSize, 3);
  }
}

abstract class FractionalMaxPool extends Module {
  readonly kernelSize: readonly number[];
  readonly outputSize: SizeLike | undefined;
  readonly outputRatio: number | readonly number[] | undefined;
  readonly generator: Generator | undefined;

  constructor(kernelSize: SizeLike, options: Omit<FractionalMaxPoolOptions, 'randomSamples'>, dims: number) {
    super();
    const name = this.constructor.name;
    this.kernelSize = sizesOf(name, 'kernelSize', kernelSize, dims, 1);
    const { outputSize, outputRatio, generator } = options;
    if ((outputSize === undefined) === (outputRatio === undefined))
      throw new ValueError(`${name}: takes either outputSize or outputRatio`);
    if (outputSize !== undefined) sizesOf(name, 'outputSize', outputSize, dims, 1);
    this.outputSize = outputSize;
    this.outputRatio = outputRatio;
    this.generator = generator;
  }

  /** The functions that this layer is. */
  protected abstract readonly pool: typeof fractionalMaxPool2d;
  protected abstract readonly poolWithIndices: typeof fractionalMaxPool2dWithIndices;

  /** `randomSamples` fixes the windows; drawn where not given. */
  forward(x: TensorBase, options: { randomSamples?: TensorBase } = {}): Tensor {
    return this.pool(x, this.kernelSize, this.#options(options.randomSamples));
  }

  /** The result, and where each of its elements comes from. PyTorch's returnIndices. */
  forwardWithIndices(x: TensorBase, options: { randomSamples?: TensorBase } = {}): [Tensor, Tensor] {
    return this.poolWithIndices(x, this.kernelSize, this.#options(options.randomSamples));
  }

  #options(randomSamples: TensorBase | undefined): FractionalMaxPoolOptions {
    const { outputSize, outputRatio, generator } = this;
    return { outputSize, outputRatio, generator, randomSamples };
  }

  protected override describe(): string {
    const wanted = this.outputSize === undefined ? 'outputRatio' : 'outputSize';
    return `kernelSize=[${this.kernelSize.join(', ')}], ${wanted}=${JSON.stringify(this[wanted])}`;
  }
}

/**
 * The largest of windows of images [N, C, H, W] or [C, H, W] whose distances vary at random (Graham 2014). Throws
 * ValueError unless one of outputSize and outputRatio is given.
 *
 *     const layer = new FractionalMaxPool2d(2, { outputRatio: 0.7 });
 */
export class FractionalMaxPool2d extends FractionalMaxPool {
  protected readonly pool = fractionalMaxPool2d;
  protected readonly poolWithIndices = fractionalMaxPool2dWithIndices;

  constructor(kernelSize: SizeLike, options: Omit<FractionalMaxPoolOptions, 'randomSamples'>) {
    super(kernelSize, options, 2);
  }
}

/**
 * The largest of windows of volumes [N, C, D, H, W] or [C, D, H, W] whose distances vary at random (Graham 2014). Throws
 * ValueError unless one of outputSize and outputRatio is given.
 *
 *     const layer = new FractionalMaxPool3d(2, { outputRatio: 0.7 });
 */
export class FractionalMaxPool3d extends FractionalMaxPool {
  protected readonly pool = fractionalMaxPool3d;
  protected readonly poolWithIndices = fractionalMaxPool3dWithIndices;

  constructor(kernelSize: SizeLike, options: Omit<FractionalMaxPoolOptions, 'randomSamples'>) {
    super(kernelSize, options, 3);
  }
}
