import { AttentionProblem, Matrices, pack, QUERIES } from './attention-problem';
import { addPanelProduct, packedLength, PANEL, panelsOf, storeProduct } from './gemm';
import type { Call, Kernel } from './kernel';

/**
 * The gradients of attention for query, key and value, each item's beside each other. The weights are computed again
 * for a few queries at a time, whole rows of them, in doubles.
 */
export const attentionGrad: Kernel = (call: Call) => {
  const problem = new AttentionProblem(call, 1, (width, valueWidth) => 3 * width + 2 * valueWidth);
  const { q, k, v, queries, keys, items, tile, tiles, scale } = problem;
  const g = new Matrices(call.inputs[0]!);
  const out = call.outputs[0]!;
  const [width, valueWidth] = [q.columns, v.columns];
  const ofItem = (queries + keys) * width + keys * valueWidth;
  call.checkShape(g.view, [...problem.batch, queries, valueWidth], 'the gradient');
  call.checkShape(out, [...problem.batch, ofItem], 'the output');
  const pitch = panelsOf(width) * PANEL;
  const valuePitch = panelsOf(valueWidth) * PANEL;
  const stride = panelsOf(keys) * PANEL;

  const part = (item: number, first: number): void => {
    const { workspace } = call;
    const rows = Math.min(tile, queries - first);
    const keyRows = workspace.scratch(0, packedLength(keys, width));
    const keyColumns = workspace.scratch(1, keys * pitch);
    const valueRows = workspace.scratch(2, packedLength(keys, valueWidth));
    const keySums = workspace.scratch(3, stride * pitch);
    const valueSums = workspace.scratch(4, stride * valuePitch);
    if (first === 0) {
      k.packRows(keyRows, item, 0, keys);
      k.packColumns(keyColumns, item, 0, keys);
      v.packRows(valueRows, item, 0, keys);
      keySums.fill(0, 0, stride * pitch);
      valueSums.fill(0, 0, stride * valuePitch);
    }
    const weights = workspace.scratch(5, QUERIES * stride);
    const scoresGrad = workspace.scratch(6, QUERIES * stride);
    /** Some queries' rows, or their columns, of q or g; or of the two above. */
    const packed = workspace.scratch(7, QUERIES * Math.max(pitch, valuePitch, stride));
    const packedColumns = workspace.scratch(8, QUERIES * Math.max(pitch, valuePitch));

    q.packRows(packed, item, first, rows, scale);
    multiply(packed, rows, keyRows, keys, width, weights);
    g.packRows(packed, item, first, rows);
    multiply(packed, rows, valueRows, keys, valueWidth, scoresGrad);
    for (let row = 0; row < rows; row++) {
      problem.maskScores(item, first + row, 0, keys, weights, row * stride);
      throughSoftmax(weights, scoresGrad, row * stride, keys);
    }

    pack(packed, weights, 0, keys, 1, rows, stride, 1);
    g.packColumns(packedColumns, item, first, rows);
    addPanelProduct(packed, 0, panelsOf(keys), packedColumns, panelsOf(valueWidth), rows, valueSums, 0);
    pack(packed, scoresGrad, 0, keys, 1, rows, stride, scale);
    q.packColumns(packedColumns, item, first, rows);
    addPanelProduct(packed, 0, panelsOf(keys), packedColumns, panelsOf(width), rows, keySums, 0);

    pack(packed, scoresGrad, 0, rows, stride, keys, 1, scale);
    const querySums = workspace.scratch(9, QUERIES * pitch);
    multiply(packed, rows, keyColumns, width, keys, querySums);
    const to = out.offset + item * ofItem;
    storeProduct(querySums, 0, rows, width, pitch, out.floats, to + first * width, width, 1);
    if (first + rows < queries) return;
    const afterQueries = to + queries * width;
    storeProduct(keySums, 0, keys, width, pitch, out.floats, afterQueries, width, 1);
    storeProduct(valueSums, 0, keys, valueWidth, valuePitch, out.floats, afterQueries + keys * width, valueWidth, 1);
  };
  // Without queries the gradients of keys and values are 0.
  if (queries === 0)
    return { parts: out.size === 0 ? 0 : 1, run: () => out.floats.fill(0, out.offset, out.offset + out.size) };
  return {
    parts: out.size === 0 ? 0 : items * tiles,
    run: (index) => part(Math.floor(index / tiles), (index % tiles) * tile),
  };
};

/** c = A B of packed panels, its rows as far apart as the panels of B are wide. */
function multiply(a: Float64Array, rows: number, b: Float64Array, columns: number, k: number, c: Float64Array): void {
  c.fill(0, 0, panelsOf(rows) * PANEL * panelsOf(columns) * PANEL);
  addPanelProduct(a, 0, panelsOf(rows), b, panelsOf(columns), k, c, 0);
}

/** A query's scores become weights w, and the gradient d for these that for the scores: w (d - Σ w d). */
function throughSoftmax(weights: Float64Array, grad: Float64Array, from: number, n: number): void {
  let most = -Infinity;
  for (let i = from; i < from + n; i++) most = Math.max(most, weights[i]!);
  let sum = 0;
  for (let i = from; i < from + n; i++) {
    const power = Math.exp(weights[i]! - most);
    weights[i] = power;
    sum += power;
  }
  let mean = 0;
  for (let i = from; i < from + n; i++) {
    weights[i]! /= sum;
    mean += weights[i]! * grad[i]!;
  }
  for (let i = from; i < from + n; i++) grad[i] = weights[i]! * (grad[i]! - mean);
}
