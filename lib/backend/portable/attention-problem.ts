import { clearLastPanel, packedLength, packPanels, PANEL, panelsOf } from './gemm';
import { type BoundView, type Call, type FloatArray, floatTypes, type NumberArray } from './kernel';
import { Cursor } from './strided';

/** Multiplications of one part: about a millisecond. */
const MULTIPLICATIONS = 2e6;
/** Queries of a part at most. */
export const QUERIES = 32;

/** A batch of matrices. */
export class Matrices {
  readonly rows: number;
  readonly columns: number;
  readonly rowStride: number;
  readonly columnStride: number;
  private readonly batch: Cursor;

  constructor(readonly view: BoundView) {
    const [shape, strides] = [view.shape.slice(0, -2), view.strides.slice(0, -2)];
    this.batch = new Cursor({ shape: [1, ...shape], strides: [0, ...strides] });
    [this.rows, this.columns] = view.shape.slice(-2) as [number, number];
    [this.rowStride, this.columnStride] = view.strides.slice(-2) as [number, number];
  }

  /** Where a matrix begins. */
  offset(item: number): number {
    this.batch.seek(item);
    return this.view.offset + this.batch.offset;
  }

  /** `count` rows of a matrix as panels of rows, times `factor`. */
  packRows(to: Float64Array, item: number, first: number, count: number, factor = 1): void {
    const from = this.offset(item) + first * this.rowStride;
    pack(to, this.view.floats, from, count, this.rowStride, this.columns, this.columnStride, factor);
  }

  /** `count` rows of a matrix as panels of its columns, times `factor`. */
  packColumns(to: Float64Array, item: number, first: number, count: number, factor = 1): void {
    const from = this.offset(item) + first * this.rowStride;
    pack(to, this.view.floats, from, this.columns, this.columnStride, count, this.rowStride, factor);
  }
}

/** Packs rows x k of a strided source as panels from the first element of `to` on. */
export function pack(
  to: Float64Array,
  source: FloatArray,
  from: number,
  rows: number,
  rowStride: number,
  k: number,
  kStride: number,
  factor: number,
): void {
  clearLastPanel(to, rows, k);
  packPanels(to, k, 0, 0, source, from, rows, rowStride, k, kStride);
  if (factor !== 1) for (let i = 0; i < packedLength(rows, k); i++) to[i]! *= factor;
}

/** What attention and its gradient work on, checked. */
export class AttentionProblem {
  readonly q: Matrices;
  readonly k: Matrices;
  readonly v: Matrices;
  readonly batch: readonly number[];
  readonly items: number;
  readonly scale: number;
  /** Queries of a part, and parts of an item. */
  readonly tile: number;
  readonly tiles: number;
  private readonly mask: Matrices | null;
  private readonly isCausal: boolean;

  /** q, k, v and perhaps a mask stand behind `first` other inputs; a query and a key cost that many multiplications. */
  constructor(call: Call, first: number, multiplications: (width: number, valueWidth: number) => number) {
    const isMasked = call.inputs.length === first + 4;
    call.checkCounts(first + (isMasked ? 4 : 3), 1, 2);
    const [q, k, v, mask] = call.inputs.slice(first) as [BoundView, BoundView, BoundView, BoundView?];
    call.checkDType(q, floatTypes, 'the query');
    for (const view of [...call.inputs.slice(0, first), k, v, ...call.outputs])
      call.checkDType(view, [q.dtype], 'an operand');
    call.check(q.shape.length >= 2 && v.shape.length === q.shape.length, 'it takes matrices of one rank');
    this.batch = q.shape.slice(0, -2);
    this.items = this.batch.reduce((count, size) => count * size, 1);
    [this.q, this.k, this.v] = [new Matrices(q), new Matrices(k), new Matrices(v)];
    call.checkShape(k, [...this.batch, this.keys, this.q.columns], 'the key');
    call.checkShape(v, [...this.batch, this.keys, this.v.columns], 'the value');
    if (mask !== undefined) {
      call.checkDType(mask, ['bool', q.dtype], 'the mask');
      call.checkShape(mask, [...this.batch, this.queries, this.keys], 'the mask');
    }
    this.mask = mask === undefined ? null : new Matrices(mask);
    this.scale = call.attributes[0]!;
    call.check(Number.isFinite(this.scale), `the scale is ${this.scale}`);
    const isCausal = call.integer(1, 0);
    call.check(isCausal <= 1, `isCausal is ${isCausal}, not 0 or 1`);
    this.isCausal = isCausal === 1;
    const ofQuery = this.keys * multiplications(this.q.columns, this.v.columns);
    const panels = Math.min(panelsOf(QUERIES), Math.max(1, Math.floor(MULTIPLICATIONS / (PANEL * ofQuery + 1))));
    this.tile = panels * PANEL;
    this.tiles = Math.ceil(this.queries / this.tile);
  }

  get queries(): number {
    return this.q.rows;
  }

  get keys(): number {
    return this.v.rows;
  }

  /** Applies the mask to the scores of a query with `count` keys from `key` on. */
  maskScores(item: number, query: number, key: number, count: number, scores: Float64Array, at: number): void {
    const { mask } = this;
    if (mask !== null) {
      const from = mask.offset(item) + query * mask.rowStride + key * mask.columnStride;
      if (mask.view.dtype === 'bool') keepSeen(mask.view.numbers, from, mask.columnStride, count, scores, at);
      else addRow(mask.view.floats, from, mask.columnStride, count, scores, at);
    }
    if (this.isCausal) for (let i = Math.max(0, query + 1 - key); i < count; i++) scores[at + i] = -Infinity;
  }
}

function keepSeen(mask: NumberArray, from: number, stride: number, n: number, scores: Float64Array, at: number): void {
  for (let i = 0; i < n; i++) if (mask[from + i * stride] === 0) scores[at + i] = -Infinity;
}

function addRow(mask: FloatArray, from: number, stride: number, n: number, scores: Float64Array, at: number): void {
  for (let i = 0; i < n; i++) scores[at + i]! += mask[from + i * stride]!;
}
