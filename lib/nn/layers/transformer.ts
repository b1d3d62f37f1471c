import { ShapeError, ValueError } from '../../errors';
import { checkInteger, formatShape } from '../../tensor/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { generateSquareSubsequentMask } from '../attention';
import * as init from '../init';
import { Module, type Layer } from '../module';
import { LayerNorm } from './norm';
import {
  TransformerDecoderLayer,
  TransformerEncoderLayer,
  type DecoderMasks,
  type EncoderMasks,
  type TransformerLayerOptions,
} from './transformer-layers';

export interface StackOptions {
  /** What comes after the last layer: nothing where not given. */
  norm?: Layer | null;
}

/** `count` copies, so that the given layer itself is not part of the stack. */
function copies<L extends { clone(): L }>(name: string, layer: L, count: number): L[] {
  checkInteger(name, 'numLayers', count, 1);
  if (!(layer instanceof Module) || typeof layer.clone !== 'function')
    throw new ValueError(`${name}: the layer is a module with a clone method, got ${typeof layer}`);
  return Array.from({ length: count }, () => layer.clone());
}

/**
 * A stack of numLayers copies of an encoder layer
 * (https://pytorch.org/docs/1.13/generated/torch.nn.TransformerEncoder.html): [T, N, dModel] to the same.
 *
 *     const encoder = new TransformerEncoder(new TransformerEncoderLayer(64, 8), 6);
 *     encoder.forward(src, { mask: generateSquareSubsequentMask(10) });
 */
export class TransformerEncoder extends Module {
  readonly layers: readonly TransformerEncoderLayer[];
  readonly norm: Layer | null;

  constructor(
    encoderLayer: TransformerEncoderLayer,
    readonly numLayers: number,
    options: StackOptions = {},
  ) {
    super();
    this.layers = copies('TransformerEncoder', encoderLayer, numLayers);
    this.norm = options.norm ?? null;
  }

  forward(src: TensorBase, masks: EncoderMasks = {}): Tensor {
    const y = this.layers.reduce<Tensor>((x, layer) => layer.forward(x, masks), src.capture());
    return this.norm === null ? y : this.norm.forward(y);
  }
}

/**
 * A stack of numLayers copies of a decoder layer
 * (https://pytorch.org/docs/1.13/generated/torch.nn.TransformerDecoder.html): tgt [T, N, dModel] to the same.
 *
 *     const decoder = new TransformerDecoder(new TransformerDecoderLayer(64, 8), 6);
 *     decoder.forward(tgt, memory);
 */
export class TransformerDecoder extends Module {
  readonly layers: readonly TransformerDecoderLayer[];
  readonly norm: Layer | null;

  constructor(
    decoderLayer: TransformerDecoderLayer,
    readonly numLayers: number,
    options: StackOptions = {},
  ) {
    super();
    this.layers = copies('TransformerDecoder', decoderLayer, numLayers);
    this.norm = options.norm ?? null;
  }

  forward(tgt: TensorBase, memory: TensorBase, masks: DecoderMasks = {}): Tensor {
    const y = this.layers.reduce<Tensor>((x, layer) => layer.forward(x, memory, masks), tgt.capture());
    return this.norm === null ? y : this.norm.forward(y);
  }
}

export interface TransformerOptions extends TransformerLayerOptions {
  /** 512 where not given. */
  dModel?: number;
  /** Attention heads: 8 where not given. */
  nhead?: number;
  /** 6 where not given. */
  numEncoderLayers?: number;
  /** 6 where not given. */
  numDecoderLayers?: number;
  /** Instead of the encoder or decoder that the other options describe. */
  customEncoder?: TransformerEncoder | null;
  customDecoder?: TransformerDecoder | null;
}

export interface TransformerMasks extends DecoderMasks {
  srcMask?: TensorBase | null;
  srcKeyPaddingMask?: TensorBase | null;
}

/**
 * Encoder and decoder (Vaswani et al. 2017; https://pytorch.org/docs/1.13/generated/torch.nn.Transformer.html):
 * src [S, N, dModel] and tgt [T, N, dModel] to [T, N, dModel]. Matrices start by Glorot's rule.
 * Throws ValueError for sizes and options outside what is possible, ShapeError for inputs that do not fit.
 *
 *     const model = new Transformer({ dModel: 64, nhead: 4, numEncoderLayers: 2, numDecoderLayers: 2 });
 *     model.forward(src, tgt, { tgtMask: Transformer.generateSquareSubsequentMask(10) });
 */
export class Transformer extends Module {
  readonly encoder: TransformerEncoder;
  readonly decoder: TransformerDecoder;
  readonly dModel: number;
  readonly nhead: number;

  static readonly generateSquareSubsequentMask = generateSquareSubsequentMask;

  constructor(options: TransformerOptions = {}) {
    super();
    const { dModel = 512, nhead = 8, numEncoderLayers = 6, numDecoderLayers = 6, ...others } = options;
    this.dModel = dModel;
    this.nhead = nhead;
    const norm = (): LayerNorm => new LayerNorm(dModel, { eps: options.layerNormEps ?? 1e-5 });
    this.encoder =
      options.customEncoder ??
      new TransformerEncoder(new TransformerEncoderLayer(dModel, nhead, others), numEncoderLayers, { norm: norm() });
    this.decoder =
      options.customDecoder ??
      new TransformerDecoder(new TransformerDecoderLayer(dModel, nhead, others), numDecoderLayers, { norm: norm() });
    this.resetParameters();
  }

  /** Draws all matrices anew; biases and normalisations stay. */
  resetParameters(): void {
    for (const parameter of this.parameters()) if (parameter.rank > 1) init.xavierUniform(parameter);
  }

  forward(src: TensorBase, tgt: TensorBase, masks: TransformerMasks = {}): Tensor {
    for (const [name, x] of Object.entries({ src, tgt }))
      if ((x.rank !== 2 && x.rank !== 3) || x.shape.at(-1) !== this.dModel)
        throw new ShapeError(`Transformer: ${name} is [T, N, ${this.dModel}], got ${formatShape(x.shape)}`);
    const { srcMask = null, srcKeyPaddingMask = null, ...others } = masks;
    const memory = this.encoder.forward(src, { mask: srcMask, srcKeyPaddingMask });
    return this.decoder.forward(tgt, memory, others);
  }
}
