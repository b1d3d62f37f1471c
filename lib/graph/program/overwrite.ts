import { dtypes } from '../../tensor/dtype';
import type { Block } from './arena';
import { readByteCode, type ByteCode } from './elementwise';
import type { LoweredInstruction, Slot } from './lower';
import { eachInSlices, type Slices } from './slices';

const ALIGNMENT = 64;

/** Memory that slots have one after the other. */
export interface SharedBlock extends Block {
  readonly slots: readonly number[];
}

/** For each instruction, and each of its outputs, the slots among its inputs over which it may be written if they die there. */
export type Overwritable = ReadonlyMap<LoweredInstruction, readonly (readonly number[])[]>;

/** Bytes that a slot takes. Empty ones too have a place of their own: at one offset, backends would take two for the same. */
export function arenaBytes({ dtype, length }: Pick<Slot, 'dtype' | 'length'>): number {
  return Math.max(1, Math.ceil((length * dtypes[dtype].bytes) / ALIGNMENT)) * ALIGNMENT;
}

/**
 * Which outputs may be written over which inputs, bound slots left out: an elementwise instruction may where it reads and writes
 * at the same index, and a scatter may add to its first input in place.
 */
export function* overwritable(
  instructions: readonly LoweredInstruction[],
  slots: readonly Slot[],
  isBound: (slot: number) => boolean,
): Slices<Overwritable> {
  const all = new Map<LoweredInstruction, readonly (readonly number[])[]>();
  yield* eachInSlices(instructions, (instruction) => {
    const { kernel, inputs, outputs } = instruction;
    if (kernel !== 'elementwise' && kernel !== 'scatterAdd') return;
    const inArena = inputs.map(({ buffer }) => buffer).filter((slot) => !isBound(slot));
    if (inArena.length === 0) return;
    let code: ByteCode | null = null;
    const mayBe = (input: number, output: number): boolean => {
      if (!isSameSize(slots[input]!, slots[outputs[output]!.buffer]!)) return false;
      const reads = inputs.flatMap(({ buffer }, index) => (buffer === input ? [index] : []));
      if (kernel === 'scatterAdd') return reads.length === 1 && reads[0] === 0;
      return readsBeforeWrite(instruction, (code ??= readByteCode(instruction)), output, reads);
    };
    all.set(
      instruction,
      outputs.map(({ buffer }, output) => (isBound(buffer) ? [] : inArena.filter((input) => mayBe(input, output)))),
    );
  });
  return all;
}

function isSameSize(a: Slot, b: Slot): boolean {
  return a.length === b.length && dtypes[a.dtype].bytes === dtypes[b.dtype].bytes;
}

/**
 * Of some memory, which the instruction reads as its inputs `reads`, only the segment that makes `output` reads, each element
 * where it is written, and no step behind the one that writes it.
 */
export function readsBeforeWrite(
  instruction: LoweredInstruction,
  { inputs, outputs, steps, outputRegisters, folds }: ByteCode,
  output: number,
  reads: readonly number[],
): boolean {
  if (reads.length === 0) return true;
  if (folds[output % outputs] !== 0) return false;
  const { shape, offset, strides } = instruction.outputs[output]!;
  const segment = Math.floor(output / outputs);
  for (const index of reads) {
    const view = instruction.inputs[index]!;
    const isSameIndex = shape.every((size, dim) => size === 1 || view.strides[dim] === strides[dim]);
    if (Math.floor(index / inputs) !== segment || view.offset !== offset || !isSameIndex) return false;
  }
  const registers = reads.map((index) => index % inputs);
  const written = steps.findIndex(({ destination }) => destination === outputRegisters[output % outputs]);
  return !steps.slice(written + 1).some(({ operands }) => operands.some((register) => registers.includes(register)));
}

/**
 * The memory that slots need, except bound ones: each from the instruction that makes it to the last that reads it. One that
 * is written over another is the same block.
 */
export function blocksOf(
  instructions: readonly LoweredInstruction[],
  slots: readonly Slot[],
  isBound: (slot: number) => boolean,
  mayOverwrite: Overwritable,
): SharedBlock[] {
  const last = new Int32Array(slots.length);
  instructions.forEach(({ inputs, outputs }, time) => {
    for (const { buffer } of inputs) last[buffer] = time;
    for (const { buffer } of outputs) last[buffer] = time;
  });
  const blocks: { first: number; last: number; bytes: number; slots: number[] }[] = [];
  const blockOf = new Int32Array(slots.length).fill(-1);
  instructions.forEach((instruction, time) => {
    const candidates = mayOverwrite.get(instruction);
    const taken: number[] = [];
    instruction.outputs.forEach(({ buffer }, output) => {
      if (isBound(buffer)) return;
      const dying = candidates?.[output]!.find((slot) => {
        const block = blockOf[slot]!;
        return block >= 0 && blocks[block]!.last === time && !taken.includes(block);
      });
      const block = dying === undefined ? blocks.length : blockOf[dying]!;
      if (dying === undefined)
        blocks.push({ first: time, last: last[buffer]!, bytes: arenaBytes(slots[buffer]!), slots: [buffer] });
      else {
        blocks[block]!.last = last[buffer]!;
        blocks[block]!.slots.push(buffer);
      }
      blockOf[buffer] = block;
      taken.push(block);
    });
  });
  return blocks;
}
