import { nn, tensor, type Tensor } from '../../lib';
import { Adam, LBFGS, RMSprop, SGD, type CommonOptions, type Optimizer } from '../../lib/optim';
import { onEachBackend } from '../helpers/backends';

/** The numbers of docs/optimizers.md: steps down a ravine, and steps away from a saddle point. */
type Make = (parameters: nn.Parameter[]) => Optimizer<CommonOptions>;

const MANY = 1500;

const ravine = (x: nn.Parameter): Tensor =>
  x
    .square()
    .mul(tensor([1, 100], { dtype: 'float64' }))
    .sum()
    .mul(0.5);

/** Steps until (x² + 100 y²) / 2 is below 0.001, from (10, 1); Infinity if it never is. */
function stepsDownRavine(make: Make): number {
  const x = new nn.Parameter(tensor([10, 1], { dtype: 'float64' }));
  const optimizer = make([x]);
  for (let step = 1; step <= MANY; step++) {
    optimizer.zeroGrad();
    ravine(x).backward();
    optimizer.stepSync();
    if (ravine(x).itemSync() < 1e-3) return step;
  }
  return Infinity;
}

/** Steps until |y| is above 1 on (x² - y²) / 2, from (1, 0.000001). */
function stepsFromSaddle(make: Make): number {
  const x = new nn.Parameter(tensor([1, 1e-6], { dtype: 'float64' }));
  const optimizer = make([x]);
  for (let step = 1; step <= MANY; step++) {
    optimizer.zeroGrad();
    const signs = tensor([1, -1], { dtype: 'float64' });
    x.square().mul(signs).sum().mul(0.5).backward();
    optimizer.stepSync();
    if (Math.abs(Number(x.dataSync()[1])) > 1) return step;
  }
  return Infinity;
}

onEachBackend('terrain', () => {
  test.each<[string, number, Make]>([
    ['SGD at 0.018', 298, (p) => new SGD(p, { lr: 0.018 })],
    ['SGD at 0.0201, beyond 2 / 100', Infinity, (p) => new SGD(p, { lr: 0.0201 })],
    ['momentum 0.9 at 0.01', 94, (p) => new SGD(p, { lr: 0.01, momentum: 0.9 })],
    ['Nesterov 0.9 at 0.01', 24, (p) => new SGD(p, { lr: 0.01, momentum: 0.9, nesterov: true })],
  ])('%s gets down the ravine in %d steps', (_name, steps, make) => {
    expect(stepsDownRavine(make)).toBe(steps);
  });

  test.each<[string, number, Make]>([
    ['SGD', 1389, (p) => new SGD(p, { lr: 0.01 })],
    ['momentum 0.9', 226, (p) => new SGD(p, { lr: 0.01, momentum: 0.9 })],
    ['Nesterov 0.9', 216, (p) => new SGD(p, { lr: 0.01, momentum: 0.9, nesterov: true })],
    ['Adam', 77, (p) => new Adam(p, { lr: 0.01 })],
    ['RMSprop', 17, (p) => new RMSprop(p, { lr: 0.01 })],
  ])('%s leaves the saddle in %d steps', (_name, steps, make) => {
    expect(stepsFromSaddle(make)).toBe(steps);
  });

  test('LBFGS gets down the ravine in few iterations', async () => {
    const x = new nn.Parameter(tensor([10, 1], { dtype: 'float64' }));
    const optimizer = new LBFGS([x], { lineSearchFn: 'strongWolfe' });
    await optimizer.step(() => {
      optimizer.zeroGrad();
      const loss = ravine(x);
      loss.backward();
      return loss;
    });
    expect(ravine(x).itemSync()).toBeLessThan(1e-12);
    expect(optimizer.stateDict().state['0']!.n_iter).toBeLessThan(13);
  });
});
