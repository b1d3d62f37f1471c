import { compile, models, randn, tensor, useBackend, type Tensor } from '../../lib';
import { IdleBackend } from '../../benchmarks/suites/idle-backend';
import { currentBackend, useBackend as use } from '../../lib/graph/evaluate';
import { Curvature } from '../../lib/landscape/curvature';
import { crossEntropy } from '../../lib/nn/losses/functional';

describe('memory of ResNet-18', () => {
  beforeAll(() => {
    useBackend('portable');
    // Runs nothing: only what programs need is looked at.
    use(new IdleBackend(currentBackend()));
  });
  afterAll(() => useBackend('portable'));

  test('a Hessian-vector product needs at most 2.5 times as much as a gradient', () => {
    const model = models.resnet18({ numClasses: 10, stem: 'cifar' });
    model.eval();
    const x = randn([32, 3, 32, 32]);
    const labels = tensor(Int32Array.from({ length: 32 }, (_, i) => i % 10));
    const curvature = new Curvature('test', () => crossEntropy(model.forward(x), labels), model.parameters());
    const gradient = compile(() => curvature.gradient().gradient);
    const product = compile((direction: Tensor) => curvature.product(direction));
    gradient();
    product(randn([curvature.vector.size]));
    const bytesOf = (fn: Parameters<typeof compile.explain>[0]): number =>
      compile.explain(fn).programs[0]!.arenaBytes + 4 * curvature.vector.size;
    // The product is given its direction, and both are given the weights.
    expect(bytesOf(product) + 4 * curvature.vector.size).toBeLessThanOrEqual(2.5 * bytesOf(gradient));
  });
});
