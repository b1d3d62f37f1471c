import { ValueError } from '../../errors';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { checkNumber } from '../check';
import { Module } from '../module';
import { padAs, type PaddingMode } from '../padding';
import { checkBatch } from '../window';

/** One size for all sides, or [left, right, top, bottom, front, back], as many as there are; below 0 takes away. */
export type PaddingLike = number | readonly number[];

abstract class Pad extends Module {
  readonly padding: readonly number[];
  readonly #mode: PaddingMode;
  readonly #dims: number;

  constructor(padding: PaddingLike, mode: PaddingMode, dims: number) {
    super();
    const sizes: unknown = typeof padding === 'number' ? new Array<number>(2 * dims).fill(padding) : padding;
    if (!Array.isArray(sizes) || sizes.length !== 2 * dims || !sizes.every(Number.isInteger))
      throw new ValueError(
        `${this.constructor.name}: padding is an integer or ${2 * dims} of them, got ${JSON.stringify(padding)}`,
      );
    this.padding = [...(sizes as number[])];
    this.#mode = mode;
    this.#dims = dims;
  }

  /** What constant padding consists of. */
  protected get filling(): number {
    return 0;
  }

  forward(x: TensorBase): Tensor {
    const name = this.constructor.name;
    // A constant goes around any dims.
    if (this.#mode !== 'constant') checkBatch(name, x, this.#dims);
    return padAs(name, x, this.padding, { mode: this.#mode, value: this.filling });
  }

  protected override describe(): string {
    return `[${this.padding.join(', ')}]`;
  }
}

abstract class ConstantPad extends Pad {
  constructor(
    padding: PaddingLike,
    readonly value: number,
    dims: number,
  ) {
    super(padding, 'constant', dims);
    checkNumber(this.constructor.name, 'value', value);
  }

  protected override get filling(): number {
    return this.value;
  }

  protected override describe(): string {
    return `${super.describe()}, value=${this.value}`;
  }
}

/**
 * A constant around the last dim. Throws ValueError for sizes that are no integers.
 *
 *     const layer = new ConstantPad1d(2, 3.5);
 */
export class ConstantPad1d extends ConstantPad {
  constructor(padding: PaddingLike, value: number) {
    super(padding, value, 1);
  }
}

/**
 * A constant around the last two dims. Throws ValueError for sizes that are no integers.
 *
 *     const layer = new ConstantPad2d(2, 3.5);
 */
export class ConstantPad2d extends ConstantPad {
  constructor(padding: PaddingLike, value: number) {
    super(padding, value, 2);
  }
}

/**
 * A constant around the last three dims. Throws ValueError for sizes that are no integers.
 *
 *     const layer = new ConstantPad3d(2, 3.5);
 */
export class ConstantPad3d extends ConstantPad {
  constructor(padding: PaddingLike, value: number) {
    super(padding, value, 3);
  }
}

/**
 * Zeros around the last dim. Throws ValueError for sizes that are
 * no integers.
 *
 *     const layer = new ZeroPad1d(1);
 */
export class ZeroPad1d extends Pad {
  constructor(padding: PaddingLike) {
    super(padding, 'constant', 1);
  }
}

/**
 * Zeros around the last two dims. Throws ValueError for sizes that are
 * no integers.
 *
 *     const layer = new ZeroPad2d(1);
 */
export class ZeroPad2d extends Pad {
  constructor(padding: PaddingLike) {
    super(padding, 'constant', 2);
  }
}

/**
 * Zeros around the last three dims. Throws ValueError for sizes that are
 * no integers.
 *
 *     const layer = new ZeroPad3d(1);
 */
export class ZeroPad3d extends Pad {
  constructor(padding: PaddingLike) {
    super(padding, 'constant', 3);
  }
}

/**
 * The mirrored input around the last dim of signals [N, C, L] or [C, L]. Throws ValueError for sizes that are
 * no integers.
 *
 *     const layer = new ReflectionPad1d(1);
 */
export class ReflectionPad1d extends Pad {
  constructor(padding: PaddingLike) {
    super(padding, 'reflect', 1);
  }
}

/**
 * The mirrored input around the last two dims of images [N, C, H, W] or [C, H, W]. Throws ValueError for sizes that are
 * no integers.
 *
 *     const layer = new ReflectionPad2d(1);
 */
export class ReflectionPad2d extends Pad {
  constructor(padding: PaddingLike) {
    super(padding, 'reflect', 2);
  }
}

/**
 * The mirrored input around the last three dims of volumes [N, C, D, H, W] or [C, D, H, W]. Throws ValueError for sizes that are
 * no integers.
 *
 *     const layer = new ReflectionPad3d(1);
 */
export class ReflectionPad3d extends Pad {
  constructor(padding: PaddingLike) {
    super(padding, 'reflect', 3);
  }
}

/**
 * The outermost elements around the last dim of signals [N, C, L] or [C, L]. Throws ValueError for sizes that are
 * no integers.
 *
 *     const layer = new ReplicationPad1d(1);
 */
export class ReplicationPad1d extends Pad {
  constructor(padding: PaddingLike) {
    super(padding, 'replicate', 1);
  }
}

/**
 * The outermost elements around the last two dims of images [N, C, H, W] or [C, H, W]. Throws ValueError for sizes that are
 * no integers.
 *
 *     const layer = new ReplicationPad2d(1);
 */
export class ReplicationPad2d extends Pad {
  constructor(padding: PaddingLike) {
    super(padding, 'replicate', 2);
  }
}

/**
 * The outermost elements around the last three dims of volumes [N, C, D, H, W] or [C, D, H, W]. Throws ValueError for sizes that are
 * no integers.
 *
 *     const layer = new ReplicationPad3d(1);
 */
export class ReplicationPad3d extends Pad {
  constructor(padding: PaddingLike) {
    super(padding, 'replicate', 3);
  }
}
