import { compileTrace } from '../../../lib/graph/programs';
import { readByteCode } from '../../../lib/graph/program/elementwise';
import type { Plan } from '../../../lib/graph/program/plan';
import { trace } from '../../../lib/graph/program/trace';
import type { Tensor } from '../../../lib/tensor/tensor';

/** The program of some tensors, without running it. */
export function planOf(...roots: Tensor[]): Plan {
  return compileTrace(trace(roots));
}

/** The kernels of a program, in order. */
export function kernelsOf(plan: Plan): string[] {
  return plan.program.instructions.map(({ kernel }) => kernel);
}

/** The number of byte code steps of each elementwise instruction. */
export function stepsOf(plan: Plan): number[] {
  return plan.program.instructions
    .filter(({ kernel }) => kernel === 'elementwise')
    .map((instruction) => readByteCode(instruction).steps.length);
}
