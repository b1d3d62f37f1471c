import { gelu, leakyRelu, logSoftmax, relu, sigmoid, silu, softmax, softplus, tanh } from '../functional';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { checkNumber } from '../check';
import { Module } from '../module';

/** max(x, 0). */
export class ReLU extends Module {
  forward(x: TensorBase): Tensor {
    return relu(x);
  }
}

/** x above 0, negativeSlope x below. */
export class LeakyReLU extends Module {
  readonly negativeSlope: number;

  constructor(options: { negativeSlope?: number } = {}) {
    super();
    this.negativeSlope = options.negativeSlope ?? 0.01;
    checkNumber('LeakyReLU', 'negativeSlope', this.negativeSlope);
  }

  forward(x: TensorBase): Tensor {
    return leakyRelu(x, { negativeSlope: this.negativeSlope });
  }

  protected override describe(): string {
    return `negativeSlope=${this.negativeSlope}`;
  }
}

/** x Φ(x), with the normal distribution's Φ (Hendrycks and Gimpel 2016). */
export class GELU extends Module {
  forward(x: TensorBase): Tensor {
    return gelu(x);
  }
}

/** x σ(x). */
export class SiLU extends Module {
  forward(x: TensorBase): Tensor {
    return silu(x);
  }
}

/** 1 / (1 + e^-x). */
export class Sigmoid extends Module {
  forward(x: TensorBase): Tensor {
    return sigmoid(x);
  }
}

/** Hyperbolic tangent. */
export class Tanh extends Module {
  forward(x: TensorBase): Tensor {
    return tanh(x);
  }
}

/** log(1 + e^x). */
export class Softplus extends Module {
  forward(x: TensorBase): Tensor {
    return softplus(x);
  }
}

/** e^x / Σ e^x over a dim. */
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

/** The logarithm of Softmax. */
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
