import { dtypes } from '../../tensor/dtype';
import { kernelNames, type KernelName } from './kernels';
import type { BufferSpec, Program, View } from './program';

export const PROGRAM_MAGIC = 0x53444c50;
/** Raised with every change of the layout below, of the kernels' list or of the opcodes' list. */
export const PROGRAM_VERSION = 3;

const bufferKinds: { readonly [K in BufferSpec['kind']]: number } = { input: 0, output: 1, inout: 2, arena: 3 };
const kernelIds = Object.fromEntries(kernelNames.map((name, id) => [name, id])) as {
  readonly [K in KernelName]: number;
};

/**
 * The flat form that the addon decodes and validates again (native/runtime/program.cc), all int32; "float64" takes two
 * words, low first:
 *
 *   header       magic, version, total words, buffers B, instructions I, scalars S, float64 arena bytes
 *   buffer x B   kind, dtype, length, float64 arena offset in bytes
 *   instruction x I
 *                kernel, words of this instruction, inputs, outputs, attributes A,
 *                view x (inputs + outputs): buffer, offset, rank, shape x rank, strides x rank
 *                float64 attribute x A
 */
export function encode(program: Program): Int32Array {
  const words: number[] = [];
  const float64 = new Float64Array(1);
  const halves = new Int32Array(float64.buffer);
  const pushFloat64 = (value: number): void => {
    float64[0] = value;
    words.push(halves[0]!, halves[1]!);
  };
  const pushView = (view: View): void => {
    words.push(view.buffer, view.offset, view.shape.length, ...view.shape, ...view.strides);
  };

  words.push(PROGRAM_MAGIC, PROGRAM_VERSION, 0, program.buffers.length, program.instructions.length, program.scalars);
  pushFloat64(program.arenaBytes);
  for (const buffer of program.buffers) {
    words.push(bufferKinds[buffer.kind], dtypes[buffer.dtype].id, buffer.length);
    pushFloat64(buffer.offset);
  }
  for (const instruction of program.instructions) {
    const start = words.length;
    words.push(kernelIds[instruction.kernel], 0, instruction.inputs.length, instruction.outputs.length);
    words.push(instruction.attributes.length);
    instruction.inputs.forEach(pushView);
    instruction.outputs.forEach(pushView);
    instruction.attributes.forEach(pushFloat64);
    words[start + 1] = words.length - start;
  }
  words[2] = words.length;
  return Int32Array.from(words);
}
