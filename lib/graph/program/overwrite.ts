import { dtypes } from '../../tensor/dtype';
import type { Block } from './arena';
import { readByteCode } from './elementwise';
import type { LoweredInstruction, Slot } from './lower';
import type { View } from './program';

const ALIGNMENT = 64;

/** Memory that slots have one after the other. */
export interface SharedBlock extends Block {
  readonly slots: readonly number[];
}

/** Bytes that a slot takes. Empty ones too have a place of their own: at one offset, backends would take two for the same. */
export function arenaBytes({ dtype, length }: Pick<Slot, 'dtype' | 'length'>): number {
  return Math.max(1, Math.ceil((length * dtypes[dtype].bytes) / ALIGNMENT)) * ALIGNMENT;
}

/**
 * The memory that slots need, except bound ones: each from the instruction that makes it to the last that reads it. An
 * elementwise instruction writes an output over an input that nobody reads again, where both are read and written at
 * the same index, and a scatter adds to its input in place: then they are one block.
 */
export function blocksOf(
  instructions: readonly LoweredInstruction[],
  slots: readonly Slot[],
  isBound: (slot: number) => boolean,
): SharedBlock[] {
  const last = new Map<number, number>();
  instructions.forEach(({ inputs, outputs }, time) => {
    for (const { buffer } of inputs) last.set(buffer, time);
    for (const { buffer } of outputs) last.set(buffer, time);
  });
  const blocks: { first: number; last: number; bytes: number; slots: number[] }[] = [];
  const blockOf = new Map<number, number>();
  instructions.forEach((instruction, time) => {
    const taken = new Set<number>();
    instruction.outputs.forEach(({ buffer }, output) => {
      if (isBound(buffer)) return;
      const dying = dyingInput(instruction, output, (slot) => {
        const block = blockOf.get(slot);
        if (block === undefined || taken.has(block) || blocks[block]!.last !== time) return false;
        return isSameSize(slots[slot]!, slots[buffer]!);
      });
      const shared = blockOf.get(dying) ?? blocks.length;
      if (shared < blocks.length) {
        blocks[shared]!.last = last.get(buffer)!;
        blocks[shared]!.slots.push(buffer);
      } else blocks.push({ first: time, last: last.get(buffer)!, bytes: arenaBytes(slots[buffer]!), slots: [buffer] });
      blockOf.set(buffer, shared);
      taken.add(shared);
    });
  });
  return blocks;
}

function isSameSize(a: Slot, b: Slot): boolean {
  return a.length === b.length && dtypes[a.dtype].bytes === dtypes[b.dtype].bytes;
}

/** The slot of an input over which an output may be written, among those that `isFree` admits; -1 if there is none. */
function dyingInput(instruction: LoweredInstruction, output: number, isFree: (slot: number) => boolean): number {
  const { kernel, inputs } = instruction;
  // Adds to a copy of its first input, or to that input itself.
  if (kernel === 'scatterAdd') {
    const [{ buffer: slot }, ...others] = inputs as [View, ...View[]];
    return isFree(slot) && !others.some(({ buffer }) => buffer === slot) ? slot : -1;
  }
  if (kernel !== 'elementwise') return -1;
  for (const { buffer: slot } of inputs)
    if (isFree(slot) && readsBeforeWrite(instruction, output, ({ buffer }) => buffer === slot)) return slot;
  return -1;
}

/**
 * Of the memory that `isDonor` names only the segment that makes `output` reads, each element where it is written, and no step
 * behind the one that writes it.
 */
export function readsBeforeWrite(
  instruction: LoweredInstruction,
  output: number,
  isDonor: (view: View) => boolean,
): boolean {
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
  if (donors.size === 0) return true;
  if (folds[output % outputs] !== 0) return false;
  const written = steps.findIndex(({ destination }) => destination === outputRegisters[output % outputs]);
  return !steps.slice(written + 1).some(({ operands }) => operands.some((register) => donors.has(register)));
}
