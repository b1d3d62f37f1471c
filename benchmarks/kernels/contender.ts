import { compile, flatten, narrow, randn, tensor, type Tensor } from '../../lib';
import { gradients } from '../../lib/autodiff';
import { evaluateSync } from '../../lib/graph/evaluate';
import { timed, type Contender } from '../measure';
import type { KernelCase } from './cases';
import { kinds } from './kinds';

/**
 * What a case is for us: a compiled function. Inputs of several sets take turns; results stay in the program's arena, as within a
 * network, all but one element of each: new memory would cost more than most kernels.
 */
export function contenderOf(item: KernelCase): Contender {
  const sets = Array.from({ length: item.copies }, () => inputsOf(item));
  evaluateSync(sets.flat());
  const compute = compile((inputs: readonly Tensor[]) =>
    resultsOf(item, inputs).map((y) => narrow(flatten(y), 0, 0, 1)),
  );
  let turn = 0;
  return timed('compiled', () => evaluateSync(compute(sets[turn++ % sets.length]!)));
}

/** The output, or the output and the gradients of all inputs of floating point. */
export function resultsOf({ kind, options, training }: KernelCase, inputs: readonly Tensor[]): readonly Tensor[] {
  const run: (inputs: readonly Tensor[], options: KernelCase['options']) => Tensor = kinds[kind];
  if (!training) return [run(inputs, options)];
  const leaves = inputs.map((x) => x.detach());
  const floats = leaves.filter((x) => x.dtype === 'float32');
  for (const x of floats) x.requiresGrad = true;
  const y = run(leaves, options);
  return [y, ...(gradients([y], floats, [y.detach()]) as Tensor[])];
}

function inputsOf({ kind, inputs, options: { classes } }: KernelCase): Tensor[] {
  return inputs.map((shape, i) => {
    if (kind === 'crossEntropy' && i === 1)
      return tensor(Int32Array.from({ length: shape[0]! }, (_, row) => (row * 7919) % classes!));
    // Logarithms and roots take positive numbers.
    return kind === 'function' ? randn(shape).abs().add(0.5) : randn(shape);
  });
}
