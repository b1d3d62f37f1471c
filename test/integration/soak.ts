// Child process of memory.test.ts: trains a small network for many steps and prints megabytes along the way: resident,
// and held by JavaScript after a collection.
//   node --expose-gc soak.ts yields|never STEPS
import { F, manualSeed, nn, optim, randn, tensor } from '../../lib';

manualSeed(1);
const model = new nn.Sequential(new nn.Linear(16, 32), new nn.BatchNorm1d(32), new nn.ReLU(), new nn.Linear(32, 4));
const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
const labels = tensor(Int32Array.from({ length: 32 }, (_, i) => i % 4));
const [mode, steps] = [process.argv[2], Number(process.argv[3])];
const marks: { resident: number; held: number }[] = [];

function step(): { pending: Promise<void>; loss: { itemSync(): number } } {
  optimizer.zeroGrad();
  const loss = F.crossEntropy(model.forward(randn([32, 16])), labels);
  loss.backward();
  return { pending: optimizer.step({ also: [loss] }), loss };
}

function mark(i: number): void {
  if (i % 500 !== 499) return;
  (globalThis as unknown as { gc: () => void }).gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  marks.push({ resident: rss / 2 ** 20, held: (heapUsed + external) / 2 ** 20 });
}

async function main(): Promise<void> {
  for (let i = 0; i < steps; i++) {
    const { pending, loss } = step();
    if (mode === 'yields') {
      await pending;
      await new Promise(setImmediate);
    } else if (i % 100 === 0) loss.itemSync();
    mark(i);
  }
  console.log(JSON.stringify(marks));
}

void main();
