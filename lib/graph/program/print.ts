import { dtypes } from '../../tensor/dtype';
import { opcodeNames, opcodes } from './elementwise';
import type { Instruction, Program, View } from './program';

/** The program as text: one line a buffer and an instruction, and the byte code of fused regions below theirs. */
export function printProgram(program: Program): string {
  const lines = [
    `program: ${program.buffers.length} buffers, ${program.instructions.length} instructions, ` +
      `${program.scalars} scalars, arena ${program.arenaBytes} bytes`,
  ];
  program.buffers.forEach((buffer, i) => {
    const at = buffer.kind === 'arena' ? ` at ${buffer.offset}` : '';
    lines.push(`  %${i} ${buffer.kind} ${buffer.dtype} x ${buffer.length}${at}`);
  });
  program.instructions.forEach((instruction) => {
    const outputs = instruction.outputs.map(printView).join(', ');
    const inputs = instruction.inputs.map(printView).join(', ');
    const isEpilogue = instruction.kernel === 'matmul' && instruction.attributes.length > 0;
    const isRegion = instruction.kernel === 'elementwise' || isEpilogue;
    const attributes = isRegion || instruction.attributes.length === 0 ? '' : ` [${instruction.attributes.join(', ')}]`;
    lines.push(`  ${outputs} = ${instruction.kernel}(${inputs})${attributes}  # ${instruction.label}`);
    if (isRegion) lines.push(...printRegion(instruction, isEpilogue));
  });
  return lines.join('\n');
}

function printView({ buffer, offset, shape, strides }: View): string {
  const start = offset === 0 ? '' : `+${offset}`;
  return `%${buffer}${start}[${shape.join('x')}]/${strides.join(',')}`;
}

function printRegion({ attributes, inputs }: Instruction, isEpilogue: boolean): string[] {
  // Register 0 of an epilogue is the product; the next ones are the inputs behind the two matrices.
  const firstInput = isEpilogue ? 1 : 0;
  const inputCount = inputs.length - firstInput;
  const [scalars, , steps] = attributes as [number, number, number];
  const dtypeNames = Object.keys(dtypes);
  const name = (register: number): string => {
    if (register < firstInput) return 'product';
    if (register < inputCount) return `in${register + firstInput}`;
    if (register < inputCount + scalars) return `scalar${attributes[3 + 2 * (register - inputCount)]}`;
    return `r${register}`;
  };
  return Array.from({ length: steps }, (_, step) => {
    const at = 3 + 2 * scalars + 6 * step;
    const [opcode, dtype, destination, ...operands] = attributes.slice(at, at + 6);
    const count = opcodes[opcodeNames[opcode!]!].operands;
    const list = operands.slice(0, count).map(name).join(', ');
    return `      ${name(destination!)} = ${opcodeNames[opcode!]}.${dtypeNames[dtype!]}(${list})`;
  });
}
