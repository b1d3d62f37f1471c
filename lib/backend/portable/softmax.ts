import { checkedIndex } from './indexing';
import { type BoundView, type Call, type FloatArray, type Kernel, floatTypes, type Task, taskOver } from './kernel';

export const softmax: Kernel = (call: Call) => overLastDim(call, softmaxRow);
export const logSoftmax: Kernel = (call: Call) => overLastDim(call, logSoftmaxRow);

type Row = (x: FloatArray, from: number, out: FloatArray, to: number, n: number) => void;

function overLastDim(call: Call, row: Row): Task {
  call.checkCounts(1, 1, 0);
  const [x, out] = [call.inputs[0]!, call.outputs[0]!];
  call.checkDType(x, floatTypes, 'the input');
  call.checkDType(out, [x.dtype], 'the output');
  call.check(x.shape.length > 0, 'the input has no dims');
  call.checkShape(out, x.shape, 'the output');
  const n = x.shape[x.shape.length - 1]!;
  return taskOver(n === 0 ? 0 : x.size / n, 20 + 15 * n, (from, to) => {
    for (let i = from; i < to; i++) row(x.floats, x.offset + i * n, out.floats, out.offset + i * n, n);
  });
}

function softmaxRow(x: FloatArray, from: number, out: FloatArray, to: number, n: number): void {
  const most = maximumOf(x, from, n);
  let sum = 0;
  for (let i = 0; i < n; i++) {
    const power = Math.exp(x[from + i]! - most);
    sum += power;
    out[to + i] = power;
  }
  for (let i = to; i < to + n; i++) out[i]! /= sum;
}

function logSoftmaxRow(x: FloatArray, from: number, out: FloatArray, to: number, n: number): void {
  const most = maximumOf(x, from, n);
  let sum = 0;
  for (let i = from; i < from + n; i++) sum += Math.exp(x[i]! - most);
  const logarithm = Math.log(sum);
  for (let i = 0; i < n; i++) out[to + i] = x[from + i]! - most - logarithm;
}

function maximumOf(x: FloatArray, from: number, n: number): number {
  let most = -Infinity;
  for (let i = from; i < from + n; i++) most = Math.max(most, x[i]!);
  return most;
}

/** Checks logits [N, C], labels [N] and the attributes; what it returns counts the rows that are not ignored. */
function crossEntropy(call: Call, logits: BoundView, labels: BoundView): () => number {
  call.checkDType(logits, floatTypes, 'the input');
  call.checkDType(labels, ['int32'], 'the labels');
  call.checkRank(logits, 2, 'the input');
  call.checkShape(labels, logits.shape.slice(0, 1), 'the labels');
  call.check(logits.shape[1]! > 0, 'there are no classes');
  const [ignoreIndex, mean] = [call.integer(0, -(2 ** 31)), call.integer(1, 0)];
  call.check(mean <= 1, 'attribute 1 is 0 or 1');
  return () => {
    let count = 0;
    for (let i = 0; i < labels.size; i++) if (labels.integers[labels.offset + i] !== ignoreIndex) count++;
    return mean === 0 ? 1 : count;
  };
}

export const softmaxCrossEntropy: Kernel = (call: Call) => {
  call.checkCounts(2, 1, 2);
  const [x, labels, out] = [call.inputs[0]!, call.inputs[1]!, call.outputs[0]!];
  const countOf = crossEntropy(call, x, labels);
  call.checkDType(out, [x.dtype], 'the output');
  call.checkShape(out, labels.shape, 'the output');
  const [classes, ignoreIndex] = [x.shape[1]!, call.attributes[0]!];
  let count = 1;
  const task = taskOver(labels.size, 20 + 15 * classes, (from, to) => {
    for (let i = from; i < to; i++) {
      const isIgnored = labels.integers[labels.offset + i] === ignoreIndex;
      const loss = isIgnored ? 0 : rowLoss(x.floats, x.offset + i * classes, classes, checkedIndex(labels, i, classes));
      out.floats[out.offset + i] = loss / count;
    }
  });
  return { ...task, begin: () => void (count = countOf()) };
};

function rowLoss(x: FloatArray, from: number, n: number, label: number): number {
  const most = maximumOf(x, from, n);
  let sum = 0;
  for (let i = from; i < from + n; i++) sum += Math.exp(x[i]! - most);
  return Math.log(sum) - (x[from + label]! - most);
}

export const softmaxCrossEntropyGrad: Kernel = (call: Call) => {
  call.checkCounts(3, 1, 2);
  const [g, x, labels] = call.inputs as [BoundView, BoundView, BoundView];
  const out = call.outputs[0]!;
  const countOf = crossEntropy(call, x, labels);
  call.checkDType(g, [x.dtype], 'the gradient');
  call.checkDType(out, [x.dtype], 'the output');
  call.checkShape(out, x.shape, 'the output');
  call.checkRank(g, 1, 'the gradient');
  call.check(g.size === 1 || g.size === labels.size, 'the gradient has neither one element nor one for each label');
  const [classes, ignoreIndex, step] = [x.shape[1]!, call.attributes[0]!, g.size === 1 ? 0 : 1];
  let count = 1;
  const task = taskOver(labels.size, 20 + 15 * classes, (from, to) => {
    for (let i = from; i < to; i++) {
      const row = out.offset + i * classes;
      if (labels.integers[labels.offset + i] === ignoreIndex) {
        out.floats.fill(0, row, row + classes);
        continue;
      }
      const label = checkedIndex(labels, i, classes);
      const weight = g.floats[g.offset + i * step]! / count;
      rowGradient(x.floats, x.offset + i * classes, out.floats, row, classes, label, weight);
    }
  });
  return { ...task, begin: () => void (count = countOf()) };
};

function rowGradient(
  x: FloatArray,
  from: number,
  out: FloatArray,
  to: number,
  n: number,
  label: number,
  weight: number,
): void {
  const most = maximumOf(x, from, n);
  let sum = 0;
  for (let i = from; i < from + n; i++) sum += Math.exp(x[i]! - most);
  for (let i = 0; i < n; i++) {
    const probability = Math.exp(x[from + i]! - most) / sum;
    out[to + i] = (i === label ? probability - 1 : probability) * weight;
  }
}
