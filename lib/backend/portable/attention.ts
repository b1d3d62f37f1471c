import { AttentionProblem, pack, QUERIES } from './attention-problem';
import { addPanelProduct, packedLength, PANEL, panelsOf, storeProduct } from './gemm';
import type { Call, Kernel } from './kernel';

/** Keys of a tile. */
const KEYS = 128;

/**
 * Attention for a few queries at a time, in doubles: the keys go by in tiles, and a running maximum corrects what was
 * summed before (online softmax: Milakov and Gimelshein 2018; Dao et al., FlashAttention, 2022).
 */
export const attention: Kernel = (call: Call) => {
  const problem = new AttentionProblem(call, 0, (width, valueWidth) => width + valueWidth);
  const { q, k, v, queries, keys, items, tile, tiles } = problem;
  const [width, valueWidth] = [q.columns, v.columns];
  const out = call.outputs[0]!;
  call.checkShape(out, [...problem.batch, queries, valueWidth], 'the output');
  const pitch = panelsOf(valueWidth) * PANEL;

  /** All keys and values of an item, tile by tile: its queries share them. */
  const packItem = (item: number, packedKeys: Float64Array, packedValues: Float64Array): void => {
    for (let key = 0; key < keys; key += KEYS) {
      const count = Math.min(KEYS, keys - key);
      k.packRows(packedKeys.subarray(key * width), item, key, count);
      v.packColumns(packedValues.subarray(key * pitch), item, key, count);
    }
  };

  const attend = (item: number, first: number): void => {
    const { workspace } = call;
    const rows = Math.min(tile, queries - first);
    const packedKeys = workspace.scratch(0, packedLength(keys, width));
    const packedValues = workspace.scratch(1, keys * pitch);
    const packedQueries = workspace.scratch(2, packedLength(QUERIES, width));
    const scores = workspace.scratch(3, QUERIES * KEYS);
    const weights = workspace.scratch(4, QUERIES * KEYS);
    const sums = workspace.scratch(5, QUERIES * pitch);
    const maxima = workspace.scratch(6, 2 * QUERIES);
    if (first === 0) packItem(item, packedKeys, packedValues);
    q.packRows(packedQueries, item, first, rows, problem.scale);
    sums.fill(0, 0, QUERIES * pitch);
    maxima.fill(-Infinity, 0, QUERIES);
    maxima.fill(0, QUERIES, 2 * QUERIES);
    for (let key = 0; key < keys; key += KEYS) {
      const count = Math.min(KEYS, keys - key);
      const stride = panelsOf(count) * PANEL;
      scores.fill(0, 0, panelsOf(rows) * PANEL * stride);
      const tileOfKeys = packedKeys.subarray(key * width);
      addPanelProduct(packedQueries, 0, panelsOf(rows), tileOfKeys, panelsOf(count), width, scores, 0);
      for (let row = 0; row < rows; row++) {
        problem.maskScores(item, first + row, key, count, scores, row * stride);
        weigh(scores, row * stride, count, maxima, row, sums, row * pitch, valueWidth);
      }
      pack(weights, scores, 0, rows, stride, count, 1, 1);
      addPanelProduct(
        weights,
        0,
        panelsOf(rows),
        packedValues.subarray(key * pitch),
        panelsOf(valueWidth),
        count,
        sums,
        0,
      );
    }
    for (let row = 0; row < rows && keys > 0; row++)
      for (let i = 0; i < valueWidth; i++) sums[row * pitch + i]! /= maxima[QUERIES + row]!;
    const to = out.offset + (item * queries + first) * valueWidth;
    storeProduct(sums, 0, rows, valueWidth, pitch, out.floats, to, valueWidth, 1);
  };
  return {
    parts: out.size === 0 ? 0 : items * tiles,
    run: (part) => attend(Math.floor(part / tiles), (part % tiles) * tile),
  };
};

/**
 * Scores become e^(score - maximum so far), and what was summed before is corrected to that maximum. Behind the maxima
 * stand the sums of the terms.
 */
function weigh(
  scores: Float64Array,
  from: number,
  count: number,
  maxima: Float64Array,
  row: number,
  sums: Float64Array,
  to: number,
  width: number,
): void {
  const before = maxima[row]!;
  let most = before;
  for (let i = from; i < from + count; i++) most = Math.max(most, scores[i]!);
  // Nothing seen yet: all terms are e^-Infinity, but -Infinity - -Infinity would be NaN.
  const shift = most === -Infinity ? 0 : most;
  let sum = 0;
  for (let i = from; i < from + count; i++) {
    const power = Math.exp(scores[i]! - shift);
    scores[i] = power;
    sum += power;
  }
  const factor = before === most || before === -Infinity ? 1 : Math.exp(before - shift);
  maxima[row] = most;
  maxima[QUERIES + row] = maxima[QUERIES + row]! * factor + sum;
  if (factor !== 1) for (let i = to; i < to + width; i++) sums[i]! *= factor;
}
