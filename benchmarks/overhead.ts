import { add, F, manualSeed, mul, nn, optim, randn, setThreads, tensor } from '../lib';
import { evaluateSync } from '../lib/graph/evaluate';
import { secondsOf, type Row } from './measure';

/** What one evaluation costs beside its arithmetic: small programs, from recording to the value. */
export function overhead(threads: readonly number[], filter: RegExp): Row[] {
  const rows: Row[] = [];
  const measure = (name: string, count: number, call: () => void): void => {
    if (!filter.test(name)) return;
    const ours = secondsOf(call) * 1e6;
    const row = { suite: 'overhead', case: name, threads: count, unit: 'us', ours };
    rows.push({ ...row, reference: ours, referenceName: 'itself', ratio: 1 });
  };
  for (const count of threads) {
    setThreads(count);
    const x = tensor(new Float32Array(64).fill(0.5));
    measure('add and mul, 64 elements', count, () => evaluateSync([mul(add(x, 1), 2)]));

    manualSeed(0);
    const layer = (from: number, to: number): nn.Linear => new nn.Linear(from, to);
    const model = new nn.Sequential(layer(16, 32), new nn.ReLU(), layer(32, 32), new nn.ReLU(), layer(32, 4));
    const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
    const input = randn([32, 16]);
    const labels = tensor(Int32Array.from({ length: 32 }, (_, i) => i % 4));
    evaluateSync([input]);
    measure('training step, MLP 16-32-32-4, batch 32, Adam', count, () => {
      optimizer.zeroGrad();
      const loss = F.crossEntropy(model.forward(input), labels);
      loss.backward();
      optimizer.stepSync({ also: [loss] });
    });
    measure('inference, the same', count, () => evaluateSync([model.forward(input).detach()]));
  }
  return rows;
}
