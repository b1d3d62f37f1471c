import { readByteCode } from './elementwise';
import type { LoweredInstruction, Slot } from './lower';

/**
 * Joins regions of equal byte code into one instruction with a segment for each: an optimizer's step over all its parameters
 * becomes one parallel pass. `instructions` come at the end of a program, so what they read lives that long anyway. A region
 * joins the first of its kind unless something between them makes what it reads, or reads what it may be written over.
 */
export function joinSegments(
  instructions: readonly LoweredInstruction[],
  slots: readonly Slot[],
  donorOfSlot: ReadonlyMap<number, number>,
): LoweredInstruction[] {
  const joined: LoweredInstruction[] = [];
  const known = new Map<string, number>();
  // For each slot the last instruction in `joined` that makes it; for each leaf the last that reads it.
  const madeAt = new Map<number, number>();
  const readAt = new Map<number, number>();
  for (const instruction of instructions) {
    const key = keyOf(instruction, slots);
    const first = key === null ? undefined : known.get(key);
    const waitsFor = Math.max(
      ...instruction.inputs.map(({ buffer }) => madeAt.get(buffer) ?? -1),
      ...instruction.outputs.map(({ buffer }) => readAt.get(donorOfSlot.get(buffer) ?? -1) ?? -1),
      -1,
    );
    let place = joined.length;
    if (first !== undefined && waitsFor < first) {
      joined[first] = withSegment(joined[first]!, instruction);
      place = first;
    } else {
      joined.push(instruction);
      if (key !== null) known.set(key, place);
    }
    for (const { buffer } of instruction.outputs) madeAt.set(buffer, place);
    for (const { buffer } of instruction.inputs) {
      const { leaf } = slots[buffer]!;
      if (leaf >= 0) readAt.set(leaf, Math.max(place, readAt.get(leaf) ?? -1));
    }
  }
  return joined;
}

/** What the byte code is, whatever its scalars' slots and its shapes; null for other kernels. */
function keyOf({ kernel, inputs, outputs, attributes }: LoweredInstruction, slots: readonly Slot[]): string | null {
  if (kernel !== 'elementwise' || readByteCode({ inputs, outputs, attributes }).folds.some((fold) => fold !== 0))
    return null;
  const code = attributes.slice(0, attributes.length - attributes[1]!);
  return [outputs.length, ...code, ...inputs.map(({ buffer }) => slots[buffer]!.dtype)].join();
}

function withSegment(all: LoweredInstruction, one: LoweredInstruction): LoweredInstruction {
  const [segments, ...code] = all.attributes as [number, ...number[]];
  return {
    ...all,
    inputs: [...all.inputs, ...one.inputs],
    outputs: [...all.outputs, ...one.outputs],
    attributes: [segments + 1, ...code, ...readByteCode(one).scalarSlots[0]!],
  };
}
