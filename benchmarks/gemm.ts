import { loadAddon } from '../lib/backend/native/loader';
import { backendInfo, matmul, randn, setThreads } from '../lib';
import { evaluateSync } from '../lib/graph/evaluate';
import { median, secondsOf, type Row } from './measure';

const SIZES = [64, 128, 256, 512, 1024, 2048];

/** Square float32 products as a share of the FMA peak that this machine shows on the same threads and tier. */
export function gemm(threads: readonly number[], filter: RegExp): Row[] {
  const { addon } = loadAddon();
  if (backendInfo().backend !== 'native' || addon === null)
    throw new Error(`the suite gemm measures the native backend: ${backendInfo().reason}`);
  const rows: Row[] = [];
  for (const count of threads) {
    setThreads(count);
    for (const size of SIZES) {
      const name = `sgemm ${size}`;
      if (!filter.test(name)) continue;
      const [a, b] = [randn([size, size]), randn([size, size])];
      evaluateSync([a, b]);
      const product = (): void => evaluateSync([matmul(a, b)]);
      // The peak is taken beside each case, as clocks change with time and load.
      const peak = median(Array.from({ length: 9 }, () => addon.fmaPeak(0.02))) * count;
      const ours = (2 * size ** 3) / secondsOf(product) / 1e9;
      rows.push({
        suite: 'gemm',
        case: name,
        threads: count,
        unit: 'GFLOP/s',
        ours,
        reference: peak,
        referenceName: `FMA peak, ${addon.isa}`,
        ratio: ours / peak,
      });
    }
  }
  return rows;
}
