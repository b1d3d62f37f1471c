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

/** Where every block alive is smaller, trying further orders costs more time than the bytes are worth. */
const SMALL_BYTES = 16 * 1024;
/** Placing takes time with the square of the blocks alive together: beyond this many only one order is tried. */
const MANY_BLOCKS = 4096;

/** The most bytes that are alive during one instruction: no layout has less. */
export function lowerBound(blocks: readonly Block[]): number {
  const changes = new Map<number, number>();
  for (const { first, last, bytes } of blocks) {
    changes.set(first, (changes.get(first) ?? 0) + bytes);
    changes.set(last + 1, (changes.get(last + 1) ?? 0) - bytes);
  }
  let alive = 0;
  let most = 0;
  for (const [, change] of [...changes].sort(([a], [b]) => a - b)) {
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
export function layOut(blocks: readonly Block[]): ArenaLayout {
  const bound = lowerBound(blocks);
  let best: ArenaLayout | null = null;
  for (const order of blocks.length > MANY_BLOCKS ? orders.slice(0, 1) : orders) {
    const layout = place(blocks, order);
    if (best === null || layout.bytes < best.bytes) best = layout;
    if (best.bytes - bound < SMALL_BYTES) break;
  }
  return best!;
}

/** In the given order each block goes to the lowest offset that is free for all of its life. */
function place(blocks: readonly Block[], order: (a: Block, b: Block) => number): ArenaLayout {
  const offsets = new Array<number>(blocks.length).fill(0);
  // By offset: one pass finds the first gap among those alive at the same time, and mostly stops early.
  const placed: number[] = [];
  let total = 0;
  const indices = blocks.map((_, index) => index).sort((a, b) => order(blocks[a]!, blocks[b]!) || a - b);
  for (const index of indices) {
    const { first, last, bytes } = blocks[index]!;
    let offset = 0;
    for (let i = 0; i < placed.length; i++) {
      const other = placed[i]!;
      const taken = blocks[other]!;
      if (taken.first > last || taken.last < first) continue;
      if (offset + bytes <= offsets[other]!) break;
      offset = Math.max(offset, offsets[other]! + taken.bytes);
    }
    offsets[index] = offset;
    placed.splice(placeFor(offset, placed, offsets), 0, index);
    total = Math.max(total, offset + bytes);
  }
  return { offsets, bytes: total };
}

/** Where an offset belongs in a list of blocks that is sorted by offset. */
function placeFor(offset: number, placed: readonly number[], offsets: readonly number[]): number {
  let [low, high] = [0, placed.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (offsets[placed[middle]!]! <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
