import { backward } from '../autodiff/backward';
import { abortErrorOf, type AbortSignalLike } from '../graph/abort';
import { submit } from '../graph/evaluate';
import { noGrad } from '../graph/modes';
import type { Layer } from '../nn/module';
import { tensor } from '../ops/create';
import { detach } from '../ops/identity';
import { embedding, gather } from '../ops/indexing';
import { reshape } from '../ops/shape';
import { Adam } from '../optim/adam';
import { permutation } from '../tensor/philox';
import type { Tensor } from '../tensor/tensor';
import { lossFor } from './baselines/losses';
import type { BaselineData, Task } from './baselines/types';
import { measureModel, type MeasuredData } from './measure';

export interface FurtherTraining {
  /** The least training loss, in evaluation mode, over the learning rates. */
  readonly loss: number;
  readonly lr: number;
  readonly steps: number;
}

const LEARNING_RATES = [1e-2, 1e-3, 1e-4];
const BATCH = 64;

/**
 * Trains a model on from where it stands, by Adam with several learning rates, and puts everything back: does a fresh
 * optimizer get further? `until` is a time as `performance.now()` gives it.
 */
export async function trainFurther(
  model: Layer,
  data: MeasuredData,
  task: Task,
  { steps, until, seed, signal }: { steps: number; until: number; seed: number; signal?: AbortSignalLike | undefined },
): Promise<FurtherTraining> {
  const before = new Map([...model.stateDict()].map(([name, value]) => [name, detach(value)]));
  await submit([...before.values()]);
  const gradients = [...model.parameters()].map((parameter) => [parameter, parameter.currentGrad] as const);
  const modes = [...model.modules()].map((module) => [module, module.training] as const);
  let best: FurtherTraining = { loss: Infinity, lr: LEARNING_RATES[0]!, steps: 0 };
  try {
    for (const lr of LEARNING_RATES) {
      model.loadStateDict(before);
      model.train();
      const optimizer = new Adam(model.parameters(), { lr });
      let done = 0;
      for (const { x, y } of batches(data, steps, seed)) {
        if (signal?.aborted === true) throw abortErrorOf(signal);
        if (performance.now() > until) break;
        await optimizer.step(() => {
          optimizer.zeroGrad();
          const loss = lossFor(task)(model.forward(x), y);
          backward(loss);
          return loss;
        });
        done++;
      }
      const { loss } = await measureModel('diagnose', model, data, signal);
      if (loss < best.loss) best = { loss, lr, steps: done };
    }
  } finally {
    model.loadStateDict(before);
    for (const [module, training] of modes) module.training = training;
    for (const [parameter, gradient] of gradients) parameter.grad = gradient;
  }
  return best;
}

/** Samples in an order of their own for every epoch. */
export function* batches({ x, y }: BaselineData, steps: number, seed: number): Generator<{ x: Tensor; y: Tensor }> {
  const count = x.shape[0]!;
  const size = Math.min(BATCH, count);
  const order = new Int32Array(count);
  const rows = noGrad(() => reshape(x, [count, x.size / count]));
  for (let step = 0, at = count, epoch = 0; step < steps; step++, at += size) {
    if (at + size > count) {
      permutation(seed, epoch++, count, order);
      at = 0;
    }
    const index = tensor(order.slice(at, at + size));
    yield noGrad(() => ({
      x: reshape(embedding(rows, index), [size, ...x.shape.slice(1)]),
      y: y.rank === 1 ? gather(y, 0, index) : embedding(y, index),
    }));
  }
}
