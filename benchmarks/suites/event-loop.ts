import { backendInfo, useBackend } from '../../lib';
import type { Bench } from '../bench';
import { benchmarkModels, buildBatch, buildModel, trainer } from '../models';
import { delayDuring } from '../measure';
import { ways } from '../ways';

const STEPS = 10;

/** How late the event loop is while ResNet-18 trains, the first compilation included. */
export async function eventLoop(bench: Bench): Promise<void> {
  const { title, batch } = benchmarkModels.resnet18;
  for (const [way, run] of Object.entries(ways)) {
    const name = (figure: string): string => `${figure} delay, train ${title}, batch ${batch}, ${way}`;
    if (!['p99', 'max'].some((figure) => bench.wants(name(figure)))) continue;
    useBackend(backendInfo().backend); // Forgets the programs of earlier suites.
    const { x, labels } = buildBatch('resnet18');
    const step = run(trainer(buildModel('resnet18')));
    const { p99, max } = await delayDuring(async () => {
      for (let i = 0; i < STEPS; i++) await step(x, labels).item();
    });
    bench.figure(name('p99'), 'ms', p99);
    bench.figure(name('max'), 'ms', max);
  }
}
