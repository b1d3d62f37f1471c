import type { Tensor, TensorBase } from '../../tensor/tensor';
import { interpolateAs, type InterpolateOptions } from '../interpolation';
import { Module } from '../module';

/** What both directions get: `size` or `scaleFactor`. */
export type UpsamplingOptions = Pick<InterpolateOptions, 'size' | 'scaleFactor'>;

/**
 * `interpolate` as a layer: signals, images or volumes [N, C, ...] with other sizes. Throws what `interpolate` does, when
 * it is applied.
 *
 *     const layer = new Upsample({ scaleFactor: 2, mode: 'bilinear', alignCorners: true });
 */
export class Upsample extends Module {
  readonly options: Omit<InterpolateOptions, 'antialias'>;

  constructor(options: Omit<InterpolateOptions, 'antialias'>) {
    super();
    this.options = { ...options };
  }

  forward(x: TensorBase): Tensor {
    return interpolateAs(this.constructor.name, x, this.options);
  }

  protected override describe(): string {
    return Object.entries(this.options)
      .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
      .join(', ');
  }
}

/**
 * Images [N, C, H, W] with each pixel repeated.
 *
 *     const layer = new UpsamplingNearest2d({ scaleFactor: 2 });
 */
export class UpsamplingNearest2d extends Upsample {
  constructor(options: UpsamplingOptions) {
    super({ ...options, mode: 'nearest' });
  }
}

/**
 * Images [N, C, H, W] interpolated between pixels, with aligned corners.
 *
 *     const layer = new UpsamplingBilinear2d({ size: [64, 48] });
 */
export class UpsamplingBilinear2d extends Upsample {
  constructor(options: UpsamplingOptions) {
    super({ ...options, mode: 'bilinear', alignCorners: true });
  }
}
