import type { Generator } from '../../ops/random';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { checkNumber } from '../check';
import { alphaDropout, dropout, dropout1d, dropout2d, dropout3d, featureAlphaDropout } from '../functional';
import { Module } from '../module';

export interface DropoutLayerOptions {
  /** How likely an element or channel is dropped: 0.5 where not given. */
  p?: number;
  /** The default generator where not given. */
  generator?: Generator;
}

/** What is done in training only, with probability p. */
abstract class Dropping extends Module {
  readonly p: number;
  readonly generator: Generator | undefined;

  constructor(options: DropoutLayerOptions = {}) {
    super();
    this.generator = options.generator;
    this.p = options.p ?? 0.5;
    checkNumber(this.constructor.name, 'p', this.p, { least: 0, most: 1 });
  }

  /** The function that this layer is. */
  protected abstract readonly drop: typeof dropout;

  forward(x: TensorBase): Tensor {
    return this.drop(x, this.p, { training: this.training, generator: this.generator });
  }

  protected override describe(): string {
    return `p=${this.p}`;
  }
}

/**
 * In training sets each element to 0 with probability p and scales the others by 1 / (1 - p), so that their expectation
 * stays (Srivastava et al. 2014); in evaluation does nothing. Throws ValueError for a p outside [0, 1].
 *
 *     const layer = new Dropout({ p: 0.25 });
 */
export class Dropout extends Dropping {
  protected readonly drop = dropout;
}

/**
 * Dropout of whole channels of [N, C, L] or [C, L]. Throws ValueError for a p outside [0, 1].
 *
 *     const layer = new Dropout1d({ p: 0.25 });
 */
export class Dropout1d extends Dropping {
  protected readonly drop = dropout1d;
}

/**
 * Dropout of whole channels of images [N, C, H, W]; three dims are [N, C, L], as in PyTorch 1.13. Throws ValueError for a p outside [0, 1].
 *
 *     const layer = new Dropout2d({ p: 0.25 });
 */
export class Dropout2d extends Dropping {
  protected readonly drop = dropout2d;
}

/**
 * Dropout of whole channels of volumes [N, C, D, H, W] or [C, D, H, W]. Throws ValueError for a p outside [0, 1].
 *
 *     const layer = new Dropout3d({ p: 0.25 });
 */
export class Dropout3d extends Dropping {
  protected readonly drop = dropout3d;
}

/**
 * Dropout for networks with SELU: keeps mean 0 and variance 1 (Klambauer et al. 2017). Throws ValueError for a p outside [0, 1].
 *
 *     const layer = new AlphaDropout({ p: 0.25 });
 */
export class AlphaDropout extends Dropping {
  protected readonly drop = alphaDropout;
}

/**
 * AlphaDropout of whole channels of [N, C, ...]. Throws ValueError for a p outside [0, 1].
 *
 *     const layer = new FeatureAlphaDropout({ p: 0.25 });
 */
export class FeatureAlphaDropout extends Dropping {
  protected readonly drop = featureAlphaDropout;
}
