import { backendInfo, matmul, randn } from '../../lib';
import { loadAddon } from '../../lib/backend/native/loader';
import { evaluateSync } from '../../lib/graph/evaluate';
import type { Bench } from '../bench';
import { timed } from '../measure';

const SIZES = [64, 128, 256, 512, 1024, 2048];

/** Square float32 products against the FMA peak that this machine shows, in the same tier, on as many threads. */
export async function gemm(bench: Bench): Promise<void> {
  const { addon } = loadAddon();
  if (backendInfo().backend !== 'native' || addon === null)
    throw new Error(`the suite gemm measures the native backend: ${backendInfo().reason}`);
  for (const size of SIZES) {
    const ours = () => {
      const [a, b] = [randn([size, size]), randn([size, size])];
      evaluateSync([a, b]);
      return timed('plain', () => evaluateSync([matmul(a, b)]));
    };
    // Of one thread, times their number: so the time stands for cores that do nothing else.
    const time = (): number => (2 * size ** 3) / (addon.fmaPeak(0.02) * bench.threads * 1e9);
    await bench.compare({
      name: `sgemm ${size}`,
      unit: 'ms',
      ours,
      limits: [{ name: `fma peak, ${addon.isa}`, time }],
    });
  }
}
