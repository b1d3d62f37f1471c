/**
 * Trains one large matrix by a compiled step of Adam; prints the bytes of all ArrayBuffers in units of the matrix's, after the
 * first step and after three more, each behind a collection.
 *
 *     node --expose-gc scripts/run-typescript.cjs test/graph/compile-memory.ts
 */
import { backward, compile, optim, randn, tensor, type Tensor } from '../../lib';
import { Linear } from '../../lib/nn';
import { crossEntropy } from '../../lib/nn/losses/functional';

declare const gc: () => void;

const SIZE = 1024;

async function held(): Promise<number> {
  // Collected, and their memory given back.
  for (let i = 0; i < 3; i++) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().arrayBuffers / (4 * SIZE * SIZE);
}

async function main(): Promise<void> {
  const before = await held();
  const model = new Linear(SIZE, SIZE, { bias: false });
  // The first step may not write over it, as somebody could hold it; nobody does.
  model.weight.assign(randn([SIZE, SIZE]));
  const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
  const x = randn([4, SIZE]);
  // Checks its labels: the stack of that operation's error sees what recorded it.
  const labels = tensor(Int32Array.of(1, 2, 3, 4));
  const step = compile((images: Tensor, classes: Tensor) => {
    optimizer.zeroGrad();
    const loss = crossEntropy(model.forward(images), classes);
    backward(loss);
    void optimizer.step();
    return loss;
  });
  await step(x, labels).item();
  const first = (await held()) - before;
  for (let i = 0; i < 3; i++) await step(x, labels).item();
  console.log(JSON.stringify([first, (await held()) - before]));
}

void main();
