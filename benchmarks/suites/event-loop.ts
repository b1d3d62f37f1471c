import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { backendInfo, useBackend } from '../../lib';
import type { Bench } from '../bench';
import { benchmarkModels, buildBatch, buildModel, trainer } from '../models';
import { ways } from '../ways';

const STEPS = 10;
/** Of the monitor, in nanoseconds: a loop that is never late shows this. */
const RESOLUTION = 1e6;

/** How late the event loop is while ResNet-18 trains, the first compilation included. */
export async function eventLoop(bench: Bench): Promise<void> {
  const { title, batch } = benchmarkModels.resnet18;
  for (const [way, run] of Object.entries(ways)) {
    const name = (figure: string): string => `${figure} delay, train ${title}, batch ${batch}, ${way}`;
    if (!['p99', 'max'].some((figure) => bench.wants(name(figure)))) continue;
    useBackend(backendInfo().backend); // Forgets the programs of earlier suites.
    const { x, labels } = buildBatch('resnet18');
    const step = run(trainer(buildModel('resnet18')));
    const delay = monitorEventLoopDelay({ resolution: 1 });
    await pause(200); // What was made above is not part of it.
    delay.enable();
    await pause(20); // The first turn only starts the clock.
    for (let i = 0; i < STEPS; i++) await step(x, labels).item();
    delay.disable();
    bench.figure(name('p99'), 'ms', (delay.percentile(99) - RESOLUTION) / 1e9);
    bench.figure(name('max'), 'ms', (delay.max - RESOLUTION) / 1e9);
  }
}
