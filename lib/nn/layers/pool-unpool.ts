import type { Tensor, TensorBase } from '../../tensor/tensor';
import { maxUnpool1d, maxUnpool2d, maxUnpool3d } from '../functional';
import { Module } from '../module';
import { sizesOf, type SizeLike } from '../window';

export interface MaxUnpoolLayerOptions {
  /** The kernel's size where not given. */
  stride?: SizeLike;
  /** What the pool was padded with. */
  padding?: SizeLike;
}

abstract class MaxUnpool extends Module {
  readonly kernelSize: readonly number[];
  readonly stride: readonly number[];
  readonly padding: readonly number[];

  constructor(kernelSize: SizeLike, options: MaxUnpoolLayerOptions, dims: number) {
    super();
    const name = this.constructor.name;
    this.kernelSize = sizesOf(name, 'kernelSize', kernelSize, dims, 1);
    this.stride = sizesOf(name, 'stride', options.stride ?? kernelSize, dims, 1);
    this.padding = sizesOf(name, 'padding', options.padding ?? 0, dims, 0);
  }

  /** The function that this layer is. */
  protected abstract readonly unpool: typeof maxUnpool1d;

  forward(x: TensorBase, indices: TensorBase, options: { outputSize?: readonly number[] } = {}): Tensor {
    const { stride, padding } = this;
    return this.unpool(x, indices, this.kernelSize, { stride, padding, outputSize: options.outputSize });
  }

  protected override describe(): string {
    const { kernelSize, stride, padding } = this;
    return `kernelSize=[${kernelSize.join(', ')}], stride=[${stride.join(', ')}], padding=[${padding.join(', ')}]`;
  }
}

/**
 * Puts what MaxPool1d took of signals [N, C, L] or [C, L] back in its place, 0 elsewhere.
 * Throws ValueError for sizes below 1.
 *
 *     const [values, indices] = pool.forwardWithIndices(x);
 *     new MaxUnpool1d(2).forward(values, indices);
 */
export class MaxUnpool1d extends MaxUnpool {
  protected readonly unpool = maxUnpool1d;

  constructor(kernelSize: SizeLike, options: MaxUnpoolLayerOptions = {}) {
    super(kernelSize, options, 1);
  }
}

/**
 * Puts what MaxPool2d took of images [N, C, H, W] or [C, H, W] back in its place, 0 elsewhere.
 * Throws ValueError for sizes below 1.
 *
 *     const [values, indices] = pool.forwardWithIndices(x);
 *     new MaxUnpool2d(2).forward(values, indices);
 */
export class MaxUnpool2d extends MaxUnpool {
  protected readonly unpool = maxUnpool2d;

  constructor(kernelSize: SizeLike, options: MaxUnpoolLayerOptions = {}) {
    super(kernelSize, options, 2);
  }
}

/**
 * Puts what MaxPool3d took of volumes [N, C, D, H, W] or [C, D, H, W] back in its place, 0 elsewhere.
 * Throws ValueError for sizes below 1.
 *
 *     const [values, indices] = pool.forwardWithIndices(x);
 *     new MaxUnpool3d(2).forward(values, indices);
 */
export class MaxUnpool3d extends MaxUnpool {
  protected readonly unpool = maxUnpool3d;

  constructor(kernelSize: SizeLike, options: MaxUnpoolLayerOptions = {}) {
    super(kernelSize, options, 3);
  }
}
