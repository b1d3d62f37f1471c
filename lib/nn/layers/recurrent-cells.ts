import { ShapeError, ValueError } from '../../errors';
import { labelled } from '../../graph/modes';
import { zeros } from '../../ops/create';
import { checkInteger, formatShape, shapesEqual, type Shape } from '../../tensor/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import * as init from '../init';
import { Module } from '../module';
import { Parameter } from '../parameter';
import { gatesOf, inputGates, stepOf, type RecurrentKind, type RecurrentState } from '../recurrent';

export interface CellOptions {
  /** Whether there are biases; true where not given. */
  bias?: boolean;
}

/** What the cells share: one step on x [N, inputSize] or [inputSize]. */
abstract class Cell extends Module {
  readonly weightIh: Parameter;
  readonly weightHh: Parameter;
  readonly biasIh: Parameter | null;
  readonly biasHh: Parameter | null;
  readonly #kind: RecurrentKind;

  constructor(
    kind: RecurrentKind,
    readonly inputSize: number,
    readonly hiddenSize: number,
    { bias = true }: CellOptions,
  ) {
    super();
    const name = this.constructor.name;
    checkInteger(name, 'inputSize', inputSize, 1);
    checkInteger(name, 'hiddenSize', hiddenSize, 1);
    this.#kind = kind;
    const rows = gatesOf[kind] * hiddenSize;
    this.weightIh = new Parameter(zeros([rows, inputSize]));
    this.weightHh = new Parameter(zeros([rows, hiddenSize]));
    this.biasIh = bias ? new Parameter(zeros([rows])) : null;
    this.biasHh = bias ? new Parameter(zeros([rows])) : null;
    this.resetParameters();
  }

  /** Draws all weights anew, uniform in ±1/√hiddenSize. */
  resetParameters(): void {
    const bound = 1 / Math.sqrt(this.hiddenSize);
    for (const parameter of this.parameters()) init.uniform(parameter, { low: -bound, high: bound });
  }

  protected step(x: TensorBase, h: TensorBase | null, c: TensorBase | null): RecurrentState {
    const name = this.constructor.name;
    if ((x.rank !== 1 && x.rank !== 2) || x.shape.at(-1) !== this.inputSize)
      throw new ShapeError(`${name}: takes [N, ${this.inputSize}] or [${this.inputSize}], got ${formatShape(x.shape)}`);
    const shape = [...x.shape.slice(0, -1), this.hiddenSize];
    return labelled(name, () => {
      const state = (given: TensorBase | null, label: string): Tensor =>
        given === null ? zeros(shape, { dtype: x.dtype }) : checkedState(name, label, given, shape);
      const before: RecurrentState = [state(h, 'h'), this.#kind === 'LSTM' ? state(c, 'c') : null];
      return stepOf[this.#kind](inputGates(x, this), before, this);
    });
  }

  protected override describe(): string {
    return `${this.inputSize}, ${this.hiddenSize}${this.biasIh === null ? ', bias=false' : ''}`;
  }
}

function checkedState(owner: string, name: string, state: TensorBase, shape: Shape): Tensor {
  if (!shapesEqual(state.shape, shape))
    throw new ShapeError(`${owner}: ${name} is ${formatShape(shape)}, got ${formatShape(state.shape)}`);
  return state.capture();
}

/**
 * One step of an RNN: x [N, inputSize] or [inputSize] and h [N, hiddenSize] (zeros where not given) give the next h
 * (https://pytorch.org/docs/1.13/generated/torch.nn.RNNCell.html). Throws ValueError, ShapeError for what does not fit.
 *
 *     h = cell.forward(x, h);
 */
export class RNNCell extends Cell {
  constructor(inputSize: number, hiddenSize: number, options: CellOptions & { nonlinearity?: 'tanh' | 'relu' } = {}) {
    const { nonlinearity = 'tanh' } = options;
    if (nonlinearity !== 'tanh' && nonlinearity !== 'relu')
      throw new ValueError(`RNNCell: nonlinearity is tanh or relu, got ${String(nonlinearity)}`);
    super(nonlinearity === 'tanh' ? 'RNN_TANH' : 'RNN_RELU', inputSize, hiddenSize, options);
  }

  forward(x: TensorBase, h: TensorBase | null = null): Tensor {
    return this.step(x, h, null)[0];
  }
}

/**
 * One step of an LSTM: x and [h, c] give the next [h, c]
 * (https://pytorch.org/docs/1.13/generated/torch.nn.LSTMCell.html). Shapes and errors as for RNNCell.
 *
 *     [h, c] = cell.forward(x, [h, c]);
 */
export class LSTMCell extends Cell {
  constructor(inputSize: number, hiddenSize: number, options: CellOptions = {}) {
    super('LSTM', inputSize, hiddenSize, options);
  }

  forward(x: TensorBase, states: readonly [h: TensorBase, c: TensorBase] | null = null): [h: Tensor, c: Tensor] {
    const [h, c] = this.step(x, states && states[0], states && states[1]);
    return [h, c!];
  }
}

/**
 * One step of a GRU: x and h give the next h
 * (https://pytorch.org/docs/1.13/generated/torch.nn.GRUCell.html). Shapes and errors as for RNNCell.
 *
 *     h = cell.forward(x, h);
 */
export class GRUCell extends Cell {
  constructor(inputSize: number, hiddenSize: number, options: CellOptions = {}) {
    super('GRU', inputSize, hiddenSize, options);
  }

  forward(x: TensorBase, h: TensorBase | null = null): Tensor {
    return this.step(x, h, null)[0];
  }
}
