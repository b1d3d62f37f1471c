import { lowerBound } from './arena';
import { bytesOf } from './costs';
import { readByteCode, type ByteCode } from './elementwise';
import { arenaBytes, type SharedBlock } from './overwrite';
import type { Instruction, Program, View } from './program';

/** What a program is, in numbers. */
export interface ProgramStats {
  /** Operations that it computes: steps of regions, and kernels; views and copies are none. */
  readonly ops: number;
  readonly instructions: number;
  /** Instructions that compute several operations in one pass over memory. */
  readonly fusedRegions: number;
  /** Bytes of the numbers that its instructions read and write, each view once; what is broadcast counts once too. */
  readonly bytesMoved: number;
  readonly arenaBytes: number;
  /** The most bytes of the arena that are in use during one instruction: no layout has less. */
  readonly arenaLowerBound: number;
  /** Instructions that only copy. */
  readonly copies: number;
  /** Operations that it computes once more, because keeping their result would take memory or time. */
  readonly recomputed: number;
}

/** Counts a program's operations and bytes. */
export function statsOf(program: Program): ProgramStats {
  const { instructions } = program;
  const codes = instructions.map(codeOf);
  const ops = codes.map((code, i) => opsOf(instructions[i]!, code));
  return {
    ops: ops.reduce((sum, count) => sum + count, 0),
    instructions: instructions.length,
    fusedRegions: codes.filter((code, i) => code !== null && ops[i]! > 1).length,
    bytesMoved: instructions.reduce((sum, instruction) => sum + bytesOf(instruction, program), 0),
    arenaBytes: program.arenaBytes,
    arenaLowerBound: lowerBound(blocksInArena(program)),
    copies: ops.filter((count) => count === 0).length,
    recomputed: recomputedOps(program, codes),
  };
}

/** The byte code of a region, or of what follows a product in the same instruction; null for other kernels. */
export function codeOf({ kernel, inputs, outputs, attributes }: Instruction): ByteCode | null {
  if (kernel === 'elementwise') return readByteCode({ inputs, outputs, attributes });
  // Its first register is the product of the first two inputs.
  if (kernel === 'matmul' && attributes.length > 0)
    return readByteCode({ inputs: inputs.slice(1), outputs, attributes });
  return null;
}

function opsOf({ kernel }: Instruction, code: ByteCode | null): number {
  if (code === null) return 1;
  const steps = code.steps.filter(({ opcode }) => opcode !== 'copy').length;
  const folds = code.folds.filter((fold) => fold !== 0).length;
  return code.segments * (steps + folds) + (kernel === 'elementwise' ? 0 : 1);
}

/** For each output of an instruction the arena buffer that it is written over, among its inputs; -1 if there is none. */
export function overwrittenBy({ inputs, outputs }: Instruction, { buffers }: Program): number[] {
  return outputs.map(({ buffer }) => {
    const { kind, offset } = buffers[buffer]!;
    const over = inputs.find((input) => {
      const other = buffers[input.buffer]!;
      return kind === 'arena' && other.kind === 'arena' && input.buffer !== buffer && other.offset === offset;
    });
    return over?.buffer ?? -1;
  });
}

/** The arena's memory over time: buffers that are written over one another are one block. */
function blocksInArena(program: Program): SharedBlock[] {
  const { buffers, instructions } = program;
  const blocks: { first: number; last: number; bytes: number; slots: number[] }[] = [];
  const blockOf = new Map<number, number>();
  instructions.forEach((instruction, time) => {
    const over = overwrittenBy(instruction, program);
    instruction.outputs.forEach(({ buffer }, i) => {
      if (buffers[buffer]!.kind !== 'arena' || blockOf.has(buffer)) return;
      const shared = blockOf.get(over[i]!);
      blockOf.set(buffer, shared ?? blocks.length);
      if (shared === undefined)
        blocks.push({ first: time, last: time, bytes: arenaBytes(buffers[buffer]!), slots: [] });
    });
    for (const { buffer } of [...instruction.inputs, ...instruction.outputs]) {
      const block = blocks[blockOf.get(buffer) ?? -1];
      if (block !== undefined) block.last = time;
    }
  });
  return blocks;
}

/**
 * Operations that do what an earlier one did: of the same kind on the same numbers. Every number gets a name made of the
 * operation and the names of what it was made from, so equal names are equal numbers.
 */
function recomputedOps({ buffers, instructions }: Program, codes: readonly (ByteCode | null)[]): number {
  const ids = new Map<string, number>();
  /** For each buffer what is in it now. */
  const content = buffers.map((_, buffer) => `buffer ${buffer}`);
  let again = 0;
  const idOf = (name: string): string => {
    const known = ids.get(name);
    if (known === undefined) ids.set(name, ids.size);
    else again++;
    return `#${known ?? ids.size - 1}`;
  };
  const read = ({ buffer, offset, shape, strides }: View): string =>
    `${content[buffer]}+${offset}[${shape.join()}/${strides.join()}]`;
  instructions.forEach((instruction, index) => {
    const { kernel, inputs, outputs, attributes } = instruction;
    const code = codes[index]!;
    const sources = inputs.map(read);
    const written: string[] = [];
    if (code === null) written.push(idOf(`${kernel}(${sources.join()})${attributes.join()}`));
    else {
      const product =
        kernel === 'matmul' ? [idOf(`matmul(${sources.slice(0, 2).join()})`), ...sources.slice(2)] : sources;
      for (let s = 0; s < code.segments; s++) {
        const shape = outputs[s * code.outputs]!.shape.join('x');
        const registers = product.slice(s * code.inputs, (s + 1) * code.inputs);
        code.scalarSlots[s]!.forEach((slot, i) => registers.push(`scalar ${slot}.${code.scalars[i]}`));
        for (const { opcode, dtype, destination, operands } of code.steps) {
          const name = `${opcode}.${dtype}(${operands.map((operand) => registers[operand]).join()})${shape}`;
          registers[destination] = opcode === 'copy' ? name : idOf(name);
        }
        code.outputRegisters.forEach((register, i) => {
          const fold = code.folds[i]!;
          const whole = registers[register]!;
          written.push(fold === 0 ? whole : idOf(`fold ${fold} ${outputs[i]!.shape.join('x')}(${whole})`));
        });
      }
    }
    outputs.forEach(({ buffer }, i) => (content[buffer] = written[i]!));
  });
  return again;
}
