import { backward } from '../../autodiff/backward';
import { noGrad } from '../../graph/modes';
import { readItem } from '../../graph/reading';
import { tensor } from '../../ops/create';
import { embedding, gather } from '../../ops/indexing';
import { reshape } from '../../ops/shape';
import { Adam } from '../../optim/adam';
import { permutation } from '../../tensor/philox';
import type { Tensor } from '../../tensor/tensor';
import { lossFor } from '../baselines/losses';
import type { BaselineData } from '../baselines/types';
import type { Examination } from '../examination';
import { measureModel, type Measured } from '../measure';

const BATCH = 64;
/** How often the loss of a training is written down. */
const POINTS = 40;

/** The loss of mini-batches as a training went on. */
export interface Curve {
  readonly name: string;
  readonly steps: readonly number[];
  readonly losses: readonly number[];
}

export interface Trained {
  readonly lr: number;
  readonly steps: number;
  readonly train: Measured & { readonly loss: number };
  readonly validation: Measured & { readonly loss: number };
  readonly curve: Omit<Curve, 'name'>;
}

export interface TrainingPlan {
  readonly lr: number;
  readonly steps: number;
  /** Lowers the rate to 0 along a cosine (Loshchilov and Hutter 2017). */
  readonly decays: boolean;
  /** Share of the budget at which it ends early. */
  readonly share: number;
  /** Of the order of samples. */
  readonly seed: number;
}

/** Trains the model from where it stands by Adam, and measures it; null if there was no time for a single step. */
export async function trainModel(examination: Examination, plan: TrainingPlan): Promise<Trained | null> {
  const { model, train, validation, task, signal } = examination;
  const { lr, steps, decays, share, seed } = plan;
  model.train();
  const optimizer = new Adam(model.parameters(), { lr });
  const curve = { steps: [] as number[], losses: [] as number[] };
  let done = 0;
  for (const { x, y } of batches(train, steps, seed)) {
    examination.throwIfAborted();
    if (examination.left(share) <= 0) break;
    if (decays) optimizer.paramGroups[0]!.lr = (lr * (1 + Math.cos((Math.PI * done) / steps))) / 2;
    optimizer.zeroGrad();
    const loss = lossFor(task)(model.forward(x), y);
    backward(loss);
    await optimizer.step({ also: [loss] });
    if (done++ % Math.ceil(steps / POINTS) === 0) {
      curve.steps.push(done);
      curve.losses.push(await readItem(loss));
    }
  }
  if (done === 0) return null;
  return {
    ...{ lr, steps: done, curve },
    train: await measureModel(model, train, signal),
    validation: await measureModel(model, validation, signal),
  };
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
