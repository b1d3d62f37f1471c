// Child process of memory.test.ts: trains a small network for many steps and prints bytes at twenty moments along the way:
// resident, and after a collection JavaScript's heap and what V8 counts outside of it (mostly the numbers of tensors).
//   node --expose-gc soak.ts yields|never plain|compiled STEPS
import { compile, F, manualSeed, nn, optim, randn, tensor, type Tensor } from '../../lib';

manualSeed(1);
const model = new nn.Sequential(new nn.Linear(16, 32), new nn.BatchNorm1d(32), new nn.ReLU(), new nn.Linear(32, 4));
const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
const labels = tensor(Int32Array.from({ length: 32 }, (_, i) => i % 4));
const [mode, way, steps] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const every = steps / 20;
const marks: { step: number; resident: number; heap: number; external: number }[] = [];

const recordStep = (): Tensor => {
  optimizer.zeroGrad();
  const loss = F.crossEntropy(model.forward(randn([32, 16])), labels);
  loss.backward();
  void optimizer.step({ also: [loss] });
  return loss;
};
const step = way === 'compiled' ? compile(recordStep) : recordStep;

function mark(i: number): void {
  if (i % every !== every - 1) return;
  const { gc } = globalThis as unknown as { gc: () => void };
  gc();
  // Buffers are freed beside the program, and taken off V8's books at the next collection only: after one, `external` still has
  // all that was dropped since the one before, from 0.1 to 4 MB.
  gc();
  const { rss, heapUsed, external } = process.memoryUsage();
  marks.push({ step: i + 1, resident: rss, heap: heapUsed, external });
}

async function main(): Promise<void> {
  for (let i = 0; i < steps; i++) {
    const loss = step();
    if (mode === 'yields') {
      await loss.item();
      await new Promise(setImmediate);
    } else if (i % 100 === 0) loss.itemSync();
    mark(i);
  }
  console.log(JSON.stringify(marks));
}

void main();
