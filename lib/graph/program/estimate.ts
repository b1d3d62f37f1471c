import { sizeOf } from '../../tensor/shape';
import { flopsOf } from './costs';
import type { Instruction } from './program';

/**
 * Rough nanoseconds on one core of the native backend: only decides whether a program runs on the caller's thread.
 * 80 GFLOP/s for matrix products, 40 for others, 0.3 ns for each element that a memory-bound kernel touches.
 */
export function estimateNanoseconds(instruction: Instruction): number {
  const { kernel, inputs, outputs, attributes } = instruction;
  const elements = [...inputs, ...outputs].reduce((sum, view) => sum + sizeOf(view.shape), 0);
  const outputElements = sizeOf(outputs[0]!.shape);
  switch (kernel) {
    case 'matmul':
      // An epilogue's steps count as in a region.
      return 100 + (outputElements * (inputs[0]!.shape.at(-1) ?? 1)) / 40 + outputElements * 0.2 * (attributes[3] ?? 0);
    case 'conv2d':
    case 'conv2dInputGrad':
    case 'conv2dWeightGrad': {
      // Multiplications: every element of the convolution's output meets a whole filter.
      const weight = kernel === 'conv2dWeightGrad' ? outputs[0]! : inputs[1]!;
      const result = kernel === 'conv2d' ? outputs[0]! : inputs[0]!;
      return 500 + (sizeOf(result.shape) * sizeOf(weight.shape.slice(1))) / 20;
    }
    case 'attention':
    case 'attentionGrad': {
      const [q, k, v] = kernel === 'attention' ? inputs : inputs.slice(1);
      const pairs = sizeOf(q!.shape.slice(0, -1)) * k!.shape.at(-2)!;
      const products = (kernel === 'attention' ? 1 : 2.5) * (q!.shape.at(-1)! + v!.shape.at(-1)!);
      return 500 + pairs * (products / 20 + 1);
    }
    case 'elementwise':
      return 50 + flopsOf(instruction) * 0.2 + elements * 0.1;
    case 'normal':
      return 100 + outputElements * 30;
    case 'permutation':
      return 100 + outputElements * 20;
    default:
      return 100 + elements * 0.5;
  }
}
