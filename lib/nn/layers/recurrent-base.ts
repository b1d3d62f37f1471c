import { ShapeError, ValueError } from '../../errors';
import { labelled } from '../../graph/modes';
import { zeros } from '../../ops/create';
import { concat, stack } from '../../ops/join';
import { dropout, type Generator } from '../../ops/random';
import { select, squeeze, transpose, unsqueeze } from '../../ops/shape';
import { checkInteger, formatShape, shapesEqual, type Shape } from '../../tensor/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { checkNumber } from '../check';
import * as init from '../init';
import { Module } from '../module';
import { Parameter } from '../parameter';
import {
  gatesOf,
  inputGates,
  stepOf,
  timeSteps,
  type RecurrentKind,
  type RecurrentState,
  type RecurrentWeights,
} from '../recurrent';

export interface RecurrentOptions {
  /** Layers on top of each other: 1 where not given. */
  numLayers?: number;
  /** Whether there are biases; true where not given. */
  bias?: boolean;
  /** Whether inputs and outputs are [N, T, ...] and not [T, N, ...]; states never are. */
  batchFirst?: boolean;
  /** Dropped in training from the outputs of every layer but the last: 0 where not given. */
  dropout?: number;
  /** Whether a second chain of states reads the sequence backwards. */
  bidirectional?: boolean;
  /** Where dropout takes its numbers from; the default generator where not given. */
  generator?: Generator;
}

/** What RNN, LSTM and GRU share. */
export abstract class RecurrentBase extends Module {
  readonly numLayers: number;
  readonly bias: boolean;
  readonly batchFirst: boolean;
  readonly dropout: number;
  readonly bidirectional: boolean;
  readonly #generator: Generator | undefined;
  readonly #weights: readonly RecurrentWeights[];

  constructor(
    readonly mode: RecurrentKind,
    readonly inputSize: number,
    readonly hiddenSize: number,
    readonly projSize: number,
    options: RecurrentOptions,
  ) {
    super();
    const name = this.constructor.name;
    const { numLayers = 1, bias = true, batchFirst = false, dropout: p = 0, bidirectional = false } = options;
    checkInteger(name, 'inputSize', inputSize, 1);
    checkInteger(name, 'hiddenSize', hiddenSize, 1);
    checkInteger(name, 'numLayers', numLayers, 1);
    checkInteger(name, 'projSize', projSize, 0);
    checkNumber(name, 'dropout', p, { least: 0, most: 1 });
    if (projSize >= hiddenSize)
      throw new ValueError(`${name}: projSize is below hiddenSize ${hiddenSize}, got ${projSize}`);
    this.numLayers = numLayers;
    this.bias = bias;
    this.batchFirst = batchFirst;
    this.dropout = p;
    this.bidirectional = bidirectional;
    this.#generator = options.generator;
    this.#weights = Array.from({ length: numLayers * this.directions }, (_, i) => this.#direction(i));
    this.resetParameters();
  }

  get directions(): number {
    return this.bidirectional ? 2 : 1;
  }

  /** The size of a hidden state: hiddenSize, or the projection's. */
  get outputSize(): number {
    return this.projSize || this.hiddenSize;
  }

  /** Draws all weights anew, uniform in ±1/√hiddenSize. */
  resetParameters(): void {
    const bound = 1 / Math.sqrt(this.hiddenSize);
    for (const parameter of this.parameters()) init.uniform(parameter, { low: -bound, high: bound });
  }

  protected override *fields(): Iterable<[string, unknown]> {
    for (const [i, weights] of this.#weights.entries()) {
      const suffix = `l${Math.floor(i / this.directions)}${i % this.directions === 1 ? '_reverse' : ''}`;
      yield [`weight_ih_${suffix}`, weights.weightIh];
      yield [`weight_hh_${suffix}`, weights.weightHh];
      yield [`bias_ih_${suffix}`, weights.biasIh];
      yield [`bias_hh_${suffix}`, weights.biasHh];
      yield [`weight_hr_${suffix}`, weights.weightHr];
    }
  }

  protected override describe(): string {
    const parts = [`${this.inputSize}, ${this.hiddenSize}`];
    if (this.projSize !== 0) parts.push(`projSize=${this.projSize}`);
    if (this.numLayers !== 1) parts.push(`numLayers=${this.numLayers}`);
    if (!this.bias) parts.push('bias=false');
    if (this.batchFirst) parts.push('batchFirst=true');
    if (this.dropout !== 0) parts.push(`dropout=${this.dropout}`);
    if (this.bidirectional) parts.push('bidirectional=true');
    return parts.join(', ');
  }

  /** Outputs of the last layer, and the last states of all layers and directions: h, and the LSTM's c. */
  protected run(x: TensorBase, h0: TensorBase | null, c0: TensorBase | null): [Tensor, Tensor, Tensor | null] {
    const name = this.constructor.name;
    this.#check(x, h0, c0);
    return labelled(name, () => {
      const batched = x.rank === 3;
      const batchAt = this.batchFirst && batched ? 0 : 1;
      const sequence = batchAt === 0 ? transpose(x, 0, 1) : batched ? x.capture() : unsqueeze(x, 1);
      const initial = this.#initialStates(sequence.shape[1]!, x, batched ? h0 : h0 && unsqueeze(h0, 1), c0, batched);
      const { outputs, last } = this.#layers(sequence, initial);
      const h = stack(last.map(([state]) => state));
      const c = this.mode === 'LSTM' ? stack(last.map(([, state]) => state!)) : null;
      if (!batched) return [squeeze(outputs, { dim: 1 }), squeeze(h, { dim: 1 }), c && squeeze(c, { dim: 1 })];
      return [batchAt === 0 ? transpose(outputs, 0, 1) : outputs, h, c];
    });
  }

  #layers(sequence: Tensor, initial: readonly RecurrentState[]): { outputs: Tensor; last: RecurrentState[] } {
    const last: RecurrentState[] = [];
    let outputs = sequence;
    for (let layer = 0; layer < this.numLayers; layer++) {
      if (layer > 0) outputs = dropout(outputs, this.dropout, { training: this.training, generator: this.#generator });
      const below = outputs;
      const directions = Array.from({ length: this.directions }, (_, direction) => {
        const i = layer * this.directions + direction;
        const { states, end } = this.#chain(below, initial[i]!, this.#weights[i]!, direction === 1);
        last.push(end);
        return states;
      });
      outputs = concat(directions, { dim: -1 });
    }
    return { outputs, last };
  }

  /** The states of one direction of one layer, in the order of the sequence, and the one that was reached last. */
  #chain(sequence: Tensor, initial: RecurrentState, weights: RecurrentWeights, isReverse: boolean) {
    const step = stepOf[this.mode];
    const gates = timeSteps(inputGates(sequence, weights));
    if (isReverse) gates.reverse();
    let state = initial;
    const states = gates.map((gate) => (state = step(gate, state, weights))[0]);
    if (isReverse) states.reverse();
    return { states: stack(states), end: state };
  }

  /** The given states of each layer and direction, or zeros. */
  #initialStates(
    batch: number,
    x: TensorBase,
    h0: TensorBase | null,
    c0: TensorBase | null,
    batched: boolean,
  ): RecurrentState[] {
    const states = (given: TensorBase | null, size: number): Tensor[] =>
      this.#weights.map((_, i) => (given === null ? zeros([batch, size], { dtype: x.dtype }) : select(given, 0, i)));
    const h = states(h0, this.outputSize);
    const c = this.mode === 'LSTM' ? states(batched ? c0 : c0 && unsqueeze(c0, 1), this.hiddenSize) : null;
    return h.map((state, i) => [state, c === null ? null : c[i]!]);
  }

  #check(x: TensorBase, h0: TensorBase | null, c0: TensorBase | null): void {
    const name = this.constructor.name;
    const order = this.batchFirst ? '[N, T, inputSize]' : '[T, N, inputSize]';
    if ((x.rank !== 2 && x.rank !== 3) || x.shape.at(-1) !== this.inputSize)
      throw new ShapeError(
        `${name}: takes ${order} or [T, inputSize] with inputSize ${this.inputSize}, got ${formatShape(x.shape)}`,
      );
    const time = x.rank === 3 && this.batchFirst ? 1 : 0;
    if (x.shape[time] === 0)
      throw new ShapeError(`${name}: a sequence has at least 1 step, got ${formatShape(x.shape)}`);
    const batch = x.rank === 3 ? [x.shape[1 - time]!] : [];
    checkState(name, 'h0', h0, [this.#weights.length, ...batch, this.outputSize]);
    checkState(name, 'c0', c0, [this.#weights.length, ...batch, this.hiddenSize]);
  }

  #direction(index: number): RecurrentWeights {
    const { hiddenSize, outputSize, projSize, bias } = this;
    const rows = gatesOf[this.mode] * hiddenSize;
    const inputs = index < this.directions ? this.inputSize : outputSize * this.directions;
    const make = (shape: Shape): Parameter => new Parameter(zeros(shape));
    return {
      weightIh: make([rows, inputs]),
      weightHh: make([rows, outputSize]),
      biasIh: bias ? make([rows]) : null,
      biasHh: bias ? make([rows]) : null,
      weightHr: projSize > 0 ? make([projSize, hiddenSize]) : null,
    };
  }
}

function checkState(owner: string, name: string, state: TensorBase | null, shape: Shape): void {
  if (state !== null && !shapesEqual(state.shape, shape))
    throw new ShapeError(`${owner}: ${name} is ${formatShape(shape)}, got ${formatShape(state.shape)}`);
}
