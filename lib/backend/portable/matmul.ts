import { sizeOf } from '../../tensor/shape';
import { elementwise } from './elementwise';
import {
  addPanelProduct,
  clampToPanels,
  clearLastPanel,
  packedLength,
  packPanels,
  PANEL,
  panelsOf,
  storeProduct,
} from './gemm';
import { type BoundView, type Call, type FloatArray, floatTypes, type Kernel, type Task } from './kernel';
import { Cursor } from './strided';

/** Doubles of a packed block of columns, which should stay in a second-level cache. */
const PACKED = 65536;
/** Multiplications of one part: about a millisecond. */
const MULTIPLICATIONS = 2e6;

/** Where a matrix of a batch begins, and how far apart its rows and its elements along k are. */
interface Side {
  readonly view: BoundView;
  readonly batch: Cursor;
  readonly count: number;
  readonly stride: number;
  readonly kStride: number;
}

export const matmul: Kernel = (call: Call, scalars: number) =>
  call.attributes.length === 0 ? product(call, false) : productWithEpilogue(call, scalars);

/** First the product, in the memory of output 0, then the byte code on it: see kernels.ts. */
function productWithEpilogue(call: Call, scalars: number): Task {
  call.check(call.inputs.length >= 2 && call.outputs.length >= 1, 'lacks matrices or a result');
  const made = product(call, true);
  const rest = call.withInputs([call.outputs[0]!, ...call.inputs.slice(2)]);
  const chain = elementwise(rest, scalars);
  return {
    parts: made.parts + chain.parts,
    run(part) {
      if (part < made.parts) return made.run(part);
      // Not before: it may read the product already.
      if (part === made.parts) {
        rest.scalars = call.scalars;
        chain.begin!();
      }
      chain.run(part - made.parts);
    },
    end: () => chain.end!(),
  };
}

/** An epilogue may see the product in another shape. */
function product(call: Call, hasEpilogue: boolean): Task {
  if (!hasEpilogue) call.checkCounts(2, 1, 0);
  const [a, b, out] = [call.inputs[0]!, call.inputs[1]!, call.outputs[0]!];
  call.checkDType(a, floatTypes, 'the left input');
  call.checkDType(b, [a.dtype], 'the right input');
  call.checkDType(out, [a.dtype], 'the output');
  const rank = a.shape.length;
  call.check(rank >= 2, 'matrices have at least 2 dims');
  const batch = a.shape.slice(0, -2);
  const [m, k] = [a.shape[rank - 2]!, a.shape[rank - 1]!];
  const n = b.shape[b.shape.length - 1]!;
  call.checkShape(b, [...batch, k, n], 'the right input');
  if (hasEpilogue) call.check(out.size === sizeOf([...batch, m, n]), "the output does not have the product's size");
  else call.checkShape(out, [...batch, m, n], 'the output');

  const side = (view: BoundView, count: number, stride: number, kStride: number): Side => {
    const strides = view.strides.slice(0, -2);
    return { view, batch: new Cursor({ shape: [1, ...batch], strides: [0, ...strides] }), count, stride, kStride };
  };
  const left = side(a, m, a.strides[rank - 2]!, a.strides[rank - 1]!);
  const right = side(b, n, b.strides[rank - 1]!, b.strides[rank - 2]!);
  const batches = out.size === 0 ? 0 : out.size / (m * n);
  // The transposed product has the same bits, and few rows need no packing.
  if (n < PANEL && m >= PANEL) return multiply(call, right, left, k, batches, 1, n);
  return multiply(call, left, right, k, batches, n, 1);
}

/** out[batch, i, j] = sum over k of rows[i, k] columns[j, k]. */
function multiply(
  call: Call,
  rows: Side,
  columns: Side,
  k: number,
  batches: number,
  rowStride: number,
  columnStride: number,
): Task {
  const [m, n] = [rows.count, columns.count];
  const out = call.outputs[0]!;
  const isPacked = m >= PANEL;
  const columnsPerBlock = isPacked
    ? clampToPanels(PACKED / Math.max(1, k), n)
    : clampToPanels(MULTIPLICATIONS / Math.max(1, m * k), n);
  const rowsPerBlock = isPacked ? clampToPanels(MULTIPLICATIONS / Math.max(1, k * columnsPerBlock), m) : m;
  const columnBlocks = Math.ceil(n / columnsPerBlock);
  const rowBlocks = Math.ceil(m / rowsPerBlock);

  const multiplyBlock = (batch: number, firstColumn: number, firstRow: number): void => {
    rows.batch.seek(batch);
    columns.batch.seek(batch);
    const blockColumns = Math.min(columnsPerBlock, n - firstColumn);
    const blockRows = Math.min(rowsPerBlock, m - firstRow);
    const rowStart = rows.view.offset + rows.batch.offset + firstRow * rows.stride;
    const columnStart = columns.view.offset + columns.batch.offset + firstColumn * columns.stride;
    const columnPanels = panelsOf(blockColumns);
    const c = call.workspace.scratch(0, panelsOf(blockRows) * PANEL * columnPanels * PANEL);
    if (isPacked) {
      const packedColumns = call.workspace.scratch(1, packedLength(columnsPerBlock, k));
      const packedRows = call.workspace.scratch(2, packedLength(rowsPerBlock, k));
      if (firstRow === 0) pack(packedColumns, columns, columnStart, blockColumns, k);
      pack(packedRows, rows, rowStart, blockRows, k);
      c.fill(0, 0, panelsOf(blockRows) * PANEL * columnPanels * PANEL);
      addPanelProduct(packedRows, 0, panelsOf(blockRows), packedColumns, columnPanels, k, c, 0);
    } else multiplyFewRows(rows, rowStart, columns, columnStart, blockColumns, k, c, columnPanels * PANEL);
    const to = out.offset + batch * m * n + firstRow * rowStride + firstColumn * columnStride;
    storeProduct(c, 0, blockRows, blockColumns, columnPanels * PANEL, out.floats, to, rowStride, columnStride);
  };

  // Small matrices of a batch share a part.
  const blocks = columnBlocks * rowBlocks;
  const batchesPerPart = blocks > 1 ? 1 : Math.max(1, Math.floor(MULTIPLICATIONS / (m * n * k + 1000)));
  return {
    parts: Math.ceil(batches / batchesPerPart) * blocks,
    run(part) {
      const batch = Math.floor(part / blocks) * batchesPerPart;
      const block = part % blocks;
      const firstColumn = Math.floor(block / rowBlocks) * columnsPerBlock;
      const firstRow = (block % rowBlocks) * rowsPerBlock;
      const end = Math.min(batches, batch + batchesPerPart);
      for (let i = batch; i < end; i++) multiplyBlock(i, firstColumn, firstRow);
    },
  };
}

function pack(packed: Float64Array, { view, stride, kStride }: Side, start: number, count: number, k: number): void {
  clearLastPanel(packed, count, k);
  packPanels(packed, k, 0, 0, view.floats, start, count, stride, k, kStride);
}

/** Fewer rows than a panel has: packing would cost more than the product. */
function multiplyFewRows(
  rows: Side,
  rowStart: number,
  columns: Side,
  columnStart: number,
  n: number,
  k: number,
  c: Float64Array,
  cStride: number,
): void {
  const multiplyRow = columns.kStride <= columns.stride ? multiplyRowByColumns : multiplyRowByElements;
  for (let row = 0; row < rows.count; row++) {
    const x = rows.view.floats;
    const y = columns.view.floats;
    const from = rowStart + row * rows.stride;
    multiplyRow(x, from, rows.kStride, y, columnStart, columns.stride, columns.kStride, n, k, c, row * cStride);
  }
}

/** For columns whose elements are neighbours: four scalar products at a time. */
function multiplyRowByColumns(
  x: FloatArray,
  from: number,
  xStride: number,
  y: FloatArray,
  columnStart: number,
  columnStride: number,
  kStride: number,
  n: number,
  k: number,
  c: Float64Array,
  to: number,
): void {
  for (let column = 0; column < n; column += PANEL) {
    // Past the last column the first is computed again, into what nobody reads.
    let y0 = columnStart + column * columnStride;
    let y1 = column + 1 < n ? y0 + columnStride : y0;
    let y2 = column + 2 < n ? y1 + columnStride : y0;
    let y3 = column + 3 < n ? y2 + columnStride : y0;
    let c0 = 0;
    let c1 = 0;
    let c2 = 0;
    let c3 = 0;
    for (let i = 0, at = from; i < k; i++, at += xStride) {
      const value = x[at]!;
      c0 += value * y[y0]!;
      c1 += value * y[y1]!;
      c2 += value * y[y2]!;
      c3 += value * y[y3]!;
      y0 += kStride;
      y1 += kStride;
      y2 += kStride;
      y3 += kStride;
    }
    c[to + column] = c0;
    c[to + column + 1] = c1;
    c[to + column + 2] = c2;
    c[to + column + 3] = c3;
  }
}

/** For columns that are neighbours: multiples of one row of y after the other are added up. */
function multiplyRowByElements(
  x: FloatArray,
  from: number,
  xStride: number,
  y: FloatArray,
  columnStart: number,
  columnStride: number,
  kStride: number,
  n: number,
  k: number,
  c: Float64Array,
  to: number,
): void {
  c.fill(0, to, to + n);
  for (let i = 0; i < k; i++) {
    const value = x[from + i * xStride]!;
    let at = columnStart + i * kStride;
    for (let column = to; column < to + n; column++) {
      c[column]! += value * y[at]!;
      at += columnStride;
    }
  }
}
