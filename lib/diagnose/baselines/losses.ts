import { binaryCrossEntropyWithLogits, crossEntropy, mseLoss } from '../../nn/losses/functional';
import { cast } from '../../ops/cast';
import { reshape } from '../../ops/shape';
import type { Tensor } from '../../tensor/tensor';
import type { Samples } from './samples';
import type { BaselineLoss, Task } from './types';

/** The loss that a task's model is trained with. */
export function lossOf({ task }: Samples): BaselineLoss {
  if (task === 'regression') return 'meanSquareError';
  return task === 'multiclass' ? 'crossEntropy' : 'binaryCrossEntropy';
}

/** The loss of a task, as training uses it. */
export function lossFor(task: Task): (output: Tensor, target: Tensor) => Tensor {
  if (task === 'multiclass') return (output, target) => crossEntropy(output, target);
  const fitted = (output: Tensor, target: Tensor): Tensor => cast(reshape(target, output.shape), output.dtype);
  return task === 'regression'
    ? (output, target) => mseLoss(output, fitted(output, target))
    : (output, target) => binaryCrossEntropyWithLogits(output, fitted(output, target));
}

/** log(1 + e^x) without overflow. */
export function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** The mean loss of scores [count, outputs]. */
export function meanLoss(scores: Float64Array, samples: Samples, loss: BaselineLoss): number {
  const { count, outputs, y, task } = samples;
  if (loss === 'crossEntropy') return meanCrossEntropy(scores, samples);
  let sum = 0;
  for (let i = 0; i < count * outputs; i++) {
    const score = scores[i]!;
    const target = task === 'multiclass' ? Number(y[Math.floor(i / outputs)] === i % outputs) : y[i]!;
    if (loss === 'meanSquareError') sum += (score - target) ** 2;
    else if (loss === 'hinge') sum += Math.max(0, 1 - (2 * target - 1) * score);
    else sum += softplus(target === 1 ? -score : score);
  }
  return sum / (count * outputs);
}

function meanCrossEntropy(scores: Float64Array, { count, outputs, y }: Samples): number {
  let sum = 0;
  for (let i = 0; i < count; i++) {
    const row = scores.subarray(i * outputs, (i + 1) * outputs);
    sum += logSumExp(row) - row[y[i]!]!;
  }
  return sum / count;
}

export function logSumExp(row: Float64Array): number {
  let most = -Infinity;
  for (let j = 0; j < row.length; j++) most = Math.max(most, row[j]!);
  let sum = 0;
  for (let j = 0; j < row.length; j++) sum += Math.exp(row[j]! - most);
  return most + Math.log(sum);
}

/** Share of right decisions: the largest score, or a score above 0. */
export function accuracyOf(scores: Float64Array, { task, count, outputs, y }: Samples): number | null {
  if (task === 'regression') return null;
  let right = 0;
  if (task !== 'multiclass') {
    for (let i = 0; i < scores.length; i++) if (scores[i]! > 0 === (y[i] === 1)) right++;
    return right / scores.length;
  }
  for (let i = 0; i < count; i++) {
    const row = scores.subarray(i * outputs, (i + 1) * outputs);
    if (row.indexOf(row.reduce((a, b) => Math.max(a, b))) === y[i]) right++;
  }
  return right / count;
}
