import { DTypeError, ShapeError, ValueError } from '../errors';
import { noGrad } from '../graph/modes';
import { checkNumber } from '../nn/check';
import * as init from '../nn/init';
import { gelu, linear, scaledDotProductAttention } from '../nn/functional';
import { Dropout } from '../nn/layers/dropout';
import { Embedding } from '../nn/layers/embedding';
import { Linear } from '../nn/layers/linear';
import { LayerNorm } from '../nn/layers/norm';
import { Module } from '../nn/module';
import { arange, tensor } from '../ops/create';
import { add } from '../ops/elementwise';
import { chunk } from '../ops/join';
import { rand, type Generator } from '../ops/random';
import { permute, reshape, select } from '../ops/shape';
import { checkInteger, formatShape } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { checkSizes } from './check';

export interface GPTOptions {
  /** How many different tokens there are. */
  vocabSize: number;
  /** The longest sequence: 1024 where not given. */
  blockSize?: number;
  /** 12 where not given. */
  nLayer?: number;
  /** Attention heads, which divide nEmbd: 12 where not given. */
  nHead?: number;
  /** The width: 768 where not given. */
  nEmbd?: number;
  /** 0.1 where not given. */
  dropout?: number;
  /** Whether linear layers and layer normalisations have biases; true where not given. */
  bias?: boolean;
}

export interface GenerateOptions {
  /** Divides the logits; 0 takes the most probable token. 1 where not given. */
  temperature?: number;
  /** Only the topK most probable tokens may come; all where not given. */
  topK?: number | null;
  generator?: Generator;
}

type Config = Required<GPTOptions>;

/** Every position sees itself and those before it. */
class CausalSelfAttention extends Module {
  readonly cAttn: Linear;
  readonly cProj: Linear;
  readonly residDropout: Dropout;
  readonly #heads: number;
  readonly #dropout: number;

  constructor({ nEmbd, nHead, dropout, bias }: Config) {
    super();
    this.#heads = nHead;
    this.#dropout = dropout;
    this.cAttn = new Linear(nEmbd, 3 * nEmbd, { bias });
    this.cProj = new Linear(nEmbd, nEmbd, { bias });
    this.residDropout = new Dropout({ p: dropout });
  }

  forward(x: TensorBase): Tensor {
    const [batch, length, width] = x.shape as [number, number, number];
    const heads = (y: Tensor): Tensor =>
      permute(reshape(y, [batch, length, this.#heads, width / this.#heads]), [0, 2, 1, 3]);
    const [q, k, v] = chunk(this.cAttn.forward(x), 3, { dim: 2 }).map(heads) as [Tensor, Tensor, Tensor];
    const dropoutP = this.training ? this.#dropout : 0;
    const mixed = scaledDotProductAttention(q, k, v, { isCausal: true, dropoutP });
    return this.residDropout.forward(this.cProj.forward(reshape(permute(mixed, [0, 2, 1, 3]), x.shape)));
  }
}

class FeedForward extends Module {
  readonly cFc: Linear;
  readonly cProj: Linear;
  readonly dropout: Dropout;

  constructor({ nEmbd, dropout, bias }: Config) {
    super();
    this.cFc = new Linear(nEmbd, 4 * nEmbd, { bias });
    this.cProj = new Linear(4 * nEmbd, nEmbd, { bias });
    this.dropout = new Dropout({ p: dropout });
  }

  forward(x: TensorBase): Tensor {
    return this.dropout.forward(this.cProj.forward(gelu(this.cFc.forward(x), { approximate: 'tanh' })));
  }
}

class Block extends Module {
  // The names are GPT-2's.
  readonly ln_1: LayerNorm;
  readonly attn: CausalSelfAttention;
  readonly ln_2: LayerNorm;
  readonly mlp: FeedForward;

  constructor(config: Config) {
    super();
    this.ln_1 = new LayerNorm(config.nEmbd, { bias: config.bias });
    this.attn = new CausalSelfAttention(config);
    this.ln_2 = new LayerNorm(config.nEmbd, { bias: config.bias });
    this.mlp = new FeedForward(config);
  }

  forward(x: TensorBase): Tensor {
    const attended = add(x, this.attn.forward(this.ln_1.forward(x)));
    return add(attended, this.mlp.forward(this.ln_2.forward(attended)));
  }
}

/**
 * A language model as GPT-2 (Radford et al. 2019): tokens [N, T] of int32 to the logits [N, T, vocabSize] of what comes
 * next. State-dict keys are GPT-2's (`wte.weight`, `h.0.attn.c_attn.weight`, ...) with weights [out, in]; the output layer
 * is the token embedding itself. Throws ValueError for options outside what is possible; `forward` throws ShapeError for
 * longer sequences and DTypeError for tokens that are no integers.
 *
 *     const model = new GPT({ vocabSize: 65, blockSize: 64, nLayer: 4, nHead: 4, nEmbd: 128 });
 *     const loss = crossEntropy(reshape(model.forward(tokens), [-1, 65]), reshape(next, [-1]));
 */
export class GPT extends Module {
  readonly config: Config;
  readonly wte: Embedding;
  readonly wpe: Embedding;
  readonly drop: Dropout;
  readonly h: readonly Block[];
  readonly lnF: LayerNorm;

  constructor(options: GPTOptions) {
    super();
    const { vocabSize, blockSize = 1024, nLayer = 12, nHead = 12, nEmbd = 768, dropout = 0.1, bias = true } = options;
    checkSizes('GPT', { vocabSize, blockSize, nLayer, nHead, nEmbd });
    if (nEmbd % nHead !== 0) throw new ValueError(`GPT: nHead divides nEmbd ${nEmbd}, got ${nHead}`);
    checkNumber('GPT', 'dropout', dropout, { least: 0, most: 1 });
    const config: Config = { vocabSize, blockSize, nLayer, nHead, nEmbd, dropout, bias };
    this.config = config;
    this.wte = new Embedding(config.vocabSize, config.nEmbd);
    this.wpe = new Embedding(config.blockSize, config.nEmbd);
    this.drop = new Dropout({ p: config.dropout });
    this.h = Array.from({ length: config.nLayer }, () => new Block(config));
    this.lnF = new LayerNorm(config.nEmbd, { bias: config.bias });
    this.resetParameters();
  }

  /** Draws the weights anew: standard deviation 0.02, less for what is added to the residual stream, by its depth. */
  resetParameters(): void {
    for (const [name, parameter] of this.namedParameters()) {
      if (name.endsWith('bias')) init.zeros(parameter);
      else if (parameter.rank === 1) init.ones(parameter);
      else if (name.endsWith('c_proj.weight'))
        init.normal(parameter, { std: 0.02 / Math.sqrt(2 * this.config.nLayer) });
      else init.normal(parameter, { std: 0.02 });
    }
  }

  forward(tokens: TensorBase): Tensor {
    const { blockSize } = this.config;
    const length = tokens.shape[1] ?? 0;
    if (tokens.rank !== 2 || length < 1 || length > blockSize)
      throw new ShapeError(`GPT: takes tokens [N, T] with T from 1 to ${blockSize}, got ${formatShape(tokens.shape)}`);
    if (tokens.dtype !== 'int32' && tokens.dtype !== 'int64')
      throw new DTypeError(`GPT: tokens are int32 or int64, got ${tokens.dtype}`);
    const embedded = add(this.wte.forward(tokens), this.wpe.forward(arange(length)));
    const features = this.h.reduce<Tensor>((x, block) => block.forward(x), this.drop.forward(embedded));
    return linear(this.lnF.forward(features), this.wte.weight);
  }

  /**
   * The given tokens and `count` more, each drawn from what the model predicts; of a long sequence it sees the last
   * blockSize. Switch the model to eval() before. Throws ValueError for no tokens, tokens outside the vocabulary and options
   * outside what is possible.
   *
   *     const tokens = await model.eval().generate([1, 5, 2], 20, { temperature: 0.8, topK: 10 });
   */
  async generate(tokens: readonly number[], count: number, options: GenerateOptions = {}): Promise<number[]> {
    const { temperature = 1, topK = null, generator } = options;
    const { vocabSize } = this.config;
    if (tokens.length === 0) throw new ValueError('GPT.generate: takes at least one token to begin with');
    for (const token of tokens)
      if (!Number.isInteger(token) || token < 0 || token >= vocabSize)
        throw new ValueError(`GPT.generate: tokens are integers from 0 to ${vocabSize - 1}, got ${String(token)}`);
    checkInteger('GPT.generate', 'count', count, 0);
    checkNumber('GPT.generate', 'temperature', temperature, { least: 0 });
    if (topK !== null) checkInteger('GPT.generate', 'topK', topK, 1);
    const all = [...tokens];
    for (let i = 0; i < count; i++) {
      const seen = Int32Array.from(all.slice(-this.config.blockSize));
      const last = noGrad(() => select(select(this.forward(tensor(seen, { shape: [1, seen.length] })), 0, 0), 0, -1));
      const draw = await rand([1], { generator, dtype: 'float64' }).item();
      all.push(drawn(Array.from(await last.data(), Number), draw, temperature, topK));
    }
    return all;
  }
}

/** The token that a number in [0, 1) stands for, under the distribution that the logits give. */
function drawn(logits: readonly number[], draw: number, temperature: number, topK: number | null): number {
  const order = logits.map((_, token) => token).sort((a, b) => logits[b]! - logits[a]!);
  if (temperature === 0) return order[0]!;
  const possible = order.slice(0, topK ?? order.length);
  const weights = possible.map((token) => Math.exp((logits[token]! - logits[order[0]!]!) / temperature));
  let rest = draw * weights.reduce((sum, weight) => sum + weight, 0);
  const found = weights.findIndex((weight) => (rest -= weight) < 0);
  return possible[found < 0 ? possible.length - 1 : found]!;
}
