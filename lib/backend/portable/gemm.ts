import type { FloatArray } from './kernel';

/*
 * Matrix products on packed panels of doubles. A panel holds four rows (or four columns) side by side, so that
 * element k of all four is read at once: panel p has (row 4p + r, k) at (p K + k) 4 + r. Doubles need no conversion
 * in the inner loop, and every product of two float32 is exact in them. Every element of a product is one chain of
 * additions with ascending k, so that its bits do not depend on how the work is cut.
 */
export const PANEL = 4;

export function panelsOf(rows: number): number {
  return Math.ceil(rows / PANEL);
}

/** Doubles that the panels of a matrix take. */
export function packedLength(rows: number, k: number): number {
  return panelsOf(rows) * PANEL * k;
}

/**
 * Packs a strided matrix of rows x k as the rows from `firstRow` and the elements from `firstK` of panels whose rows have
 * `totalK` elements.
 */
export function packPanels(
  packed: Float64Array,
  totalK: number,
  firstRow: number,
  firstK: number,
  source: FloatArray,
  offset: number,
  rows: number,
  rowStride: number,
  k: number,
  kStride: number,
): void {
  let row = 0;
  if (firstRow % PANEL === 0)
    for (; row + PANEL <= rows; row += PANEL)
      packFourRows(
        packed,
        (firstRow + row) * totalK + firstK * PANEL,
        source,
        offset + row * rowStride,
        rowStride,
        k,
        kStride,
      );
  for (; row < rows; row++) {
    let to = panelPosition(firstRow + row, totalK) + firstK * PANEL;
    let from = offset + row * rowStride;
    for (let i = 0; i < k; i++) {
      packed[to] = source[from]!;
      to += PANEL;
      from += kStride;
    }
  }
}

function packFourRows(
  packed: Float64Array,
  to: number,
  source: FloatArray,
  row0: number,
  rowStride: number,
  k: number,
  kStride: number,
): void {
  let row1 = row0 + rowStride;
  let row2 = row1 + rowStride;
  let row3 = row2 + rowStride;
  for (let i = 0; i < k; i++) {
    packed[to] = source[row0]!;
    packed[to + 1] = source[row1]!;
    packed[to + 2] = source[row2]!;
    packed[to + 3] = source[row3]!;
    to += PANEL;
    row0 += kStride;
    row1 += kStride;
    row2 += kStride;
    row3 += kStride;
  }
}

/** Where a row's first element is. */
export function panelPosition(row: number, k: number): number {
  const lane = row % PANEL;
  return (row - lane) * k + lane;
}

/** Zeros for the rows that the last panel lacks; to be called before it is packed. */
export function clearLastPanel(packed: Float64Array, rows: number, k: number): void {
  if (rows % PANEL !== 0) packed.fill(0, Math.floor(rows / PANEL) * PANEL * k, packedLength(rows, k));
}

/** At least one panel of at most `size` rows, but not more than all of them. */
export function clampToPanels(size: number, all: number): number {
  const panels = Math.max(1, Math.floor(size / PANEL));
  return Math.min(panels * PANEL, Math.max(1, all));
}

/**
 * Adds to c[i, j] the sum over k of a[i, k] b[j, k], for the row panels firstPanel .. endPanel of a and all column
 * panels of b. c has room for whole panels; its rows are 4 columnPanels apart, and that of firstPanel begins at `offset`.
 */
export function addPanelProduct(
  a: Float64Array,
  firstPanel: number,
  endPanel: number,
  b: Float64Array,
  columnPanels: number,
  k: number,
  c: Float64Array,
  offset: number,
): void {
  const stride = columnPanels * PANEL;
  for (let column = 0; column < columnPanels; column++)
    for (let row = firstPanel; row < endPanel; row++) {
      const to = offset + ((row - firstPanel) * stride + column) * PANEL;
      addTile(a, row * PANEL * k, b, column * PANEL * k, k, c, to, stride);
    }
}

/** Adds the product of two panels to a tile of 4 x 4. */
function addTile(
  a: Float64Array,
  i: number,
  b: Float64Array,
  j: number,
  k: number,
  c: Float64Array,
  to: number,
  stride: number,
): void {
  let c00 = c[to]!;
  let c01 = c[to + 1]!;
  let c02 = c[to + 2]!;
  let c03 = c[to + 3]!;
  const row1 = to + stride;
  let c10 = c[row1]!;
  let c11 = c[row1 + 1]!;
  let c12 = c[row1 + 2]!;
  let c13 = c[row1 + 3]!;
  const row2 = row1 + stride;
  let c20 = c[row2]!;
  let c21 = c[row2 + 1]!;
  let c22 = c[row2 + 2]!;
  let c23 = c[row2 + 3]!;
  const row3 = row2 + stride;
  let c30 = c[row3]!;
  let c31 = c[row3 + 1]!;
  let c32 = c[row3 + 2]!;
  let c33 = c[row3 + 3]!;
  for (let n = 0; n < k; n++) {
    const b0 = b[j]!;
    const b1 = b[j + 1]!;
    const b2 = b[j + 2]!;
    const b3 = b[j + 3]!;
    let x = a[i]!;
    c00 += x * b0;
    c01 += x * b1;
    c02 += x * b2;
    c03 += x * b3;
    x = a[i + 1]!;
    c10 += x * b0;
    c11 += x * b1;
    c12 += x * b2;
    c13 += x * b3;
    x = a[i + 2]!;
    c20 += x * b0;
    c21 += x * b1;
    c22 += x * b2;
    c23 += x * b3;
    x = a[i + 3]!;
    c30 += x * b0;
    c31 += x * b1;
    c32 += x * b2;
    c33 += x * b3;
    i += PANEL;
    j += PANEL;
  }
  c[to] = c00;
  c[to + 1] = c01;
  c[to + 2] = c02;
  c[to + 3] = c03;
  c[row1] = c10;
  c[row1 + 1] = c11;
  c[row1 + 2] = c12;
  c[row1 + 3] = c13;
  c[row2] = c20;
  c[row2 + 1] = c21;
  c[row2 + 2] = c22;
  c[row2 + 3] = c23;
  c[row3] = c30;
  c[row3 + 1] = c31;
  c[row3 + 2] = c32;
  c[row3 + 3] = c33;
}

/** Copies rows x columns of c from `first`, whose rows are cStride apart, to where they belong, rounded to its dtype. */
export function storeProduct(
  c: Float64Array,
  first: number,
  rows: number,
  columns: number,
  cStride: number,
  out: FloatArray,
  offset: number,
  rowStride: number,
  columnStride: number,
): void {
  for (let row = 0; row < rows; row++) {
    const from = first + row * cStride;
    let to = offset + row * rowStride;
    for (let column = 0; column < columns; column++) {
      out[to] = c[from + column]!;
      to += columnStride;
    }
  }
}
