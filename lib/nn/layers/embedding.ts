import { ShapeError } from '../../errors';
import { noGrad } from '../../graph/modes';
import { full, zeros } from '../../ops/create';
import { reshape } from '../../ops/shape';
import { arange } from '../../ops/create';
import { eq, where } from '../../ops/elementwise';
import { checkInteger, formatShape } from '../../tensor/shape';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { checkMaxNorm, checkPaddingIdx, embedding } from '../embedding';
import { embeddingBag, type BagMode } from '../embedding-bag';
import * as init from '../init';
import { Module } from '../module';
import { Parameter } from '../parameter';

export interface EmbeddingOptions {
  /** The row of this index starts as zeros and gets no gradient; negative ones count from the end. */
  paddingIdx?: number | null;
  /** Rows that are looked up and have a larger norm are scaled down to it. */
  maxNorm?: number | null;
  /** The p of that norm: 2 where not given. */
  normType?: number;
  /** Whether each row's gradient is divided by how often the row was looked up. */
  scaleGradByFreq?: boolean;
}

export interface EmbeddingBagOptions extends EmbeddingOptions {
  /** What becomes of the rows of a bag: 'mean' where not given. */
  mode?: BagMode;
  /** Whether the last offset is the end of the last bag. */
  includeLastOffset?: boolean;
}

/** Whether the rows of a pretrained weight stay as they are: true where not given. */
interface Freezable {
  freeze?: boolean;
}

/** A table of vectors, one for each index. */
abstract class Table extends Module {
  readonly weight: Parameter;
  readonly paddingIdx: number | null;
  readonly maxNorm: number | null;
  readonly normType: number;
  readonly scaleGradByFreq: boolean;

  constructor(
    readonly numEmbeddings: number,
    readonly embeddingDim: number,
    options: EmbeddingOptions,
  ) {
    super();
    const name = this.constructor.name;
    checkInteger(name, 'numEmbeddings', numEmbeddings, 1);
    checkInteger(name, 'embeddingDim', embeddingDim, 1);
    this.paddingIdx = checkPaddingIdx(name, options.paddingIdx, numEmbeddings);
    this.maxNorm = options.maxNorm ?? null;
    this.normType = options.normType ?? 2;
    this.scaleGradByFreq = options.scaleGradByFreq ?? false;
    this.weight = new Parameter(zeros([numEmbeddings, embeddingDim]));
    checkMaxNorm(name, this.weight, this);
    this.resetParameters();
  }

  /** Draws the rows anew from the standard normal distribution; the padding's becomes zeros. */
  resetParameters(): void {
    init.normal(this.weight);
    if (this.paddingIdx === null) return;
    const isPadding = reshape(eq(arange(this.numEmbeddings), this.paddingIdx), [-1, 1]);
    noGrad(() => this.weight.assign(where(isPadding, full([], 0, { dtype: this.weight.dtype }), this.weight)));
  }

  protected override describe(): string {
    const parts = [`${this.numEmbeddings}, ${this.embeddingDim}`];
    if (this.paddingIdx !== null) parts.push(`paddingIdx=${this.paddingIdx}`);
    if (this.maxNorm !== null) parts.push(`maxNorm=${this.maxNorm}`);
    if (this.normType !== 2) parts.push(`normType=${this.normType}`);
    if (this.scaleGradByFreq) parts.push('scaleGradByFreq=true');
    return parts.join(', ');
  }
}

/** Gives a new table the rows of a tensor. */
function filled<T extends Table>(table: T, rows: TensorBase, { freeze = true }: Freezable): T {
  table.weight.convert(rows);
  if (freeze) table.weight.setRequiresGrad(false);
  return table;
}

function sizesOf(name: string, rows: TensorBase): [number, number] {
  if (rows.rank !== 2)
    throw new ShapeError(`${name}.fromPretrained: takes [numEmbeddings, embeddingDim], got ${formatShape(rows.shape)}`);
  return rows.shape as [number, number];
}

/**
 * A vector for each index: [...] of int32 or int64 to [..., embeddingDim]
 * (https://pytorch.org/docs/1.13/generated/torch.nn.Embedding.html). Rows start normally distributed.
 * Throws ValueError for sizes and options outside what is possible.
 *
 *     const table = new Embedding(1000, 64, { paddingIdx: 0 });
 *     table.forward(tensor(Int32Array.of(5, 0))); // [2, 64]
 */
export class Embedding extends Table {
  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingOptions = {}) {
    super(numEmbeddings, embeddingDim, options);
  }

  /** A table with the rows of a tensor [numEmbeddings, embeddingDim], frozen unless said otherwise. */
  static fromPretrained(embeddings: TensorBase, options: EmbeddingOptions & Freezable = {}): Embedding {
    return filled(new Embedding(...sizesOf('Embedding', embeddings), options), embeddings, options);
  }

  forward(input: TensorBase): Tensor {
    const { paddingIdx, maxNorm, normType, scaleGradByFreq } = this;
    return embedding(input, this.weight, { paddingIdx, maxNorm, normType, scaleGradByFreq });
  }
}

/**
 * The sum, mean or maximum of the vectors of each bag of indices; see `embeddingBag`
 * (https://pytorch.org/docs/1.13/generated/torch.nn.EmbeddingBag.html).
 *
 *     const bag = new EmbeddingBag(1000, 64, { mode: 'sum' });
 *     bag.forward(tensor(Int32Array.of(5, 7, 9)), { offsets: [0, 2] }); // [2, 64]
 */
export class EmbeddingBag extends Table {
  readonly mode: BagMode;
  readonly includeLastOffset: boolean;

  constructor(numEmbeddings: number, embeddingDim: number, options: EmbeddingBagOptions = {}) {
    super(numEmbeddings, embeddingDim, options);
    this.mode = options.mode ?? 'mean';
    this.includeLastOffset = options.includeLastOffset ?? false;
  }

  /** A table with the rows of a tensor [numEmbeddings, embeddingDim], frozen unless said otherwise. */
  static fromPretrained(embeddings: TensorBase, options: EmbeddingBagOptions & Freezable = {}): EmbeddingBag {
    return filled(new EmbeddingBag(...sizesOf('EmbeddingBag', embeddings), options), embeddings, options);
  }

  /** Bags [B, N], or [N] with `offsets`; `perSampleWeights` of the input's shape for mode 'sum'. Gives [B, embeddingDim]. */
  forward(
    input: TensorBase,
    options: { offsets?: TensorBase | readonly number[] | null; perSampleWeights?: TensorBase | null } = {},
  ): Tensor {
    const { paddingIdx, maxNorm, normType, scaleGradByFreq, mode, includeLastOffset } = this;
    const own = { paddingIdx, maxNorm, normType, scaleGradByFreq, mode, includeLastOffset };
    return embeddingBag(input, this.weight, { ...own, ...options });
  }

  protected override describe(): string {
    return `${super.describe()}, mode=${this.mode}`;
  }
}
