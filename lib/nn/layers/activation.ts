import type { Tensor, TensorBase } from '../../tensor/tensor';
import {
  hardsigmoid,
  hardswish,
  logSigmoid,
  mish,
  relu,
  relu6,
  selu,
  sigmoid,
  silu,
  softmax,
  softsign,
  tanh,
  tanhshrink,
} from '../functional';
import { Module } from '../module';
import { checkBatch } from '../window';

export * from './activation-options';

/**
 * max(x, 0).
 *
 *     const layer = new ReLU();
 */
export class ReLU extends Module {
  forward(x: TensorBase): Tensor {
    return relu(x);
  }
}

/**
 * min(max(x, 0), 6).
 *
 *     const layer = new ReLU6();
 */
export class ReLU6 extends Module {
  forward(x: TensorBase): Tensor {
    return relu6(x);
  }
}

/**
 * Scaled ELU that keeps mean 0 and variance 1 (Klambauer et al. 2017).
 *
 *     const layer = new SELU();
 */
export class SELU extends Module {
  forward(x: TensorBase): Tensor {
    return selu(x);
  }
}

/**
 * x σ(x), also known as swish.
 *
 *     const layer = new SiLU();
 */
export class SiLU extends Module {
  forward(x: TensorBase): Tensor {
    return silu(x);
  }
}

/**
 * x tanh(log(1 + e^x)) (Misra 2019).
 *
 *     const layer = new Mish();
 */
export class Mish extends Module {
  forward(x: TensorBase): Tensor {
    return mish(x);
  }
}

/**
 * min(max(x + 3, 0), 6) / 6.
 *
 *     const layer = new Hardsigmoid();
 */
export class Hardsigmoid extends Module {
  forward(x: TensorBase): Tensor {
    return hardsigmoid(x);
  }
}

/**
 * x times Hardsigmoid of x (Howard et al. 2019).
 *
 *     const layer = new Hardswish();
 */
export class Hardswish extends Module {
  forward(x: TensorBase): Tensor {
    return hardswish(x);
  }
}

/**
 * log σ(x), without overflow.
 *
 *     const layer = new LogSigmoid();
 */
export class LogSigmoid extends Module {
  forward(x: TensorBase): Tensor {
    return logSigmoid(x);
  }
}

/**
 * 1 / (1 + e^-x).
 *
 *     const layer = new Sigmoid();
 */
export class Sigmoid extends Module {
  forward(x: TensorBase): Tensor {
    return sigmoid(x);
  }
}

/**
 * x / (1 + |x|).
 *
 *     const layer = new Softsign();
 */
export class Softsign extends Module {
  forward(x: TensorBase): Tensor {
    return softsign(x);
  }
}

/**
 * Hyperbolic tangent.
 *
 *     const layer = new Tanh();
 */
export class Tanh extends Module {
  forward(x: TensorBase): Tensor {
    return tanh(x);
  }
}

/**
 * x - tanh(x).
 *
 *     const layer = new Tanhshrink();
 */
export class Tanhshrink extends Module {
  forward(x: TensorBase): Tensor {
    return tanhshrink(x);
  }
}

/**
 * Softmax over the channels of images [N, C, H, W] or [C, H, W]. Throws ShapeError for other dims.
 *
 *     const layer = new Softmax2d();
 */
export class Softmax2d extends Module {
  forward(x: TensorBase): Tensor {
    checkBatch('Softmax2d', x, 2);
    return softmax(x, -3);
  }
}
