import type { LoweredInstruction, Slot } from './lower';
import { arenaBytes } from './overwrite';
import type { View } from './program';

/** Slots of less than this share of all that is in use at once are kept. */
const WORTHWHILE = 1 / 1024;
/** So many instructions, one reading the other, may be run again for one result. */
const DEPTH = 4;

/**
 * Results that are read long before and long after the moment when most memory is in use, as activations in the forward and the
 * backward pass, need not be kept in between: where they are cheap, and what they are made of is there anyway, the instructions
 * that make them run again just before they are read (Chen et al., "Training deep nets with sublinear memory cost", 2016). The
 * numbers are the same. `isKept` are slots that are there all the time. Null where there are none.
 */
export function recomputing(
  instructions: readonly LoweredInstruction[],
  slots: readonly Slot[],
  isKept: (slot: number) => boolean,
): { readonly instructions: readonly LoweredInstruction[]; readonly slots: readonly Slot[] } | null {
  const lives = livesOf(instructions, slots.length);
  const peak = peakOf(lives, slots, isKept);
  const isSmall = (slot: number): boolean => arenaBytes(slots[slot]!) < WORTHWHILE * peak.bytes;
  const again = new Set<number>();
  for (const [slot, life] of lives.entries()) {
    if (isKept(slot) || life.writer < 0 || isSmall(slot)) continue;
    const late = life.reads.find((time) => time > peak.time);
    if (late === undefined || life.writer >= peak.time) continue;
    const needed = needs(slot, late, DEPTH);
    if (needed !== null) for (const one of needed) again.add(one);
  }

  /** The instructions that make a slot again at some time, as the slots that they write; null if that is not cheap or not possible. */
  function needs(slot: number, at: number, depth: number): number[] | null {
    const { writer } = lives[slot]!;
    if (writer < 0 || depth === 0 || !isCheap(instructions[writer]!)) return null;
    const made = instructions[writer]!.outputs.map(({ buffer }) => buffer);
    if (made.some(isKept)) return null;
    for (const { buffer } of instructions[writer]!.inputs) {
      if (isKept(buffer) || isSmall(buffer) || (lives[buffer]!.last >= at && !again.has(buffer))) continue;
      const below = needs(buffer, at, depth - 1);
      if (below === null) return null;
      made.push(...below);
    }
    return made;
  }

  if (again.size === 0) return null;
  return rewrite(instructions, slots, again, lives, peak.time);
}

interface Life {
  /** The only instruction that writes it; -1 for none, or several. */
  writer: number;
  readonly reads: number[];
  last: number;
}

function livesOf(instructions: readonly LoweredInstruction[], count: number): Life[] {
  const lives = Array.from({ length: count }, (): Life => ({ writer: -1, reads: [], last: -1 }));
  const written = new Set<number>();
  instructions.forEach(({ inputs, outputs }, time) => {
    for (const { buffer } of inputs) {
      lives[buffer]!.reads.push(time);
      lives[buffer]!.last = time;
    }
    for (const { buffer } of outputs) {
      lives[buffer]!.writer = written.has(buffer) ? -1 : time;
      lives[buffer]!.last = time;
      written.add(buffer);
    }
  });
  return lives;
}

/** When most memory is in use, and how much that is. */
function peakOf(
  lives: readonly Life[],
  slots: readonly Slot[],
  isKept: (slot: number) => boolean,
): { time: number; bytes: number } {
  const changes = new Map<number, number>();
  const change = (time: number, bytes: number): void => void changes.set(time, (changes.get(time) ?? 0) + bytes);
  for (const [slot, { writer, last }] of lives.entries()) {
    if (writer < 0 || isKept(slot)) continue;
    change(writer, arenaBytes(slots[slot]!));
    change(last + 1, -arenaBytes(slots[slot]!));
  }
  let [time, bytes, used] = [0, 0, 0];
  for (const [at, by] of [...changes].sort(([a], [b]) => a - b)) {
    used += by;
    if (used > bytes) [time, bytes] = [at, used];
  }
  return { time, bytes };
}

/** Bound by memory: steps of byte code, and normalisation with statistics that are there. */
function isCheap({ kernel, site }: LoweredInstruction): boolean {
  return site < 0 && (kernel === 'elementwise' || kernel === 'batchNorm');
}

/** Behind the peak, slots that are made again have new ones, made just before they are read for the first time. */
function rewrite(
  instructions: readonly LoweredInstruction[],
  slots: readonly Slot[],
  again: ReadonlySet<number>,
  lives: readonly Life[],
  peak: number,
): { instructions: LoweredInstruction[]; slots: Slot[] } {
  const all = [...slots];
  const result: LoweredInstruction[] = [];
  const renamed = new Map<number, number>();
  const moved = (view: View): View => ({ ...view, buffer: renamed.get(view.buffer) ?? view.buffer });
  const makeAgain = (slot: number): void => {
    if (!again.has(slot) || renamed.has(slot)) return;
    const instruction = instructions[lives[slot]!.writer]!;
    for (const { buffer } of instruction.inputs) makeAgain(buffer);
    for (const { buffer } of instruction.outputs) renamed.set(buffer, all.push({ ...slots[buffer]!, leaf: -1 }) - 1);
    result.push({ ...instruction, inputs: instruction.inputs.map(moved), outputs: instruction.outputs.map(moved) });
  };
  instructions.forEach((instruction, time) => {
    if (time <= peak) {
      result.push(instruction);
      return;
    }
    for (const { buffer } of instruction.inputs) makeAgain(buffer);
    result.push({ ...instruction, inputs: instruction.inputs.map(moved) });
  });
  return { instructions: result, slots: all };
}
