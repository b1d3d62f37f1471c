import { ValueError } from '../../errors';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { RecurrentBase, type RecurrentOptions } from './recurrent-base';

export type { RecurrentOptions } from './recurrent-base';

export interface RNNOptions extends RecurrentOptions {
  /** 'tanh' where not given. */
  nonlinearity?: 'tanh' | 'relu';
}

export interface LSTMOptions extends RecurrentOptions {
  /** The size that hidden states are projected to; 0, where not given, is no projection. */
  projSize?: number;
}

/**
 * h_t = tanh(W_ih x_t + b_ih + W_hh h_(t-1) + b_hh), in layers and directions
 * (Elman 1990; https://pytorch.org/docs/1.13/generated/torch.nn.RNN.html).
 *
 * x [T, N, inputSize], or [N, T, inputSize] with batchFirst, or [T, inputSize], and h0 [layers · directions, N, hiddenSize]
 * (zeros where not given) give the outputs [T, N, directions · hiddenSize] and the last states, of h0's shape.
 * Throws ValueError for sizes and options outside what is possible, ShapeError for inputs that do not fit.
 *
 *     const [outputs, hN] = new RNN(8, 16, { nonlinearity: 'relu' }).forward(x);
 */
export class RNN extends RecurrentBase {
  readonly nonlinearity: 'tanh' | 'relu';

  constructor(inputSize: number, hiddenSize: number, options: RNNOptions = {}) {
    const { nonlinearity = 'tanh' } = options;
    if (nonlinearity !== 'tanh' && nonlinearity !== 'relu')
      throw new ValueError(`RNN: nonlinearity is tanh or relu, got ${String(nonlinearity)}`);
    super(nonlinearity === 'tanh' ? 'RNN_TANH' : 'RNN_RELU', inputSize, hiddenSize, 0, options);
    this.nonlinearity = nonlinearity;
  }

  forward(x: TensorBase, h0: TensorBase | null = null): [outputs: Tensor, hN: Tensor] {
    const [outputs, h] = this.run(x, h0, null);
    return [outputs, h];
  }
}

/**
 * Long short-term memory: i, f, o = σ(...), g = tanh(...), c_t = f c_(t-1) + i g, h_t = o tanh(c_t), each of x_t and h_(t-1)
 * (Hochreiter and Schmidhuber 1997; https://pytorch.org/docs/1.13/generated/torch.nn.LSTM.html).
 *
 * x as for RNN; states [h0, c0] of [layers · directions, N, projSize or hiddenSize] and [..., hiddenSize]; gives the outputs
 * [T, N, directions · (projSize or hiddenSize)] and the last states. Throws as RNN does.
 *
 *     const lstm = new LSTM(8, 16, { numLayers: 2, batchFirst: true });
 *     const [outputs, [hN, cN]] = lstm.forward(x);
 */
export class LSTM extends RecurrentBase {
  constructor(inputSize: number, hiddenSize: number, options: LSTMOptions = {}) {
    super('LSTM', inputSize, hiddenSize, options.projSize ?? 0, options);
  }

  forward(
    x: TensorBase,
    states: readonly [h0: TensorBase, c0: TensorBase] | null = null,
  ): [outputs: Tensor, states: [hN: Tensor, cN: Tensor]] {
    if (states !== null && !(Array.isArray(states) && states.length === 2))
      throw new ValueError('LSTM: states are [h0, c0], two tensors');
    const [outputs, h, c] = this.run(x, states && states[0], states && states[1]);
    return [outputs, [h, c!]];
  }
}

/**
 * Gated recurrent unit: r, z = σ(...), n = tanh(W_in x_t + b_in + r (W_hn h_(t-1) + b_hn)), h_t = (1 - z) n + z h_(t-1)
 * (Cho et al. 2014; https://pytorch.org/docs/1.13/generated/torch.nn.GRU.html). Shapes and errors as for RNN.
 *
 *     const [outputs, hN] = new GRU(8, 16, { bidirectional: true }).forward(x);
 */
export class GRU extends RecurrentBase {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super('GRU', inputSize, hiddenSize, 0, options);
  }

  forward(x: TensorBase, h0: TensorBase | null = null): [outputs: Tensor, hN: Tensor] {
    const [outputs, h] = this.run(x, h0, null);
    return [outputs, h];
  }
}
