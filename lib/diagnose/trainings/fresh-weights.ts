import * as init from '../../nn/init';
import type { Module } from '../../nn/module';
import { defaultGenerator } from '../../ops/random';

type Resettable = Module & { resetParameters(): void };

const isResettable = (module: Module): module is Resettable =>
  typeof (module as { resetParameters?: unknown }).resetParameters === 'function';

/**
 * Weights as layers begin with (`resetParameters`), drawn from a seed. Parameters of modules that do not say how: matrices as
 * in He et al. 2015, vectors 1 where they are named weight, else 0.
 */
export function drawFreshWeights(model: Module, seed: number): void {
  defaultGenerator.manualSeed(seed);
  const left = new Map([...model.namedParameters()].map(([name, parameter]) => [parameter, name]));
  for (const module of model.modules())
    if (isResettable(module)) for (const parameter of module.parameters()) left.delete(parameter);
  for (const [parameter, name] of left)
    if (parameter.rank > 1) init.kaimingUniform(parameter);
    else init.constant(parameter, name.endsWith('weight') ? 1 : 0);
  model.apply((module) => {
    if (isResettable(module)) module.resetParameters();
  });
}
