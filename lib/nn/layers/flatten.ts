import { ShapeError, ValueError } from '../../errors';
import { flatten, reshape } from '../../ops/shape';
import { formatShape, normalizeDim, sizeOf, type Shape } from '../../tensor/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { Module } from '../module';

/**
 * Joins the dims from startDim to endDim; by default all but the batch's.
 *
 *     new Flatten().forward(x); // [N, C, H, W] to [N, C·H·W]
 */
export class Flatten extends Module {
  readonly startDim: number;
  readonly endDim: number;

  constructor(options: { startDim?: number; endDim?: number } = {}) {
    super();
    this.startDim = options.startDim ?? 1;
    this.endDim = options.endDim ?? -1;
  }

  forward(x: TensorBase): Tensor {
    return flatten(x, { startDim: this.startDim, endDim: this.endDim });
  }

  protected override describe(): string {
    return `startDim=${this.startDim}, endDim=${this.endDim}`;
  }
}

/**
 * Cuts a dim into several, which undoes Flatten; one of the sizes may be -1. Throws ValueError for sizes that are not
 * possible, ShapeError when applied to a dim that they do not multiply to.
 *
 *     new Unflatten(1, [3, -1]).forward(x); // [N, 12] to [N, 3, 4]
 */
export class Unflatten extends Module {
  readonly unflattenedSize: Shape;

  constructor(
    readonly dim: number,
    unflattenedSize: Shape,
  ) {
    super();
    const isSize = (size: unknown): boolean => Number.isInteger(size) && (size as number) >= -1;
    const sizes: unknown = unflattenedSize;
    if (!Array.isArray(sizes) || sizes.length === 0 || !sizes.every(isSize))
      throw new ValueError(`Unflatten: unflattenedSize is an array of sizes or -1, got ${JSON.stringify(sizes)}`);
    this.unflattenedSize = [...unflattenedSize];
  }

  forward(x: TensorBase): Tensor {
    const dim = normalizeDim('Unflatten', this.dim, x.rank);
    const size = x.shape[dim] ?? 1;
    const sizes = [...this.unflattenedSize];
    const unknown = sizes.indexOf(-1);
    if (unknown >= 0) sizes[unknown] = size / sizeOf(sizes.filter((_, i) => i !== unknown));
    if (sizeOf(sizes) !== size || !sizes.every((part) => Number.isInteger(part) && part >= 0))
      throw new ShapeError(
        `Unflatten: ${formatShape(this.unflattenedSize)} does not multiply to ${size}, the size of dim ${dim} of ${formatShape(x.shape)}`,
      );
    return reshape(x, x.shape.toSpliced(dim, 1, ...sizes));
  }

  protected override describe(): string {
    return `dim=${this.dim}, unflattenedSize=${formatShape(this.unflattenedSize)}`;
  }
}
