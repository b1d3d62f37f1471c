import { dtypes } from '../../tensor/dtype';
import { sizeOf } from '../../tensor/shape';
import { readByteCode } from './elementwise';
import type { Instruction, Program, View } from './program';

/**
 * Arithmetic of an instruction: two for each multiply-add of a product, of which attention has two and its gradient five, masked
 * or not; one for each step and element of a region, one for each element that a reduction reads; 0 for what only moves
 * numbers or makes random ones.
 */
export function flopsOf(instruction: Instruction): number {
  const { kernel, inputs, outputs, attributes } = instruction;
  const [input, weight] = inputs;
  const output = outputs[0]!;
  switch (kernel) {
    case 'matmul':
      // With the steps of its epilogue.
      return sizeOf(output.shape) * (2 * input!.shape.at(-1)! + (attributes[3] ?? 0));
    // Every element of a convolution's output meets a whole filter, in all three directions.
    case 'conv2d':
      return 2 * sizeOf(output.shape) * sizeOf(weight!.shape.slice(1));
    case 'conv2dInputGrad':
      return 2 * sizeOf(input!.shape) * sizeOf(weight!.shape.slice(1));
    case 'conv2dWeightGrad':
      return 2 * sizeOf(input!.shape) * sizeOf(output.shape.slice(1));
    case 'attention':
      return pairsOf(inputs) * 2 * (input!.shape.at(-1)! + inputs[2]!.shape.at(-1)!);
    case 'attentionGrad':
      // Of widths: the scores again, those for queries and keys; for the weights and for the values.
      return pairsOf(inputs.slice(1)) * 2 * (3 * inputs[1]!.shape.at(-1)! + 2 * inputs[3]!.shape.at(-1)!);
    case 'elementwise': {
      const { steps, folds } = readByteCode(instruction);
      return (steps.length + folds.filter((fold) => fold !== 0).length) * pointsOf(instruction);
    }
    case 'gather':
    case 'embedding':
    case 'concat':
    case 'pad':
    case 'normal':
    case 'permutation':
      return 0;
    default:
      return sizeOf(input!.shape);
  }
}

/** Pairs of a query and a key. */
function pairsOf([query, key]: readonly View[]): number {
  return sizeOf(query!.shape.slice(0, -1)) * key!.shape.at(-2)!;
}

/** Elements of all segments of a region; what is reduced counts as it was before. */
export function pointsOf(instruction: Instruction): number {
  const { segments, inputs, outputs } = readByteCode(instruction);
  let points = 0;
  for (let s = 0; s < segments; s++) {
    const views = [
      ...instruction.inputs.slice(s * inputs, (s + 1) * inputs),
      ...instruction.outputs.slice(s * outputs, (s + 1) * outputs),
    ];
    points += Math.max(...views.map((view) => sizeOf(view.shape)));
  }
  return points;
}

/** Bytes of the numbers that an instruction reads and writes, each view once; what it broadcasts counts once too. */
export function bytesOf({ inputs, outputs }: Instruction, { buffers }: Program): number {
  const bytes = ({ buffer, shape, strides }: View): number =>
    shape.reduce((size, dim, i) => size * (strides[i] === 0 ? Math.min(dim, 1) : dim), 1) *
    dtypes[buffers[buffer]!.dtype].bytes;
  return [...inputs, ...outputs].reduce((sum, view) => sum + bytes(view), 0);
}
