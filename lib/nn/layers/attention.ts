import { ValueError } from '../../errors';
import { zeros } from '../../ops/create';
import type { Generator } from '../../ops/random';
import { checkInteger } from '../../tensor/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { checkNumber } from '../check';
import * as init from '../init';
import { Module } from '../module';
import { batchExchanged, multiHeadAttentionForward, type MultiHeadAttentionMasks } from '../multi-head-attention';
import { Parameter } from '../parameter';
import { Linear } from './linear';

export interface MultiheadAttentionOptions {
  /** Share of the attention weights that is dropped in training. */
  dropout?: number;
  /** Whether the projections have biases; true where not given. */
  bias?: boolean;
  /** Whether there is one more learned key and value. */
  addBiasKv?: boolean;
  /** Whether there is one more key and value of zeros. */
  addZeroAttn?: boolean;
  /** The widths of keys and values; embedDim where not given. */
  kdim?: number | null;
  vdim?: number | null;
  /** Whether inputs and outputs are [N, L, E] and not [L, N, E]. */
  batchFirst?: boolean;
  /** Where dropout takes its numbers from; the default generator where not given. */
  generator?: Generator;
}

/**
 * Attention in `numHeads` heads (Vaswani et al. 2017;
 * https://pytorch.org/docs/1.13/generated/torch.nn.MultiheadAttention.html). Shapes and errors as for
 * `multiHeadAttentionForward`; ValueError unless numHeads divides embedDim.
 *
 *     const attention = new MultiheadAttention(64, 8, { batchFirst: true });
 *     const [y] = attention.forward(x, x, x, { needWeights: false });
 */
export class MultiheadAttention extends Module {
  readonly dropout: number;
  readonly batchFirst: boolean;
  readonly addZeroAttn: boolean;
  readonly inProjWeight: Parameter | null;
  readonly qProjWeight: Parameter | null;
  readonly kProjWeight: Parameter | null;
  readonly vProjWeight: Parameter | null;
  readonly inProjBias: Parameter | null;
  readonly biasK: Parameter | null;
  readonly biasV: Parameter | null;
  readonly outProj: Linear;
  readonly #generator: Generator | undefined;

  constructor(
    readonly embedDim: number,
    readonly numHeads: number,
    options: MultiheadAttentionOptions = {},
  ) {
    super();
    const name = 'MultiheadAttention';
    const { dropout = 0, bias = true, addBiasKv = false, addZeroAttn = false, batchFirst = false } = options;
    const { kdim, vdim, generator } = options;
    checkInteger(name, 'embedDim', embedDim, 1);
    checkInteger(name, 'numHeads', numHeads, 1);
    checkInteger(name, 'kdim', kdim ?? embedDim, 1);
    checkInteger(name, 'vdim', vdim ?? embedDim, 1);
    checkNumber(name, 'dropout', dropout, { least: 0, most: 1 });
    if (embedDim % numHeads !== 0)
      throw new ValueError(`${name}: numHeads divides embedDim ${embedDim}, got ${numHeads}`);
    this.dropout = dropout;
    this.batchFirst = batchFirst;
    this.addZeroAttn = addZeroAttn;
    this.#generator = generator;
    const isSame = (kdim ?? embedDim) === embedDim && (vdim ?? embedDim) === embedDim;
    const make = (...shape: number[]): Parameter => new Parameter(zeros(shape));
    this.inProjWeight = isSame ? make(3 * embedDim, embedDim) : null;
    this.qProjWeight = isSame ? null : make(embedDim, embedDim);
    this.kProjWeight = isSame ? null : make(embedDim, kdim ?? embedDim);
    this.vProjWeight = isSame ? null : make(embedDim, vdim ?? embedDim);
    this.inProjBias = bias ? make(3 * embedDim) : null;
    this.biasK = addBiasKv ? make(1, 1, embedDim) : null;
    this.biasV = addBiasKv ? make(1, 1, embedDim) : null;
    this.outProj = new Linear(embedDim, embedDim, { bias });
    this.resetParameters();
  }

  /** Draws the weights anew: projections by Glorot's rule, biases 0. */
  resetParameters(): void {
    for (const weight of [this.inProjWeight, this.qProjWeight, this.kProjWeight, this.vProjWeight])
      if (weight !== null) init.xavierUniform(weight);
    this.outProj.resetParameters();
    for (const bias of [this.inProjBias, this.outProj.bias]) if (bias !== null) init.zeros(bias);
    for (const bias of [this.biasK, this.biasV]) if (bias !== null) init.xavierNormal(bias);
  }

  forward(
    query: TensorBase,
    key: TensorBase,
    value: TensorBase,
    options: MultiHeadAttentionMasks = {},
  ): [output: Tensor, weights: Tensor | null] {
    const inputs = [query, key, value].map((x) => (this.batchFirst ? batchExchanged(x) : x.capture()));
    const [q, k, v] = inputs as [Tensor, Tensor, Tensor];
    const { outProj, numHeads, dropout: dropoutP, addZeroAttn, training } = this;
    const { inProjWeight, qProjWeight, kProjWeight, vProjWeight, inProjBias, biasK, biasV } = this;
    const projections = { inProjWeight, qProjWeight, kProjWeight, vProjWeight, inProjBias, biasK, biasV };
    const weights = { ...projections, outProjWeight: outProj.weight, outProjBias: outProj.bias };
    const own = { addZeroAttn, dropoutP, training, generator: this.#generator };
    const [output, shares] = multiHeadAttentionForward(q, k, v, numHeads, weights, { ...options, ...own });
    return [this.batchFirst ? batchExchanged(output) : output, shares];
  }

  protected override describe(): string {
    return `${this.embedDim}, ${this.numHeads}${this.batchFirst ? ', batchFirst=true' : ''}`;
  }
}
