import { backendInfo, models, randn, tensor, useBackend } from '../../lib';
import { submit } from '../../lib/graph/evaluate';
import { Curvature } from '../../lib/landscape/curvature';
import { hessianSpectrum, type HessianSpectrum } from '../../lib/landscape';
import { crossEntropy } from '../../lib/nn/losses/functional';
import type { Bench } from '../bench';
import { delayDuring, timedAwaited } from '../measure';

const BATCH = 32;

/** What curvature costs: a Hessian-vector product beside a gradient, and the extreme eigenvalues of ResNet-18. */
export async function landscape(bench: Bench): Promise<void> {
  const what = `ResNet-18 for 32x32 images, batch ${BATCH}`;
  const product = `Hessian-vector product beside a gradient, ${what}`;
  const spectrum = `five largest and the smallest eigenvalue, ${what}`;
  if (![product, spectrum].some((name) => bench.wants(name))) return;
  const model = models.resnet18({ numClasses: 10, stem: 'cifar' });
  model.eval();
  const x = randn([BATCH, 3, 32, 32]);
  const labels = tensor(Int32Array.from({ length: BATCH }, (_, i) => i % 10));
  await submit([x]);
  const loss = () => crossEntropy(model.forward(x), labels);
  const curvature = new Curvature('benchmark', loss, model.parameters());
  const direction = randn([curvature.vector.size]);
  await submit([direction]);
  await bench.compare({
    name: product,
    unit: 'ms',
    ours: () => timedAwaited('product', () => submit([curvature.product(direction)])),
    limits: [
      timedAwaited('gradient', () => {
        const { loss: value, gradient } = curvature.gradient();
        return submit([value, gradient]);
      }),
    ],
  });
  for (const maxBasis of [undefined, 24]) {
    const name = maxBasis === undefined ? spectrum : `${spectrum}, at most ${maxBasis} vectors`;
    if (!bench.wants(name)) continue;
    const given = maxBasis === undefined ? {} : { maxBasis };
    let found: HessianSpectrum | undefined;
    let seconds = 0;
    useBackend(backendInfo().backend); // Forgets the programs of earlier cases.
    const { p99, max } = await delayDuring(async () => {
      const began = performance.now();
      found = await hessianSpectrum(loss, model.parameters(), { k: 5, smallest: 1, ...given });
      seconds = (performance.now() - began) / 1e3;
    });
    bench.figure(name, 'ms', seconds);
    bench.figure(`p99 delay of the event loop, ${name}`, 'ms', p99);
    bench.figure(`max delay of the event loop, ${name}`, 'ms', max);
    const megabytes = (found!.basisBytes / 1e6).toFixed(0);
    bench.note(`  ${found!.products} products, converged: ${found!.converged}, basis of ${megabytes} MB`);
  }
}
