import { adaptiveAvgPool2d, avgPool2d, maxPool2d } from '../../ops/pool';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { Module } from '../module';
import { pairOf, type Pair, type PairLike } from '../../ops/window';

export interface MaxPool2dOptions {
  /** The kernel's size where not given. */
  stride?: PairLike;
  padding?: PairLike;
  dilation?: PairLike;
}

/**
 * The largest value in every window of images [N, C, H, W].
 *
 *     const layer = new MaxPool2d(2); // halves height and width
 */
export class MaxPool2d extends Module {
  readonly kernelSize: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;

  constructor(kernelSize: PairLike, options: MaxPool2dOptions = {}) {
    super();
    this.kernelSize = pairOf('MaxPool2d', 'kernelSize', kernelSize, 1);
    this.stride = pairOf('MaxPool2d', 'stride', options.stride ?? kernelSize, 1);
    this.padding = pairOf('MaxPool2d', 'padding', options.padding ?? 0, 0);
    this.dilation = pairOf('MaxPool2d', 'dilation', options.dilation ?? 1, 1);
  }

  forward(x: TensorBase): Tensor {
    const { stride, padding, dilation } = this;
    return maxPool2d(x, this.kernelSize, { stride, padding, dilation });
  }

  protected override describe(): string {
    return describeWindow(this) + `, dilation=[${this.dilation.join(', ')}]`;
  }
}

export interface AvgPool2dOptions {
  /** The kernel's size where not given. */
  stride?: PairLike;
  padding?: PairLike;
  /** Whether the zeros of the padding count in the mean. */
  countIncludePad?: boolean;
}

/**
 * The mean of every window of images [N, C, H, W].
 *
 *     const layer = new AvgPool2d(2);
 */
export class AvgPool2d extends Module {
  readonly kernelSize: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  readonly countIncludePad: boolean;

  constructor(kernelSize: PairLike, options: AvgPool2dOptions = {}) {
    super();
    this.kernelSize = pairOf('AvgPool2d', 'kernelSize', kernelSize, 1);
    this.stride = pairOf('AvgPool2d', 'stride', options.stride ?? kernelSize, 1);
    this.padding = pairOf('AvgPool2d', 'padding', options.padding ?? 0, 0);
    this.countIncludePad = options.countIncludePad ?? true;
  }

  forward(x: TensorBase): Tensor {
    const { stride, padding, countIncludePad } = this;
    return avgPool2d(x, this.kernelSize, { stride, padding, countIncludePad });
  }

  protected override describe(): string {
    return describeWindow(this);
  }
}

/**
 * Means over windows chosen so that images [N, C, H, W] come out as outputSize.
 *
 *     const layer = new AdaptiveAvgPool2d(1); // one number for each channel
 */
export class AdaptiveAvgPool2d extends Module {
  readonly outputSize: Pair;

  constructor(outputSize: PairLike) {
    super();
    this.outputSize = pairOf('AdaptiveAvgPool2d', 'outputSize', outputSize, 1);
  }

  forward(x: TensorBase): Tensor {
    return adaptiveAvgPool2d(x, this.outputSize);
  }

  protected override describe(): string {
    return `outputSize=[${this.outputSize.join(', ')}]`;
  }
}

function describeWindow(layer: { kernelSize: Pair; stride: Pair; padding: Pair }): string {
  const { kernelSize, stride, padding } = layer;
  return `kernelSize=[${kernelSize.join(', ')}], stride=[${stride.join(', ')}], padding=[${padding.join(', ')}]`;
}
