import { backward } from '../../autodiff/backward';
import { abortErrorOf, signalOf } from '../../graph/abort';
import { submit } from '../../graph/evaluate';
import { readData, readItem } from '../../graph/reading';
import { binaryCrossEntropyWithLogits, crossEntropy } from '../../nn/losses/functional';
import { LBFGS } from '../../optim/lbfgs';
import { tensor, zeros } from '../../ops/create';
import { add, mul } from '../../ops/elementwise';
import { matmulTransposed } from '../../ops/matmul';
import { sum } from '../../ops/reduce';
import { Variable, type Tensor } from '../../tensor/tensor';
import { affineBaseline } from './affine';
import { runInTurns, type Report } from './running';
import { toFloat64, type Samples } from './samples';
import { isSeparable } from './separability';
import type { Baseline, BaselineOptions } from './types';

const MAX_STEPS = 200;
const TOLERANCE_GRAD = 1e-7;

/** What `fitLogistic` minimises, by L-BFGS with a strong Wolfe line search in float64. */
export async function fitByLbfgs(
  samples: Samples,
  penalty: number,
  options: BaselineOptions,
  report: Report,
): Promise<Baseline> {
  const { count, features, outputs, task } = samples;
  const isMulticlass = task === 'multiclass';
  const signal = signalOf('fitLogistic', options);
  const x = tensor(samples.x, { shape: [count, features] });
  const y = isMulticlass ? tensor(samples.y, { dtype: 'int32' }) : tensor(samples.y, { shape: [count, outputs] });
  const weight = new Variable(zeros([outputs, features], { dtype: 'float64' }), { requiresGrad: true });
  const bias = new Variable(zeros([outputs], { dtype: 'float64' }), { requiresGrad: true });
  const decay = penalty / 2 / (isMulticlass ? 1 : outputs);
  const optimizer = new LBFGS([weight, bias], {
    lineSearchFn: 'strongWolfe',
    toleranceGrad: TOLERANCE_GRAD / 2,
    toleranceChange: 1e-14,
    historySize: 20,
  });
  const closure = (): Tensor => {
    optimizer.zeroGrad();
    const scores = add(matmulTransposed(x, weight), bias);
    const loss = isMulticlass ? crossEntropy(scores, y) : binaryCrossEntropyWithLogits(scores, y);
    const objective = decay === 0 ? loss : add(loss, mul(sum(mul(weight, weight)), decay));
    backward(objective);
    return objective;
  };
  let objective = Infinity;
  let converged = false;
  let iterations = 0;
  while (!converged && iterations < MAX_STEPS) {
    if (signal?.aborted === true) throw abortErrorOf(signal);
    await optimizer.step(closure);
    const last = closure();
    await submit([last, weight.grad!, bias.grad!]);
    objective = await readItem(last);
    converged = (await largest(weight.grad!)) <= TOLERANCE_GRAD && (await largest(bias.grad!)) <= TOLERANCE_GRAD;
    report(++iterations, objective);
  }
  const weights = new Float64Array(outputs * (features + 1));
  const matrix = toFloat64(await readData(weight.current));
  const biases = await readData(bias.current);
  for (let k = 0; k < outputs; k++) {
    weights.set(matrix.subarray(k * features, (k + 1) * features), k * (features + 1));
    weights[k * (features + 1) + features] = Number(biases[k]);
  }
  return runInTurns('fitLogistic', finish(), options);

  function* finish() {
    const separable = penalty === 0 && (yield* isSeparable(samples, weights));
    const outcome = { separable, converged: converged && !separable, iterations, objective };
    return yield* affineBaseline('logistic regression', samples, weights, outcome);
  }
}

async function largest(gradient: Tensor): Promise<number> {
  return toFloat64(await readData(gradient)).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
