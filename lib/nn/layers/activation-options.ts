import { ValueError } from '../../errors';
import { full } from '../../ops/create';
import type { Generator } from '../../ops/random';
import { checkInteger } from '../../tensor/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { checkNumber } from '../check';
import {
  celu,
  elu,
  gelu,
  glu,
  hardshrink,
  hardtanh,
  leakyRelu,
  logSoftmax,
  prelu,
  rrelu,
  softmax,
  softmin,
  softplus,
  softshrink,
  threshold,
} from '../functional';
import { Module } from '../module';
import { Parameter } from '../parameter';

/**
 * x above 0, alpha (e^x - 1) below (Clevert et al. 2016). Throws ValueError unless alpha is finite.
 *
 *     const layer = new ELU({ alpha: 0.5 });
 */
export class ELU extends Module {
  readonly alpha: number;

  constructor(options: { alpha?: number } = {}) {
    super();
    const { alpha = 1 } = options;
    checkNumber('ELU', 'alpha', alpha);
    this.alpha = alpha;
  }

  forward(x: TensorBase): Tensor {
    return elu(x, { alpha: this.alpha });
  }

  protected override describe(): string {
    return `alpha=${this.alpha}`;
  }
}

/**
 * x above 0, alpha (e^(x / alpha) - 1) below (Barron 2017). Throws ValueError unless alpha is finite.
 *
 *     const layer = new CELU({ alpha: 0.5 });
 */
export class CELU extends Module {
  readonly alpha: number;

  constructor(options: { alpha?: number } = {}) {
    super();
    const { alpha = 1 } = options;
    checkNumber('CELU', 'alpha', alpha);
    this.alpha = alpha;
  }

  forward(x: TensorBase): Tensor {
    return celu(x, { alpha: this.alpha });
  }

  protected override describe(): string {
    return `alpha=${this.alpha}`;
  }
}

/**
 * x above 0, negativeSlope x below. Throws ValueError unless the slope is finite.
 *
 *     const layer = new LeakyReLU({ negativeSlope: 0.2 });
 */
export class LeakyReLU extends Module {
  readonly negativeSlope: number;

  constructor(options: { negativeSlope?: number } = {}) {
    super();
    const { negativeSlope = 0.01 } = options;
    checkNumber('LeakyReLU', 'negativeSlope', negativeSlope);
    this.negativeSlope = negativeSlope;
  }

  forward(x: TensorBase): Tensor {
    return leakyRelu(x, { negativeSlope: this.negativeSlope });
  }

  protected override describe(): string {
    return `negativeSlope=${this.negativeSlope}`;
  }
}

/**
 * x Φ(x), with the normal distribution's Φ (Hendrycks and Gimpel 2016), or the paper's approximation by tanh.
 *
 *     const layer = new GELU({ approximate: 'tanh' });
 */
export class GELU extends Module {
  readonly approximate: 'none' | 'tanh';

  constructor(options: { approximate?: 'none' | 'tanh' } = {}) {
    super();
    const { approximate = 'none' } = options;
    if (approximate !== 'none' && approximate !== 'tanh')
      throw new ValueError(`GELU: approximate is none or tanh, got ${String(approximate)}`);
    this.approximate = approximate;
  }

  forward(x: TensorBase): Tensor {
    return gelu(x, { approximate: this.approximate });
  }

  protected override describe(): string {
    return `approximate=${this.approximate}`;
  }
}

/**
 * The first half of a dim times σ of the second (Dauphin et al. 2017); the last dim where not given.
 *
 *     const layer = new GLU({ dim: 1 });
 */
export class GLU extends Module {
  readonly dim: number;

  constructor(options: { dim?: number } = {}) {
    super();
    const { dim = -1 } = options;
    this.dim = dim;
  }

  forward(x: TensorBase): Tensor {
    return glu(x, { dim: this.dim });
  }

  protected override describe(): string {
    return `dim=${this.dim}`;
  }
}

/**
 * x where |x| is above lambda, else 0. Throws ValueError for a lambda below 0.
 *
 *     const layer = new Hardshrink({ lambda: 0.3 });
 */
export class Hardshrink extends Module {
  readonly lambda: number;

  constructor(options: { lambda?: number } = {}) {
    super();
    const { lambda = 0.5 } = options;
    checkNumber('Hardshrink', 'lambda', lambda, { least: 0 });
    this.lambda = lambda;
  }

  forward(x: TensorBase): Tensor {
    return hardshrink(x, { lambda: this.lambda });
  }

  protected override describe(): string {
    return `lambda=${this.lambda}`;
  }
}

/**
 * x moved by lambda towards 0, and 0 where |x| is below. Throws ValueError for a lambda below 0.
 *
 *     const layer = new Softshrink({ lambda: 0.3 });
 */
export class Softshrink extends Module {
  readonly lambda: number;

  constructor(options: { lambda?: number } = {}) {
    super();
    const { lambda = 0.5 } = options;
    checkNumber('Softshrink', 'lambda', lambda, { least: 0 });
    this.lambda = lambda;
  }

  forward(x: TensorBase): Tensor {
    return softshrink(x, { lambda: this.lambda });
  }

  protected override describe(): string {
    return `lambda=${this.lambda}`;
  }
}

/**
 * x between two limits. Throws ValueError unless minValue is below maxValue.
 *
 *     const layer = new Hardtanh({ minValue: 0, maxValue: 2 });
 */
export class Hardtanh extends Module {
  readonly minValue: number;
  readonly maxValue: number;

  constructor(options: { minValue?: number; maxValue?: number } = {}) {
    super();
    const { minValue = -1, maxValue = 1 } = options;
    if (!(minValue < maxValue))
      throw new ValueError(`Hardtanh: minValue is below maxValue, got ${minValue} and ${maxValue}`);
    this.minValue = minValue;
    this.maxValue = maxValue;
  }

  forward(x: TensorBase): Tensor {
    return hardtanh(x, { minValue: this.minValue, maxValue: this.maxValue });
  }

  protected override describe(): string {
    return `minValue=${this.minValue}, maxValue=${this.maxValue}`;
  }
}

/**
 * log(1 + e^(beta x)) / beta, and x itself where beta x is above the threshold. Throws ValueError for a beta of 0.
 *
 *     const layer = new Softplus({ beta: 2 });
 */
export class Softplus extends Module {
  readonly beta: number;
  readonly threshold: number;

  constructor(options: { beta?: number; threshold?: number } = {}) {
    super();
    const { beta = 1, threshold = 20 } = options;
    checkNumber('Softplus', 'beta', beta);
    checkNumber('Softplus', 'threshold', threshold);
    this.beta = beta;
    this.threshold = threshold;
  }

  forward(x: TensorBase): Tensor {
    return softplus(x, { beta: this.beta, threshold: this.threshold });
  }

  protected override describe(): string {
    return `beta=${this.beta}, threshold=${this.threshold}`;
  }
}

/**
 * e^x / Σ e^x over a dim.
 *
 *     const layer = new Softmax(1);
 */
export class Softmax extends Module {
  constructor(readonly dim: number) {
    super();
  }

  forward(x: TensorBase): Tensor {
    return softmax(x, this.dim);
  }

  protected override describe(): string {
    return `dim=${this.dim}`;
  }
}

/**
 * The logarithm of Softmax.
 *
 *     const layer = new LogSoftmax(1);
 */
export class LogSoftmax extends Module {
  constructor(readonly dim: number) {
    super();
  }

  forward(x: TensorBase): Tensor {
    return logSoftmax(x, this.dim);
  }

  protected override describe(): string {
    return `dim=${this.dim}`;
  }
}

/**
 * Softmax of -x over a dim.
 *
 *     const layer = new Softmin(1);
 */
export class Softmin extends Module {
  constructor(readonly dim: number) {
    super();
  }

  forward(x: TensorBase): Tensor {
    return softmin(x, this.dim);
  }

  protected override describe(): string {
    return `dim=${this.dim}`;
  }
}

/**
 * x above the threshold, `value` elsewhere. Throws ValueError unless both are finite.
 *
 *     const layer = new Threshold(0.1, 20);
 */
export class Threshold extends Module {
  constructor(
    readonly threshold: number,
    readonly value: number,
  ) {
    super();
    checkNumber('Threshold', 'threshold', threshold);
    checkNumber('Threshold', 'value', value);
  }

  forward(x: TensorBase): Tensor {
    return threshold(x, this.threshold, this.value);
  }

  protected override describe(): string {
    return `threshold=${this.threshold}, value=${this.value}`;
  }
}

/**
 * x above 0, weight x below, with a weight that is learned: one, or one for each channel (He et al. 2015). It starts at
 * `init`. Throws ValueError for numParameters below 1.
 *
 *     const layer = new PReLU({ numParameters: 16 });
 */
export class PReLU extends Module {
  readonly numParameters: number;
  readonly weight: Parameter;

  constructor(options: { numParameters?: number; init?: number } = {}) {
    super();
    const { numParameters = 1, init = 0.25 } = options;
    checkInteger('PReLU', 'numParameters', numParameters, 1);
    checkNumber('PReLU', 'init', init);
    this.numParameters = numParameters;
    this.weight = new Parameter(full([numParameters], init));
  }

  forward(x: TensorBase): Tensor {
    return prelu(x, this.weight);
  }

  protected override describe(): string {
    return `numParameters=${this.numParameters}`;
  }
}

/**
 * x above 0, below it x times a slope: in training drawn for each element, uniform in [lower, upper], in evaluation the mean
 * of both (Xu et al. 2015). Throws ValueError unless lower is at most upper.
 *
 *     const layer = new RReLU({ lower: 0.1, upper: 0.3 });
 */
export class RReLU extends Module {
  readonly lower: number;
  readonly upper: number;
  readonly generator: Generator | undefined;

  constructor(options: { lower?: number; upper?: number; generator?: Generator } = {}) {
    super();
    const { lower = 1 / 8, upper = 1 / 3, generator } = options;
    checkNumber('RReLU', 'upper', upper);
    checkNumber('RReLU', 'lower', lower, { most: upper });
    this.lower = lower;
    this.upper = upper;
    this.generator = generator;
  }

  forward(x: TensorBase): Tensor {
    const { lower, upper, training, generator } = this;
    return rrelu(x, { lower, upper, training, generator });
  }

  protected override describe(): string {
    return `lower=${this.lower}, upper=${this.upper}`;
  }
}
