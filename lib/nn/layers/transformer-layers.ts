import { ValueError } from '../../errors';
import { labelled } from '../../graph/modes';
import { add } from '../../ops/elementwise';
import { dropout, type Generator } from '../../ops/random';
import { checkInteger } from '../../tensor/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { checkNumber } from '../check';
import { gelu, relu } from '../functional';
import { Module } from '../module';
import { MultiheadAttention } from './attention';
import { Linear } from './linear';
import { LayerNorm } from './norm';

export type TransformerActivation = 'relu' | 'gelu' | ((x: TensorBase) => Tensor);

export interface TransformerLayerOptions {
  /** The width between the two linear layers: 2048 where not given. */
  dimFeedforward?: number;
  /** 0.1 where not given. */
  dropout?: number;
  /** 'relu' where not given; or any function of a tensor. */
  activation?: TransformerActivation;
  /** 1e-5 where not given. */
  layerNormEps?: number;
  /** Whether inputs and outputs are [N, T, dModel] and not [T, N, dModel]. */
  batchFirst?: boolean;
  /** Whether normalisation comes before attention and feed-forward, and not after them. */
  normFirst?: boolean;
  /** Where dropout takes its numbers from; the default generator where not given. */
  generator?: Generator;
}

export interface EncoderMasks {
  /** [T, T] or [N · nhead, T, T]: bool, true where a position is not seen; or floats that are added to the scores. */
  mask?: TensorBase | null;
  /** [N, T]: bool, true for positions that are padding; or floats. */
  srcKeyPaddingMask?: TensorBase | null;
}

export interface DecoderMasks {
  tgtMask?: TensorBase | null;
  memoryMask?: TensorBase | null;
  tgtKeyPaddingMask?: TensorBase | null;
  memoryKeyPaddingMask?: TensorBase | null;
}

/** What encoder and decoder layers share: the feed-forward part, residuals and options. */
abstract class TransformerLayer extends Module {
  readonly activation: (x: TensorBase) => Tensor;
  readonly normFirst: boolean;
  readonly dropout: number;
  readonly #generator: Generator | undefined;

  constructor(
    readonly dModel: number,
    readonly nhead: number,
    protected readonly options: TransformerLayerOptions,
  ) {
    super();
    const name = this.constructor.name;
    checkInteger(name, 'dModel', dModel, 1);
    checkInteger(name, 'nhead', nhead, 1);
    checkInteger(name, 'dimFeedforward', options.dimFeedforward ?? 2048, 1);
    this.activation = activationOf(name, options.activation ?? 'relu');
    this.normFirst = options.normFirst ?? false;
    this.dropout = options.dropout ?? 0.1;
    checkNumber(name, 'dropout', this.dropout, { least: 0, most: 1 });
    this.#generator = options.generator;
  }

  abstract readonly linear1: Linear;
  abstract readonly linear2: Linear;

  protected attention(): MultiheadAttention {
    const { batchFirst, generator } = this.options;
    return new MultiheadAttention(this.dModel, this.nhead, { dropout: this.dropout, batchFirst, generator });
  }

  protected norm(): LayerNorm {
    return new LayerNorm(this.dModel, { eps: this.options.layerNormEps ?? 1e-5 });
  }

  protected dropped(x: Tensor): Tensor {
    return dropout(x, this.dropout, { training: this.training, generator: this.#generator });
  }

  protected feedForward(x: Tensor): Tensor {
    return this.dropped(this.linear2.forward(this.dropped(this.activation(this.linear1.forward(x)))));
  }

  /** x + part(norm(x)), or norm(x + part(x)). */
  protected residual(x: Tensor, norm: LayerNorm, part: (x: Tensor) => Tensor): Tensor {
    return this.normFirst ? add(x, part(norm.forward(x))) : norm.forward(add(x, part(x)));
  }

  protected override describe(): string {
    return `${this.dModel}, ${this.nhead}`;
  }
}

function activationOf(name: string, activation: TransformerActivation): (x: TensorBase) => Tensor {
  if (typeof activation === 'function') return activation;
  if (activation === 'relu') return relu;
  if (activation === 'gelu') return (x) => gelu(x);
  throw new ValueError(`${name}: activation is relu, gelu or a function, got ${String(activation)}`);
}

/**
 * Self-attention and feed-forward, each with a residual and a normalisation (Vaswani et al. 2017; normFirst as in Xiong et
 * al. 2020; https://pytorch.org/docs/1.13/generated/torch.nn.TransformerEncoderLayer.html): [T, N, dModel] to the same.
 * Throws ValueError for sizes and options outside what is possible, ShapeError for inputs that do not fit.
 *
 *     const layer = new TransformerEncoderLayer(64, 8, { dimFeedforward: 256, batchFirst: true });
 *     layer.forward(x, { srcKeyPaddingMask: isPadding });
 */
export class TransformerEncoderLayer extends TransformerLayer {
  readonly selfAttn: MultiheadAttention;
  readonly linear1: Linear;
  readonly linear2: Linear;
  readonly norm1: LayerNorm;
  readonly norm2: LayerNorm;

  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    super(dModel, nhead, options);
    const width = options.dimFeedforward ?? 2048;
    this.selfAttn = this.attention();
    this.linear1 = new Linear(dModel, width);
    this.linear2 = new Linear(width, dModel);
    this.norm1 = this.norm();
    this.norm2 = this.norm();
  }

  /** Another layer with the same options and the same weights. */
  clone(): TransformerEncoderLayer {
    const copy = new TransformerEncoderLayer(this.dModel, this.nhead, this.options).to(this.linear1.weight.dtype);
    copy.loadStateDict(this.stateDict());
    return copy;
  }

  forward(src: TensorBase, { mask = null, srcKeyPaddingMask = null }: EncoderMasks = {}): Tensor {
    return labelled('TransformerEncoderLayer', () => {
      const masks = { attnMask: mask, keyPaddingMask: srcKeyPaddingMask, needWeights: false };
      const attended = this.residual(src.capture(), this.norm1, (x) =>
        this.dropped(this.selfAttn.forward(x, x, x, masks)[0]),
      );
      return this.residual(attended, this.norm2, (x) => this.feedForward(x));
    });
  }
}

/**
 * Self-attention, attention to the encoder's memory, and feed-forward, each with a residual and a normalisation
 * (https://pytorch.org/docs/1.13/generated/torch.nn.TransformerDecoderLayer.html): tgt [T, N, dModel] and memory
 * [S, N, dModel] to [T, N, dModel]. Throws as TransformerEncoderLayer does.
 *
 *     const layer = new TransformerDecoderLayer(64, 8, { normFirst: true });
 *     layer.forward(tgt, memory, { tgtMask: generateSquareSubsequentMask(tgt.shape[0]!) });
 */
export class TransformerDecoderLayer extends TransformerLayer {
  readonly selfAttn: MultiheadAttention;
  readonly multiheadAttn: MultiheadAttention;
  readonly linear1: Linear;
  readonly linear2: Linear;
  readonly norm1: LayerNorm;
  readonly norm2: LayerNorm;
  readonly norm3: LayerNorm;

  constructor(dModel: number, nhead: number, options: TransformerLayerOptions = {}) {
    super(dModel, nhead, options);
    const width = options.dimFeedforward ?? 2048;
    this.selfAttn = this.attention();
    this.multiheadAttn = this.attention();
    this.linear1 = new Linear(dModel, width);
    this.linear2 = new Linear(width, dModel);
    this.norm1 = this.norm();
    this.norm2 = this.norm();
    this.norm3 = this.norm();
  }

  /** Another layer with the same options and the same weights. */
  clone(): TransformerDecoderLayer {
    const copy = new TransformerDecoderLayer(this.dModel, this.nhead, this.options).to(this.linear1.weight.dtype);
    copy.loadStateDict(this.stateDict());
    return copy;
  }

  forward(tgt: TensorBase, memory: TensorBase, masks: DecoderMasks = {}): Tensor {
    const { tgtMask = null, memoryMask = null, tgtKeyPaddingMask = null, memoryKeyPaddingMask = null } = masks;
    return labelled('TransformerDecoderLayer', () => {
      const own = { attnMask: tgtMask, keyPaddingMask: tgtKeyPaddingMask, needWeights: false };
      const others = { attnMask: memoryMask, keyPaddingMask: memoryKeyPaddingMask, needWeights: false };
      const attended = this.residual(tgt.capture(), this.norm1, (x) =>
        this.dropped(this.selfAttn.forward(x, x, x, own)[0]),
      );
      const informed = this.residual(attended, this.norm2, (x) =>
        this.dropped(this.multiheadAttn.forward(x, memory, memory, others)[0]),
      );
      return this.residual(informed, this.norm3, (x) => this.feedForward(x));
    });
  }
}
