import type { Slices } from './slices';

/** Memory that one value, or several one after the other, need from one instruction to another, both included. */
export interface Block {
  readonly first: number;
  readonly last: number;
  readonly bytes: number;
}

export interface ArenaLayout {
  /** For each block, in bytes. */
  readonly offsets: readonly number[];
  readonly bytes: number;
}

/** A layout this close to the lower bound is good enough: further orders would cost time for little. */
const CLOSE = 1.02;
const CLOSE_BYTES = 16 * 1024;
/** After so many comparisons no further order is tried. */
const MOST_COMPARISONS = 2_000_000;

/** The most bytes that are alive during one instruction: no layout has less. */
export function lowerBound(blocks: readonly Block[]): number {
  const changes = new Float64Array(2 + blocks.reduce((latest, { last }) => Math.max(latest, last), -1));
  for (const { first, last, bytes } of blocks) {
    changes[first]! += bytes;
    changes[last + 1]! -= bytes;
  }
  let alive = 0;
  let most = 0;
  for (const change of changes) {
    alive += change;
    most = Math.max(most, alive);
  }
  return most;
}

const lifetime = ({ first, last }: Block): number => last - first + 1;

/** Orders of placing: dynamic storage allocation is NP-hard, and each of these is the best on some programs. */
const orders: readonly ((a: Block, b: Block) => number)[] = [
  (a, b) => b.bytes - a.bytes || a.first - b.first,
  (a, b) => b.bytes * lifetime(b) - a.bytes * lifetime(a) || a.first - b.first,
  (a, b) => lifetime(b) - lifetime(a) || b.bytes - a.bytes,
  (a, b) => a.first - b.first || lifetime(b) - lifetime(a),
  (a, b) => b.last - a.last || lifetime(b) - lifetime(a),
];

/** Offsets at which no two blocks that are alive at the same time overlap: the best of several orders of placing. */
export function* layOut(blocks: readonly Block[]): Slices<ArenaLayout> {
  const bound = lowerBound(blocks);
  const enough = Math.max(CLOSE * bound, bound + CLOSE_BYTES);
  let best: ArenaLayout | null = null;
  let comparisons = 0;
  for (const order of orders) {
    const layout = place(blocks, order);
    comparisons += layout.comparisons;
    if (best === null || layout.bytes < best.bytes) best = layout;
    if (best.bytes <= enough || comparisons > MOST_COMPARISONS) break;
    yield;
  }
  return best!;
}

/** In the given order each block goes to the lowest offset that is free for all of its life. */
function place(
  blocks: readonly Block[],
  order: (a: Block, b: Block) => number,
): ArenaLayout & { readonly comparisons: number } {
  const count = blocks.length;
  const sorted = blocks.map((_, index) => index).sort((a, b) => order(blocks[a]!, blocks[b]!) || a - b);
  const offsets = new Array<number>(count).fill(0);
  // Those that have a place, by offset: one pass finds the first gap among those alive at the same time.
  const [firsts, lasts] = [new Int32Array(count), new Int32Array(count)];
  const [starts, ends] = [new Float64Array(count), new Float64Array(count)];
  let total = 0;
  let comparisons = 0;
  for (let placed = 0; placed < count; placed++) {
    const index = sorted[placed]!;
    const { first, last, bytes } = blocks[index]!;
    let offset = 0;
    let at = 0;
    for (; at < placed; at++) {
      if (firsts[at]! > last || lasts[at]! < first) continue;
      if (offset + bytes <= starts[at]!) break;
      if (ends[at]! > offset) offset = ends[at]!;
    }
    comparisons += at;
    // All before the gap start below it, but so may some behind.
    while (at > 0 && starts[at - 1]! > offset) at--;
    while (at < placed && starts[at]! <= offset) at++;
    for (const list of [firsts, lasts, starts, ends]) list.copyWithin(at + 1, at, placed);
    firsts[at] = first;
    lasts[at] = last;
    starts[at] = offset;
    ends[at] = offset + bytes;
    offsets[index] = offset;
    total = Math.max(total, offset + bytes);
  }
  return { offsets, bytes: total, comparisons };
}
