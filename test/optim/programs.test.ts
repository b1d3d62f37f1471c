import { mul, nn, optim, stats, sum, tensor, Variable } from '../../lib';
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

  test('of a loaded network with counters and statistics, too', () => {
    const make = (): nn.Sequential =>
      new nn.Sequential(new nn.Linear(3, 4), new nn.BatchNorm1d(4), new nn.Linear(4, 2));
    const model = make();
    model.loadStateDict(make().stateDict());
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1 });
    const x = tensor([
      [1, 2, 3],
      [3, -1, 0],
    ]);
    const step = (): void => {
      optimizer.zeroGrad();
      sum(model.forward(x)).backward();
      optimizer.stepSync();
    };
    step();
    const { compilations } = stats();
    for (let i = 0; i < 3; i++) step();
    expect(stats().compilations).toBe(compilations);
    expect(model.stateDict().get('1.num_batches_tracked')!.dataSync()).toEqual(BigInt64Array.of(4n));
  });
});
