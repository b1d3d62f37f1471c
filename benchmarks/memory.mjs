// node benchmarks/memory.mjs plain|compiled THREADS: trains ResNet-18 for some steps of Adam, and prints how many bytes more
// were resident at the most than just after the import.
import { compile, F, models, optim, randn, setThreads, tensor } from '../dist/index.mjs';

const [, , way, threads] = process.argv;
const [BATCH, STEPS] = [32, 6];
const peak = () => process.resourceUsage().maxRSS * 1024;

setThreads(Number(threads));
const imported = peak();
const model = models.resnet18({ stem: 'cifar', numClasses: 10 });
const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
const x = randn([BATCH, 3, 32, 32]);
const labels = tensor(Int32Array.from({ length: BATCH }, (_, i) => i % 10));
const record = (images, classes) => {
  optimizer.zeroGrad();
  const loss = F.crossEntropy(model.forward(images), classes);
  loss.backward();
  void optimizer.step({ also: [loss] });
  return loss;
};
const step = way === 'compiled' ? compile(record) : record;
for (let i = 0; i < STEPS; i++) await step(x, labels).item();
console.log(peak() - imported);
