import { dtypes } from '../../tensor/dtype';
import { foldNames, readByteCode } from './elementwise';
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

function printRegion(instruction: Instruction, isEpilogue: boolean): string[] {
  // Register 0 of an epilogue is the product; the next ones are the inputs behind the two matrices.
  const code = isEpilogue ? { ...instruction, inputs: instruction.inputs.slice(1) } : instruction;
  const { segments, inputs, scalars, steps, outputRegisters, folds, scalarSlots } = readByteCode(code);
  const dtypeNames = Object.keys(dtypes);
  const name = (register: number): string => {
    if (isEpilogue && register === 0) return 'product';
    if (register < inputs) return `in${isEpilogue ? register + 1 : register}`;
    if (register < inputs + scalars.length)
      return `scalar${scalarSlots.map((slots) => slots[register - inputs]).join('/')}`;
    const output = outputRegisters.findIndex((other, i) => other === register && folds[i] === 0);
    return output < 0 ? `r${register}` : `out${output}`;
  };
  const lines = steps.map(
    ({ opcode, dtype, destination, operands }) =>
      `      ${name(destination)} = ${opcode}.${dtypeNames[dtype]}(${operands.map(name).join(', ')})`,
  );
  outputRegisters.forEach((register, i) => {
    if (folds[i]! > 0) lines.push(`      out${i} = ${foldNames[folds[i]!]} of ${name(register)}`);
  });
  return segments === 1 ? lines : [`      for each of ${segments} segments:`, ...lines];
}
