import { readFileSync } from 'node:fs';
import path from 'node:path';
import { compile, F, manualSeed, nn, optim, randn, tensor, type Tensor } from '../../lib';
import { onEachBackend } from '../helpers/backends';

const page = readFileSync(path.join(__dirname, '../../docs/programs.md'), 'utf8');

onEachBackend('docs/programs.md', () => {
  test('the step computes a loss, and its program is the one on the page', async () => {
    manualSeed(0);
    const model = new nn.Sequential(new nn.Linear(4, 8), new nn.ReLU(), new nn.Linear(8, 3));
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
    const step = compile((x: Tensor, y: Tensor) => {
      optimizer.zeroGrad();
      const loss = F.crossEntropy(model.forward(x), y);
      loss.backward();
      void optimizer.step();
      return loss;
    });
    const loss = step(randn([5, 4]), tensor(Int32Array.of(0, 1, 2, 1, 0)));
    expect(await loss.item()).toBeGreaterThan(0);
    expect(page).toContain(`\`\`\`\n${String(compile.explain(step).programs[0])}\n\`\`\``);
  });
});
