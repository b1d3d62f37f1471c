import type { Tensor, TensorBase } from '../../tensor/tensor';
import { fold, unfold, type FoldOptions } from '../functional';
import { Module } from '../module';
import { sizesOf, type SizeLike } from '../window';

abstract class Windows extends Module {
  readonly kernelSize: readonly number[];
  readonly dilation: readonly number[];
  readonly padding: readonly number[];
  readonly stride: readonly number[];

  constructor(kernelSize: SizeLike, options: FoldOptions) {
    super();
    const name = this.constructor.name;
    this.kernelSize = sizesOf(name, 'kernelSize', kernelSize, 2, 1);
    this.dilation = sizesOf(name, 'dilation', options.dilation ?? 1, 2, 1);
    this.padding = sizesOf(name, 'padding', options.padding ?? 0, 2, 0);
    this.stride = sizesOf(name, 'stride', options.stride ?? 1, 2, 1);
  }

  protected get windows(): FoldOptions {
    const { dilation, padding, stride } = this;
    return { dilation, padding, stride };
  }

  protected override describe(): string {
    return (['kernelSize', 'dilation', 'padding', 'stride'] as const)
      .map((name) => `${name}=[${this[name].join(', ')}]`)
      .join(', ');
  }
}

/**
 * The windows of images [N, C, H, W] or [C, H, W] as columns. Throws ValueError for sizes below 1 or a padding below 0.
 *
 *     const layer = new Unfold(3, { padding: 1 }); // [N, C, H, W] to [N, 9 C, H W]
 */
export class Unfold extends Windows {
  constructor(kernelSize: SizeLike, options: FoldOptions = {}) {
    super(kernelSize, options);
  }

  forward(x: TensorBase): Tensor {
    return unfold(x, this.kernelSize, this.windows);
  }
}

/**
 * Columns added up as windows of images [N, C, ...outputSize]. Throws ValueError for sizes below 1 or a padding below 0.
 *
 *     const layer = new Fold([8, 8], 3, { padding: 1 }); // [N, 9 C, 64] to [N, C, 8, 8]
 */
export class Fold extends Windows {
  readonly outputSize: readonly number[];

  constructor(outputSize: SizeLike, kernelSize: SizeLike, options: FoldOptions = {}) {
    super(kernelSize, options);
    this.outputSize = sizesOf('Fold', 'outputSize', outputSize, 2, 1);
  }

  forward(x: TensorBase): Tensor {
    return fold(x, this.outputSize, this.kernelSize, this.windows);
  }

  protected override describe(): string {
    return `outputSize=[${this.outputSize.join(', ')}], ${super.describe()}`;
  }
}
