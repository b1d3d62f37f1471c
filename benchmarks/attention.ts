import { attention, backendInfo, matmul, mul, randn, setThreads, softmax, transpose, where } from '../lib';
import { gradients } from '../lib/autodiff';
import { evaluateSync } from '../lib/graph/evaluate';
import { causalMask } from '../lib/ops/attention';
import type { Tensor } from '../lib/tensor/tensor';
import { median, secondsOf, type Row } from './measure';

type Attention = (q: Tensor, k: Tensor, v: Tensor) => Tensor;

/** The formula, as it was written before it was one operation. */
function composed(isCausal: boolean): Attention {
  return (q, k, v) => {
    const scores = matmul(mul(q, 0.125), transpose(k, -2, -1));
    const seen = isCausal ? where(causalMask(q.shape.at(-2)!, k.shape.at(-2)!), scores, -Infinity) : scores;
    return matmul(softmax(seen, -1), v);
  };
}

const shapes: readonly (readonly [heads: number, queries: number, keys: number])[] = [
  [32, 128, 128],
  [32, 512, 512],
  [4, 2048, 2048],
  [64, 16, 16],
  [32, 1, 512],
];

/** Attention of heads of width 64, in one operation against its formula: forward, and forward with its gradients. */
export function attentions(threads: readonly number[], filter: RegExp): Row[] {
  const rows: Row[] = [];
  for (const count of threads) {
    if (backendInfo().backend === 'native') setThreads(count);
    for (const [heads, queries, keys] of shapes)
      for (const isCausal of [false, true])
        for (const task of ['forward', 'training']) {
          const name = `${task} ${heads}x${queries}x${keys}${isCausal ? ' causal' : ''}`;
          if (!filter.test(name) || (isCausal && queries === 1)) continue;
          const [q, k, v] = [queries, keys, keys].map((length) => randn([heads, length, 64])) as [
            Tensor,
            Tensor,
            Tensor,
          ];
          const g = randn([heads, queries, 64]);
          evaluateSync([q, k, v, g]);
          const run = (f: Attention) => (): void => {
            if (task === 'forward') return evaluateSync([f(q, k, v)]);
            const inputs = [q, k, v].map((x) => x.detach());
            for (const x of inputs) x.requiresGrad = true;
            const y = f(...(inputs as [Tensor, Tensor, Tensor]));
            const found = gradients([y], inputs, [g]) as Tensor[];
            evaluateSync([y, ...found]);
          };
          const fused = run((x, y, z) => attention(x, y, z, null, { scale: 0.125, isCausal }));
          const plain = run(composed(isCausal));
          // By turns: what else runs on the machine hits both.
          const turns = Array.from({ length: 9 }, () => [secondsOf(fused, 1), secondsOf(plain, 1)] as const);
          const ours = median(turns.map(([seconds]) => seconds));
          const reference = median(turns.map(([, seconds]) => seconds));
          rows.push({
            suite: 'attention',
            case: name,
            threads: count,
            unit: 'ms',
            ours: ours * 1e3,
            reference: reference * 1e3,
            referenceName: 'formula',
            ratio: median(turns.map(([a, b]) => a / b)),
          });
        }
  }
  return rows;
}
