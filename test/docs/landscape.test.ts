import { readFileSync } from 'node:fs';
import path from 'node:path';
import { backward, optim, tensor, useBackend, Variable, type Tensor } from '../../lib';
import { CurvatureEscape, GradientNoise, PerturbedGradient, surfaces } from '../../lib/landscape';
import { Generator } from '../../lib/ops/random';
import { linesOf, runCommand } from '../helpers/command';
import { temporaryDirectory } from '../helpers/temporary-directory';

const page = readFileSync(path.join(__dirname, '../../docs/landscape.md'), 'utf8');
const out = path.join(temporaryDirectory(), 'page.html');
const commands = [...page.matchAll(/\n\$ npx saddlepoint (.*)\n([^`]*)```/g)].map(
  ([, command, output]) => [command!, output!.trimEnd().split('\n')] as const,
);

test('there are commands to run', () => expect(commands).toHaveLength(3));

test.each(commands)('npx saddlepoint %s', async (command, expected) => {
  const { code, stdout } = await runCommand([...command.split(' '), '--out', out]);
  expect(code).toBe(0);
  expect(linesOf(stdout).slice(0, expected.length)).toEqual(expected);
});

test('the table of ways out', async () => {
  useBackend('portable');
  type Stepper = { step(closure: () => Tensor): PromiseLike<unknown> };
  const stepsOf = async (wrap: (sgd: optim.SGD, loss: () => Tensor) => Stepper): Promise<number> => {
    const x = new Variable(tensor([1e-6, 0], { dtype: 'float64' }), { requiresGrad: true });
    const loss = (): Tensor => surfaces.twoLayerNetwork.loss(x.capture());
    const optimizer = wrap(new optim.SGD([x], { lr: 0.05 }), loss);
    for (let steps = 0; ; steps++) {
      if ((await loss().item()) < 0.99) return steps;
      await optimizer.step(() => {
        x.grad = null;
        const value = loss();
        backward(value);
        return value;
      });
    }
  };
  const generator = (): Generator => new Generator(1);
  const steps = [
    await stepsOf((sgd) => sgd),
    await stepsOf((sgd) => new PerturbedGradient(sgd, { radius: 0.2, generator: generator() })),
    await stepsOf((sgd) => new GradientNoise(sgd, { eta: 1, generator: generator() })),
    await stepsOf((sgd, loss) => new CurvatureEscape(sgd, { loss })),
  ];
  const rows = [...page.matchAll(/^\| `new .*` +\| (\d+) +\|$/gm)].map(([, count]) => Number(count));
  expect(rows).toEqual(steps);
});
