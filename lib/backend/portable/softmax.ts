import { type Call, type FloatArray, type Kernel, floatTypes, type Task, taskOver } from './kernel';

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
