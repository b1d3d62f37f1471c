// Child process of event-loop.test.ts: runs programs of a second or more, the first compilation included, beside an
// event loop that measures its own delay. Prints { seconds, p99, max } in milliseconds above the resolution of 1 ms.
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { matmul, mul, randn, type Tensor } from '../../lib';

async function main(): Promise<void> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  const x = randn([1024, 1024]);
  await x.data();
  const tick = setInterval(() => undefined, 1);
  await new Promise((resolve) => setTimeout(resolve, 200));
  delay.enable();
  const start = performance.now();
  let programs = 0;
  while (performance.now() - start < 3000) {
    let y: Tensor = x;
    for (let i = 0; i < 60; i++) y = mul(matmul(y, x), 0.03);
    await y.sum().item();
    programs++;
  }
  const seconds = (performance.now() - start) / 1000;
  delay.disable();
  clearInterval(tick);
  console.log(JSON.stringify({ seconds, programs, p99: delay.percentile(99) / 1e6 - 1, max: delay.max / 1e6 - 1 }));
}

void main();
