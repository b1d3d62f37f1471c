import { dtypes } from '../../tensor/dtype';
import { sizeOf } from '../../tensor/shape';
import type { Instruction, Program, View } from './program';

/**
 * Arithmetic of an instruction: two for each multiply-add of a product, one for each step and element of a region, one for
 * each element that a reduction reads; 0 for what only moves numbers or makes random ones.
 */
export function flopsOf({ kernel, inputs, outputs, attributes }: Instruction): number {
  const [input, weight] = inputs;
  const output = outputs[0]!;
  switch (kernel) {
    case 'matmul':
      return 2 * sizeOf(output.shape) * input!.shape.at(-1)!;
    // Every element of a convolution's output meets a whole filter, in all three directions.
    case 'conv2d':
      return 2 * sizeOf(output.shape) * sizeOf(weight!.shape.slice(1));
    case 'conv2dInputGrad':
      return 2 * sizeOf(input!.shape) * sizeOf(weight!.shape.slice(1));
    case 'conv2dWeightGrad':
      return 2 * sizeOf(input!.shape) * sizeOf(output.shape.slice(1));
    case 'elementwise':
      return attributes[2]! * sizeOf(output.shape);
    case 'gather':
    case 'embedding':
    case 'concat':
    case 'pad':
    case 'uniform':
    case 'normal':
    case 'permutation':
      return 0;
    default:
      return sizeOf(input!.shape);
  }
}

/** Bytes of the numbers that an instruction reads and writes, each view once; what it broadcasts counts once too. */
export function bytesOf({ inputs, outputs }: Instruction, { buffers }: Program): number {
  const bytes = ({ buffer, shape, strides }: View): number =>
    shape.reduce((size, dim, i) => size * (strides[i] === 0 ? Math.min(dim, 1) : dim), 1) *
    dtypes[buffers[buffer]!.dtype].bytes;
  return [...inputs, ...outputs].reduce((sum, view) => sum + bytes(view), 0);
}
