import { add, mul, relu, sigmoid, sub, tanh } from '../ops/elementwise';
import { chunk } from '../ops/join';
import { narrow, reshape } from '../ops/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { linear } from './linear';

/*
 * One step of each recurrent layer (https://pytorch.org/docs/1.13/generated/torch.nn.LSTM.html and its neighbours).
 * `gates` is the part that comes from the input, W_ih x + b_ih, which a layer computes for all steps in one product.
 */

/** What one direction of a layer, or a cell, learns. */
export interface RecurrentWeights {
  /** [gates · hidden, input]. */
  readonly weightIh: TensorBase;
  /** [gates · hidden, output]. */
  readonly weightHh: TensorBase;
  /** [gates · hidden], or null for none. */
  readonly biasIh: TensorBase | null;
  readonly biasHh: TensorBase | null;
  /** [projection, hidden]: the projection of an LSTM's output, if it has one. */
  readonly weightHr?: TensorBase | null;
}

/** Hidden state, and the LSTM's cell state. */
export type RecurrentState = readonly [h: Tensor, c: Tensor | null];

export type RecurrentKind = 'RNN_TANH' | 'RNN_RELU' | 'LSTM' | 'GRU';

export const gatesOf: Readonly<Record<RecurrentKind, number>> = { RNN_TANH: 1, RNN_RELU: 1, LSTM: 4, GRU: 3 };

type Step = (gates: Tensor, state: RecurrentState, weights: RecurrentWeights) => RecurrentState;

/** h' = f(W_ih x + b_ih + W_hh h + b_hh). */
const plainStep =
  (activation: (x: Tensor) => Tensor): Step =>
  (gates, [h], { weightHh, biasHh }) => [activation(add(gates, linear(h, weightHh, biasHh))), null];

/** Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000; the projection is of Sak et al. 2014. */
const lstmStep: Step = (gates, [h, c], { weightHh, biasHh, weightHr }) => {
  const [input, forget, candidate, output] = chunk(add(gates, linear(h, weightHh, biasHh)), 4, { dim: -1 }) as Four;
  const cell = add(mul(sigmoid(forget), c!), mul(sigmoid(input), tanh(candidate)));
  const hidden = mul(sigmoid(output), tanh(cell));
  return [weightHr ? linear(hidden, weightHr) : hidden, cell];
};

/** Cho et al. 2014, with the reset gate behind the product, as cuDNN and PyTorch have it. */
const gruStep: Step = (gates, [h], { weightHh, biasHh }) => {
  const [resetX, updateX, newX] = chunk(gates, 3, { dim: -1 }) as Three;
  const [resetH, updateH, newH] = chunk(linear(h, weightHh, biasHh), 3, { dim: -1 }) as Three;
  const update = sigmoid(add(updateX, updateH));
  const candidate = tanh(add(newX, mul(sigmoid(add(resetX, resetH)), newH)));
  return [add(mul(sub(1, update), candidate), mul(update, h)), null];
};

type Three = [Tensor, Tensor, Tensor];
type Four = [Tensor, Tensor, Tensor, Tensor];

export const stepOf: Readonly<Record<RecurrentKind, Step>> = {
  RNN_TANH: plainStep(tanh),
  RNN_RELU: plainStep(relu),
  LSTM: lstmStep,
  GRU: gruStep,
};

/** The input's share of the gates, for one step or for all of them. */
export function inputGates(x: TensorBase, { weightIh, biasIh }: RecurrentWeights): Tensor {
  return linear(x, weightIh, biasIh);
}

/**
 * The steps x[0], x[1], ... of x [T, ...]. Halves are taken of halves: the gradient of a slice is as large as what it was
 * cut from, so that T slices of the whole would cost T² to sum, and these cost T log T.
 */
export function timeSteps(x: Tensor): Tensor[] {
  const length = x.shape[0]!;
  if (length === 1) return [reshape(x, x.shape.slice(1))];
  const half = length >> 1;
  return [...timeSteps(narrow(x, 0, 0, half)), ...timeSteps(narrow(x, 0, half, length - half))];
}
