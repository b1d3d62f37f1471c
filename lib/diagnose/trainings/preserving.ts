import { submit } from '../../graph/evaluate';
import type { Module } from '../../nn/module';
import { detach } from '../../ops/identity';
import { defaultGenerator } from '../../ops/random';
import type { Tensor } from '../../tensor/tensor';

/**
 * Runs what trains a model; weights, buffers, gradients, modes and the default generator are afterwards as before. `restore`
 * takes the weights and buffers back in between.
 */
export async function preserving<T>(model: Module, run: (restore: () => void) => Promise<T>): Promise<T> {
  const before = new Map<string, Tensor>([...model.stateDict()].map(([name, value]) => [name, detach(value)]));
  await submit([...before.values()]);
  const gradients = [...model.parameters()].map((parameter) => [parameter, parameter.currentGrad] as const);
  const modes = [...model.modules()].map((module) => [module, module.training] as const);
  const { state } = defaultGenerator;
  const restore = (): void => void model.loadStateDict(before);
  try {
    return await run(restore);
  } finally {
    restore();
    for (const [module, training] of modes) module.training = training;
    for (const [parameter, gradient] of gradients) parameter.grad = gradient;
    defaultGenerator.state = state;
  }
}
