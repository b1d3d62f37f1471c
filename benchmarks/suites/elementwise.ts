import {
  abs,
  add,
  compile,
  full,
  maximum,
  minimum,
  mul,
  neg,
  optim,
  sub,
  Variable,
  type Tensor,
  type TensorBase,
} from '../../lib';
import { evaluateSync } from '../../lib/graph/evaluate';
import type { Bench } from '../bench';
import { timed, type Contender } from '../measure';
import { ways } from '../ways';
import { Bandwidth } from './bandwidth';

const PARAMETERS = 11_000_000;
/** Reads parameter, gradient and two moments; writes parameter and moments. */
const ADAM_BYTES = 7 * 4;
const ELEMENTS = 16 << 20;

/** What moves more memory than it computes, against the bandwidth taken beside it. */
export async function elementwise(bench: Bench): Promise<void> {
  const bandwidth = new Bandwidth(bench.threads);
  try {
    await adam(bench, bandwidth);
    await chains(bench, bandwidth);
  } finally {
    await bandwidth.close();
  }
}

async function adam(bench: Bench, bandwidth: Bandwidth): Promise<void> {
  const ours = () => {
    const parameter = new Variable(full([PARAMETERS], 0.5), { requiresGrad: true });
    parameter.grad = full([PARAMETERS], 0.25);
    evaluateSync([parameter.current, parameter.grad]);
    const optimizer = new optim.Adam([parameter], { lr: 1e-3 });
    return timed('plain', () => optimizer.stepSync());
  };
  await bench.compare({
    name: 'Adam, 11M parameters, plain',
    unit: 'ms',
    ours,
    limits: [bandwidth.limit(PARAMETERS * ADAM_BYTES)],
    task: { task: 'adam', size: PARAMETERS },
  });
}

/** The same as `chain` of torch_peer.py. */
function chain(x: TensorBase): Tensor {
  const y = sub(add(mul(abs(neg(add(mul(x, 0.5), 0.25))), 0.9), 0.1), 0.05);
  return mul(minimum(maximum(y, 0.2), 0.8), 1.1);
}

/** In place, as PyTorch has it, by a Variable of a compiled step; and into memory that is new each time. */
async function chains(bench: Bench, bandwidth: Bandwidth): Promise<void> {
  await compareChain(bench, bandwidth, 'in place', () => {
    const x = new Variable(full([ELEMENTS], 0.5));
    const one = full([], 1);
    evaluateSync([x.current, one]);
    const step = compile((input: TensorBase) => {
      x.assign(chain(x));
      return mul(input, 2);
    });
    return timed('compiled', () => evaluateSync([step(one)]));
  });
  for (const [way, run] of Object.entries(ways)) {
    await compareChain(bench, bandwidth, way, () => {
      const x = full([ELEMENTS], 0.5);
      evaluateSync([x]);
      const compute = run(chain);
      return timed(way, () => evaluateSync([compute(x)]));
    });
  }
}

async function compareChain(bench: Bench, bandwidth: Bandwidth, way: string, ours: () => Contender): Promise<void> {
  await bench.compare({
    name: `chain of 10, 16M elements, ${way}`,
    unit: 'ms',
    ours,
    limits: [bandwidth.limit(ELEMENTS * 8)],
    task: { task: 'chain', size: ELEMENTS },
  });
}
