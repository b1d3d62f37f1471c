import { attention as attentionOf, matmul, mul, randn, softmax, transpose, where } from '../../lib';
import { gradients } from '../../lib/autodiff';
import { evaluateSync } from '../../lib/graph/evaluate';
import { causalMask } from '../../lib/ops/attention';
import type { Tensor } from '../../lib/tensor/tensor';
import type { Bench } from '../bench';
import { timed } from '../measure';

type Attention = (q: Tensor, k: Tensor, v: Tensor) => Tensor;

const WIDTH = 64;
const SCALE = 1 / Math.sqrt(WIDTH);

const shapes: readonly (readonly [heads: number, queries: number, keys: number])[] = [
  [32, 128, 128],
  [32, 512, 512],
  [4, 2048, 2048],
  [64, 16, 16],
  [32, 1, 512],
];

/** The formula, as it is written in plain operations. */
function composed(isCausal: boolean): Attention {
  return (q, k, v) => {
    const scores = matmul(mul(q, SCALE), transpose(k, -2, -1));
    const seen = isCausal ? where(causalMask(q.shape.at(-2)!, k.shape.at(-2)!), scores, -Infinity) : scores;
    return matmul(softmax(seen, -1), v);
  };
}

/** Attention of heads of width 64, in one operation against its formula: forward, and forward with its gradients. */
export async function attention(bench: Bench): Promise<void> {
  for (const [heads, queries, keys] of shapes)
    for (const isCausal of [false, true])
      for (const task of ['forward', 'training'] as const) {
        if (isCausal && queries === 1) continue;
        const lengths = [queries, keys, keys, queries];
        const call = (f: Attention): (() => void) => {
          const [q, k, v, g] = lengths.map((length) => randn([heads, length, WIDTH]));
          evaluateSync([q!, k!, v!, g!]);
          if (task === 'forward') return () => evaluateSync([f(q!, k!, v!)]);
          return () => {
            const inputs = [q!, k!, v!].map((x) => x.detach());
            for (const x of inputs) x.requiresGrad = true;
            const y = f(inputs[0]!, inputs[1]!, inputs[2]!);
            evaluateSync([y, ...(gradients([y], inputs, [g!]) as Tensor[])]);
          };
        };
        await bench.compare({
          name: `${task} ${heads}x${queries}x${keys}${isCausal ? ' causal' : ''}`,
          unit: 'ms',
          ours: () =>
            timed(
              'fused',
              call((q, k, v) => attentionOf(q, k, v, null, { scale: SCALE, isCausal })),
            ),
          limits: [timed('formula', call(composed(isCausal)))],
        });
      }
}
