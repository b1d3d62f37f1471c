import { mul, optim, stats, sum, tensor, Variable } from '../../lib';
import { onEachBackend } from '../helpers/backends';

onEachBackend('a training loop', () => {
  test('is one program from the first step on', () => {
    const weight = new Variable(tensor([1, 2]), { requiresGrad: true });
    const optimizer = new optim.Adam([weight]);
    const step = (): void => {
      optimizer.zeroGrad();
      sum(mul(weight, weight)).backward();
      optimizer.stepSync();
    };
    step();
    const { compilations } = stats();
    for (let i = 0; i < 3; i++) step();
    expect(stats().compilations).toBe(compilations);
  });
});
