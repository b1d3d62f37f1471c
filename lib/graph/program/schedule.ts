import { IntegerHeap } from './heap';
import type { Instruction } from './program';

interface Problem {
  /** For each instruction the buffers of the arena that it reads or writes, each once. */
  readonly touched: readonly (readonly number[])[];
  /** For each instruction those that must come before it, perhaps some twice. */
  readonly before: readonly (readonly number[])[];
  /** For each buffer its bytes in the arena; 0 for others. */
  readonly bytes: ArrayLike<number>;
}

/**
 * Two other orders of instructions, as lists of indices, in which each still comes behind what makes what it reads; those
 * that check data keep theirs. In the first, what frees memory comes as soon as it can: a layer's weight gradient, the last to
 * read its input, before the gradient that flows on. In the second, what takes memory comes as late as it can.
 */
export function orders(
  instructions: readonly (Instruction & { readonly site: number })[],
  bytes: ArrayLike<number>,
): number[][] {
  const writers = new Map<number, number>();
  const before: number[][] = [];
  let checked = -1;
  instructions.forEach(({ inputs, outputs, site }, index) => {
    const needed: number[] = [];
    for (const { buffer } of inputs) {
      const writer = writers.get(buffer);
      if (writer !== undefined) needed.push(writer);
    }
    if (site >= 0) {
      if (checked >= 0) needed.push(checked);
      checked = index;
    }
    before.push(needed);
    for (const { buffer } of outputs) writers.set(buffer, index);
  });
  const touched = instructions.map(({ inputs, outputs }) => {
    const buffers = new Set<number>();
    for (const { buffer } of inputs) if (bytes[buffer]! > 0) buffers.add(buffer);
    for (const { buffer } of outputs) if (bytes[buffer]! > 0) buffers.add(buffer);
    return [...buffers];
  });
  const problem = { touched, before, bytes };
  const fromBack = inOrder(reversed(problem));
  return [inOrder(problem), fromBack.map((index) => instructions.length - 1 - index).reverse()];
}

/** The same problem from the back, where what makes a buffer is the last to need it. */
function reversed({ touched, before, bytes }: Problem): Problem {
  const last = touched.length - 1;
  const after: number[][] = touched.map(() => []);
  before.forEach((list, index) => list.forEach((earlier) => after[last - earlier]!.push(last - index)));
  return { touched: touched.toReversed(), before: after, bytes };
}

/** Of the instructions that may come next the first that needs no more memory than it frees, or else the first. */
function inOrder({ touched, before, bytes }: Problem): number[] {
  const waitsFor = Int32Array.from(before, ({ length }) => length);
  const after: number[][] = touched.map(() => []);
  before.forEach((list, index) => list.forEach((earlier) => after[earlier]!.push(index)));
  const users: number[][] = Array.from(bytes, () => []);
  touched.forEach((buffers, index) => buffers.forEach((buffer) => users[buffer]!.push(index)));
  const left = Int32Array.from(users, ({ length }) => length);
  const alive = new Uint8Array(bytes.length);

  const done = new Uint8Array(touched.length);
  const isOffered = new Uint8Array(touched.length);
  const [small, large] = [new IntegerHeap(), new IntegerHeap()];
  const offer = (index: number): void => {
    let growth = 0;
    for (const buffer of touched[index]!) {
      if (alive[buffer] === 0) growth += bytes[buffer]!;
      if (left[buffer] === 1) growth -= bytes[buffer]!;
    }
    // Growth only ever falls, so an instruction moves at most once, from the large ones to the small.
    if (growth <= 0) small.push(index);
    else if (isOffered[index] === 0) large.push(index);
    isOffered[index] = 1;
  };
  waitsFor.forEach((count, index) => {
    if (count === 0) offer(index);
  });

  const order: number[] = [];
  for (let next = small.pop() ?? large.pop(); next !== undefined; next = small.pop() ?? large.pop()) {
    if (done[next] === 1) continue;
    done[next] = 1;
    order.push(next);
    for (const later of after[next]!) waitsFor[later]!--;
    const changed = new Set(after[next]);
    for (const buffer of touched[next]!) {
      const isLast = --left[buffer]! === 1;
      if (alive[buffer] === 0 || isLast) for (const user of users[buffer]!) changed.add(user);
      alive[buffer] = 1;
    }
    for (const other of changed) if (waitsFor[other] === 0 && done[other] === 0) offer(other);
  }
  return order;
}
