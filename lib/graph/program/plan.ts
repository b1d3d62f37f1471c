import { layOut, lowerBound } from './arena';
import { readByteCode, type ByteCode } from './elementwise';
import { estimateNanoseconds } from './estimate';
import type { Lowered, LoweredInstruction, Slot } from './lower';
import { arenaBytes, blocksOf, overwritable, readsBeforeWrite, type SharedBlock } from './overwrite';
import type { BufferSpec, Instruction, Program, View } from './program';
import { recomputing } from './recompute';
import { orders } from './schedule';
import { joinSegments } from './segments';
import { eachInSlices, type Slices } from './slices';

/** A program and how its bound buffers relate to the trace it was made from. */
export interface Plan {
  readonly program: Program;
  /** For each bound buffer, in the program's order: the leaf it reads, and the output it makes (-1: none). */
  readonly bindings: readonly { readonly leaf: number; readonly output: number }[];
  /** For each root the output that holds it; two roots may share one. */
  readonly rootOutputs: readonly number[];
  readonly outputs: readonly { readonly slot: Slot; readonly donor: number }[];
  /** For each instruction the ordinal of the operation that checks data, or -1. */
  readonly sites: readonly number[];
}

/** Another order than the recorded one must save more than this. */
const CLEARLY = 0.98;
/** Below this, in bytes, instructions stay in the order in which they were recorded, which is easier to read. */
const SMALL_ARENA = 64 * 1024;
/** From here on instructions that run twice may save memory, in bytes: below, time counts more. */
const LARGE_ARENA = 32 * 2 ** 20;
/** They must save more than this, in so many rounds at most, and take no more than this of the estimated time. */
const MUCH = 0.9;
const ROUNDS = 8;
const MOST_TIME = 1.05;

/**
 * Gives every slot its memory: leaves and roots are bound, all else shares one arena by lifetime. A root may be written
 * over the leaf that it replaces (`donors`) if nothing reads that leaf later; such instructions come last, after
 * everything that can fail. Yields where it can be left for a while.
 */
export function* plan(lowered: Lowered, donors: readonly number[], scalars: number): Slices<Plan> {
  const { rootSlots } = lowered;
  const wished = new Map<number, number>();
  rootSlots.forEach((slot, root) => {
    if (donors[root]! >= 0) wished.set(slot, donors[root]!);
  });
  const ordered = writersLast(lowered.instructions, lowered.slots, wished);
  yield;
  const { instructions, blocks, slots } = yield* inLeastMemory(lowered.slots, rootSlots, ordered);
  const donorOfSlot = safeDonors(instructions, slots, wished);
  yield;

  const outputSlots = [...new Set(rootSlots)];
  const outputOfSlot = new Map(outputSlots.map((slot, output) => [slot, output]));
  const slotOfLeaf = new Map<number, number>();
  slots.forEach((slot, index) => {
    if (slot.leaf >= 0) slotOfLeaf.set(slot.leaf, index);
  });

  const buffers: BufferSpec[] = [];
  const bindings: { leaf: number; output: number }[] = [];
  const bufferOfSlot = new Map<number, number>();
  const bind = (index: number, kind: 'input' | 'output' | 'inout', leaf: number, output: number): void => {
    bufferOfSlot.set(index, buffers.length);
    buffers.push({ kind, dtype: slots[index]!.dtype, length: slots[index]!.length, offset: 0 });
    bindings.push({ leaf, output });
  };
  const overwritten = new Set(donorOfSlot.values());
  slots.forEach((slot, index) => {
    if (slot.leaf >= 0 && !overwritten.has(slot.leaf)) bind(index, 'input', slot.leaf, -1);
  });
  for (const [index, output] of outputOfSlot) {
    const donor = donorOfSlot.get(index);
    bind(index, donor === undefined ? 'output' : 'inout', donor ?? -1, output);
    const read = donor === undefined ? undefined : slotOfLeaf.get(donor);
    if (read !== undefined) bufferOfSlot.set(read, bufferOfSlot.get(index)!);
  }
  const { offsets, bytes } = yield* layOut(blocks);
  yield;
  blocks.forEach((block, i) => {
    for (const index of block.slots) {
      bufferOfSlot.set(index, buffers.length);
      buffers.push({ kind: 'arena', dtype: slots[index]!.dtype, length: slots[index]!.length, offset: offsets[i]! });
    }
  });

  const place = (view: View): View => ({ ...view, buffer: bufferOfSlot.get(view.buffer)! });
  const placed: Instruction[] = [];
  yield* eachInSlices(instructions, ({ kernel, inputs, outputs, attributes, label }) =>
    placed.push({ kernel, inputs: inputs.map(place), outputs: outputs.map(place), attributes, label }),
  );
  const program = {
    buffers,
    instructions: placed,
    scalars,
    arenaBytes: bytes,
    estimatedNanoseconds: timeOf(placed),
  };
  return {
    program,
    bindings,
    rootOutputs: rootSlots.map((slot) => outputOfSlot.get(slot)!),
    outputs: outputSlots.map((slot) => ({ slot: slots[slot]!, donor: donorOfSlot.get(slot) ?? -1 })),
    sites: instructions.map((instruction) => instruction.site),
  };
}

interface Ordered {
  readonly first: readonly LoweredInstruction[];
  readonly last: readonly LoweredInstruction[];
}

interface InMemory {
  readonly instructions: readonly LoweredInstruction[];
  readonly slots: readonly Slot[];
  readonly blocks: readonly SharedBlock[];
  readonly bytes: number;
}

/** The instructions and the arena's blocks; some instructions of `first` run twice if that saves much. */
function* inLeastMemory(slots: readonly Slot[], rootSlots: readonly number[], ordered: Ordered): Slices<InMemory> {
  const kept = yield* inBestOrder(slots, rootSlots, ordered);
  const { last } = ordered;
  // What overwrites state is a training step: it runs for long, and memory decides how large its batch can be.
  if (last.length === 0 || kept.bytes < LARGE_ARENA) return kept;
  const held = new Set([...rootSlots, ...last.flatMap(({ inputs }) => inputs.map(({ buffer }) => buffer))]);
  const most = MOST_TIME * timeOf(kept.instructions);
  let best = kept;
  // Where one moment needs less, another one needs most.
  for (let round = 0; round < ROUNDS; round++) {
    const { instructions, slots: known } = best;
    const first = instructions.slice(0, instructions.length - last.length);
    const again = recomputing(first, known, (slot) => known[slot]!.leaf >= 0 || held.has(slot));
    yield;
    if (again === null) break;
    const recomputed = yield* inBestOrder(again.slots, rootSlots, { first: again.instructions, last });
    if (recomputed.bytes >= best.bytes || timeOf(recomputed.instructions) > most) break;
    best = recomputed;
  }
  return best.bytes < MUCH * kept.bytes ? best : kept;
}

function timeOf(instructions: readonly Instruction[]): number {
  return instructions.reduce((sum, instruction) => sum + estimateNanoseconds(instruction), 0);
}

/** Those in `first` as recorded, unless another order needs clearly less memory. */
function* inBestOrder(
  slots: readonly Slot[],
  rootSlots: readonly number[],
  { first, last }: Ordered,
): Slices<InMemory> {
  const roots = new Set(rootSlots);
  const bound = slots.map(({ leaf }, slot) => leaf >= 0 || roots.has(slot));
  const isBound = (slot: number): boolean => bound[slot]!;
  const mayOverwrite = yield* overwritable([...first, ...last], slots, isBound);
  yield;
  const inOrder = (ordered: readonly LoweredInstruction[]) => {
    const instructions = [...ordered, ...last];
    const blocks = blocksOf(instructions, slots, isBound, mayOverwrite);
    return { instructions, slots, blocks, bytes: lowerBound(blocks) };
  };
  let best = inOrder(first);
  if (best.bytes <= SMALL_ARENA) return best;
  const sizes = Float64Array.from(slots, (slot, index) => (bound[index]! ? 0 : arenaBytes(slot)));
  for (const order of orders(first, sizes)) {
    yield;
    const other = inOrder(order.map((index) => first[index]!));
    if (other.bytes < CLEARLY * best.bytes) best = other;
  }
  return best;
}

/** Moves what overwrites state, and what depends on it, behind everything else; equal updates become one instruction. */
function writersLast(
  instructions: readonly LoweredInstruction[],
  slots: readonly Slot[],
  donorOfSlot: ReadonlyMap<number, number>,
): Ordered {
  if (donorOfSlot.size === 0) return { first: instructions, last: [] };
  const late = new Set<number>(donorOfSlot.keys());
  const first: LoweredInstruction[] = [];
  const last: LoweredInstruction[] = [];
  for (const instruction of instructions) {
    const waits = [...instruction.inputs, ...instruction.outputs].some((view) => late.has(view.buffer));
    if (waits) instruction.outputs.forEach((view) => late.add(view.buffer));
    (waits ? last : first).push(instruction);
  }
  return { first, last: joinSegments(last, slots, donorOfSlot) };
}

/**
 * Of the slots with donors those that may be written over them: each is written by an elementwise instruction after which nothing
 * reads the donor and nothing can fail, and which itself reads it only at the index that it writes, and before.
 */
function safeDonors(
  instructions: readonly LoweredInstruction[],
  slots: readonly Slot[],
  donorOfSlot: ReadonlyMap<number, number>,
): Map<number, number> {
  const writers = new Map<number, { index: number; output: number }>();
  // Of each leaf the last instruction that reads it, and as which of its inputs.
  const reads = new Map<number, { index: number; inputs: number[] }>();
  let lastThatFails = -1;
  instructions.forEach(({ kernel, inputs, outputs }, index) => {
    if (kernel !== 'elementwise') lastThatFails = index;
    inputs.forEach(({ buffer }, input) => {
      const { leaf } = slots[buffer]!;
      if (leaf < 0) return;
      const last = reads.get(leaf);
      if (last?.index === index) last.inputs.push(input);
      else reads.set(leaf, { index, inputs: [input] });
    });
    outputs.forEach(({ buffer }, output) => writers.set(buffer, { index, output }));
  });
  const codes = new Map<number, ByteCode>();
  const isSafe = ([slot, donor]: [number, number]): boolean => {
    const writer = writers.get(slot);
    const lastRead = reads.get(donor);
    if (writer === undefined || writer.index <= lastThatFails || (lastRead?.index ?? -1) > writer.index) return false;
    const instruction = instructions[writer.index]!;
    const code = codes.get(writer.index) ?? readByteCode(instruction);
    codes.set(writer.index, code);
    return readsBeforeWrite(instruction, code, writer.output, lastRead?.index === writer.index ? lastRead.inputs : []);
  };
  return new Map([...donorOfSlot].filter(isSafe));
}
