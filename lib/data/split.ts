import { ValueError } from '../errors';
import { permutation } from '../tensor/philox';

export interface Split {
  /** The indices that stay, ascending. */
  readonly train: Int32Array;
  /** The indices held out, ascending. */
  readonly test: Int32Array;
}

/**
 * Holds out `fraction` of the examples, of each class its share (to within one example), chosen by `seed` alone.
 * Throws a ValueError for a fraction outside (0, 1), a seed that is no integer of at least 0, or a negative label.
 *
 *     const { train, test } = stratifiedSplit(labels, 0.2, 1);
 *     test.length; // a fifth of labels.length, rounded
 */
export function stratifiedSplit(labels: Int32Array, fraction: number, seed: number): Split {
  if (!(fraction > 0 && fraction < 1))
    throw new ValueError(`stratifiedSplit: fraction is between 0 and 1, got ${fraction}`);
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new ValueError(`stratifiedSplit: seed is an integer of at least 0, got ${seed}`);
  const isHeldOut = new Uint8Array(labels.length);
  let seen = 0;
  let heldOut = 0;
  for (const [label, members] of membersByLabel(labels)) {
    // The running total is rounded, not each class, so that the whole is right too.
    seen += members.length;
    const count = Math.round(seen * fraction) - heldOut;
    heldOut += count;
    const order = new Int32Array(members.length);
    permutation(seed, label, members.length, order);
    for (let i = 0; i < count; i++) isHeldOut[members[order[i]!]!] = 1;
  }
  const indices = Int32Array.from(labels.keys());
  return { train: indices.filter((i) => isHeldOut[i] === 0), test: indices.filter((i) => isHeldOut[i] === 1) };
}

/** Which examples have each label, labels ascending. */
function membersByLabel(labels: Int32Array): [number, number[]][] {
  const members = new Map<number, number[]>();
  labels.forEach((label, index) => {
    if (label < 0) throw new ValueError(`stratifiedSplit: label ${label} at index ${index} is negative`);
    const list = members.get(label);
    if (list === undefined) members.set(label, [index]);
    else list.push(index);
  });
  return [...members].sort(([a], [b]) => a - b);
}
