import { dtypes } from '../../tensor/dtype';
import { readByteCode } from './elementwise';
import { estimateNanoseconds } from './estimate';
import type { Lowered, LoweredInstruction, Slot } from './lower';
import type { BufferSpec, Program, View } from './program';
import { joinSegments } from './segments';

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

const ALIGNMENT = 64;

/**
 * Gives every slot its memory: leaves and roots are bound, all else shares one arena by lifetime. A root may be written
 * over the leaf that it replaces (`donors`) if nothing reads that leaf later; such instructions come last, after
 * everything that can fail.
 */
export function plan(lowered: Lowered, donors: readonly number[], scalars: number): Plan {
  const { slots, rootSlots } = lowered;
  const donorOfSlot = new Map<number, number>();
  rootSlots.forEach((slot, root) => {
    if (donors[root]! >= 0) donorOfSlot.set(slot, donors[root]!);
  });
  const instructions = writersLast(lowered.instructions, slots, donorOfSlot);
  for (const slot of [...donorOfSlot.keys()])
    if (!isOverwriteSafe(instructions, slots, slot, donorOfSlot.get(slot)!)) donorOfSlot.delete(slot);

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
  const { offsets, bytes } = layOut(slots, instructions, (slot) => bufferOfSlot.has(slot));
  for (const [index, offset] of offsets) {
    bufferOfSlot.set(index, buffers.length);
    buffers.push({ kind: 'arena', dtype: slots[index]!.dtype, length: slots[index]!.length, offset });
  }

  const place = (view: View): View => ({ ...view, buffer: bufferOfSlot.get(view.buffer)! });
  const placed = instructions.map((instruction) => ({
    kernel: instruction.kernel,
    inputs: instruction.inputs.map(place),
    outputs: instruction.outputs.map(place),
    attributes: instruction.attributes,
    label: instruction.label,
  }));
  const program = {
    buffers,
    instructions: placed,
    scalars,
    arenaBytes: bytes,
    estimatedNanoseconds: placed.reduce((sum, instruction) => sum + estimateNanoseconds(instruction), 0),
  };
  return {
    program,
    bindings,
    rootOutputs: rootSlots.map((slot) => outputOfSlot.get(slot)!),
    outputs: outputSlots.map((slot) => ({ slot: slots[slot]!, donor: donorOfSlot.get(slot) ?? -1 })),
    sites: instructions.map((instruction) => instruction.site),
  };
}

/** Moves what overwrites state, and what depends on it, behind everything else; equal regions of it become one. */
function writersLast(
  instructions: readonly LoweredInstruction[],
  slots: readonly Slot[],
  donorOfSlot: ReadonlyMap<number, number>,
): LoweredInstruction[] {
  if (donorOfSlot.size === 0) return [...instructions];
  const late = new Set<number>(donorOfSlot.keys());
  const first: LoweredInstruction[] = [];
  const last: LoweredInstruction[] = [];
  for (const instruction of instructions) {
    const waits = [...instruction.inputs, ...instruction.outputs].some((view) => late.has(view.buffer));
    if (waits) instruction.outputs.forEach((view) => late.add(view.buffer));
    (waits ? last : first).push(instruction);
  }
  return [...first, ...joinSegments(last, slots, donorOfSlot)];
}

/**
 * Whether `slot` may be written over the storage of `donor`: it is written once, by an elementwise instruction after which
 * nothing reads the donor, which itself reads it only at the index it writes and not after it wrote, and from
 * there on nothing can fail.
 */
function isOverwriteSafe(
  instructions: readonly LoweredInstruction[],
  slots: readonly Slot[],
  slot: number,
  donor: number,
): boolean {
  const isDonor = (view: View): boolean => slots[view.buffer]!.leaf === donor;
  const writer = instructions.findIndex((instruction) => instruction.outputs.some((view) => view.buffer === slot));
  if (writer < 0) return false;
  const instruction = instructions[writer]!;
  const output = instruction.outputs.findIndex((view) => view.buffer === slot);
  const after = instructions.slice(writer + 1);
  return (
    instructions.slice(writer).every(({ kernel }) => kernel === 'elementwise') &&
    readsBeforeWrite(instruction, output, isDonor) &&
    !after.some(({ inputs }) => inputs.some(isDonor))
  );
}

/**
 * Only the segment that makes `output` reads the donor, each element where it is overwritten, and no step behind the one
 * that writes it.
 */
function readsBeforeWrite(instruction: LoweredInstruction, output: number, isDonor: (view: View) => boolean): boolean {
  const { inputs, outputs, steps, outputRegisters, folds } = readByteCode(instruction);
  const { shape, offset, strides } = instruction.outputs[output]!;
  const segment = Math.floor(output / outputs);
  const donors = new Set<number>();
  for (const [index, view] of instruction.inputs.entries()) {
    if (!isDonor(view)) continue;
    const isSameIndex = shape.every((size, dim) => size === 1 || view.strides[dim] === strides[dim]);
    if (Math.floor(index / inputs) !== segment || view.offset !== offset || !isSameIndex) return false;
    donors.add(index % inputs);
  }
  if (folds[output % outputs] !== 0) return donors.size === 0;
  const written = steps.findIndex(({ destination }) => destination === outputRegisters[output % outputs]);
  return !steps.slice(written + 1).some(({ operands }) => operands.some((register) => donors.has(register)));
}

/** Offsets of all slots that are not bound: first fit, the largest first, among those alive at the same time. */
function layOut(
  slots: readonly Slot[],
  instructions: readonly LoweredInstruction[],
  isBound: (slot: number) => boolean,
): { offsets: Map<number, number>; bytes: number } {
  interface Lifetime {
    slot: number;
    first: number;
    last: number;
    bytes: number;
    offset: number;
  }
  const lifetimes = new Map<number, Lifetime>();
  instructions.forEach((instruction, time) => {
    for (const { buffer } of [...instruction.inputs, ...instruction.outputs]) {
      if (isBound(buffer)) continue;
      const known = lifetimes.get(buffer);
      if (known !== undefined) known.last = time;
      else {
        const { dtype, length } = slots[buffer]!;
        // Empty ones too have a place of their own: at one offset, backends would take two buffers for the same.
        const bytes = Math.max(1, Math.ceil((length * dtypes[dtype].bytes) / ALIGNMENT)) * ALIGNMENT;
        lifetimes.set(buffer, { slot: buffer, first: time, last: time, bytes, offset: 0 });
      }
    }
  });
  // By offset: one pass finds the first gap among those alive at the same time, and mostly stops early.
  const placed: Lifetime[] = [];
  let total = 0;
  for (const lifetime of [...lifetimes.values()].sort((a, b) => b.bytes - a.bytes || a.first - b.first)) {
    let offset = 0;
    for (let i = 0; i < placed.length; i++) {
      const other = placed[i]!;
      if (other.first > lifetime.last || other.last < lifetime.first) continue;
      if (offset + lifetime.bytes <= other.offset) break;
      offset = Math.max(offset, other.offset + other.bytes);
    }
    lifetime.offset = offset;
    placed.splice(placeFor(placed, offset), 0, lifetime);
    total = Math.max(total, offset + lifetime.bytes);
  }
  return { offsets: new Map(placed.map((lifetime) => [lifetime.slot, lifetime.offset])), bytes: total };
}

/** Where an offset belongs in a list that is sorted by offset. */
function placeFor(placed: readonly { readonly offset: number }[], offset: number): number {
  let [low, high] = [0, placed.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (placed[middle]!.offset <= offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
