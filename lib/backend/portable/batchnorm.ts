import { type BoundView, type Call, type FloatArray, floatTypes, type Kernel, taskOver } from './kernel';
import { addToMoments, State } from './reduce';

/** Elements of a channel that are brought together before they join the rest of it. */
const CHUNK = 256;

export const batchNormStatistics: Kernel = (call: Call) => {
  call.checkCounts(1, 1, 0);
  const [x, out] = [call.inputs[0]!, call.outputs[0]!];
  const { n, c, s } = checkOperands(call, x, []);
  call.checkDType(out, [x.dtype], 'the output');
  call.checkShape(out, [2, c], 'the output');
  const state = new State();
  return taskOver(c, 5 * n * s, (from, to) => {
    for (let channel = from; channel < to; channel++) {
      state.a = state.b = state.c = 0;
      addChannel(call, x, channel, state);
      // Without elements both are NaN.
      out.floats[out.offset + channel] = state.c === 0 ? NaN : state.a;
      out.floats[out.offset + c + channel] = state.b / state.c;
    }
  });
};

/** Brings the elements of a channel together in chunks, as rows of s elements are often shorter than that. */
function addChannel(call: Call, x: BoundView, channel: number, state: State): void {
  const [n, c, s] = x.shape as [number, number, number];
  const chunk = call.workspace.scratch(0, CHUNK);
  let filled = 0;
  for (let i = 0; i < n; i++) {
    const row = x.offset + (i * c + channel) * s;
    for (let done = 0; done < s;) {
      const count = Math.min(s - done, CHUNK - filled);
      copyToDoubles(count, chunk, filled, x.floats, row + done);
      filled += count;
      done += count;
      if (filled < CHUNK) continue;
      addToMoments(state, chunk, 0, CHUNK);
      filled = 0;
    }
  }
  if (filled > 0) addToMoments(state, chunk, 0, filled);
}

function copyToDoubles(n: number, target: Float64Array, to: number, source: FloatArray, from: number): void {
  for (let i = 0; i < n; i++) target[to + i] = source[from + i]!;
}

export const batchNorm: Kernel = (call: Call) => {
  call.checkCounts(4, 1, 1);
  const [x, statistics, weight, bias] = call.inputs as [BoundView, BoundView, BoundView, BoundView];
  const out = call.outputs[0]!;
  const { n, c, s } = checkOperands(call, x, [statistics, weight, bias, out]);
  call.checkShape(statistics, [2, c], 'the statistics');
  call.checkShape(weight, [c], 'the weight');
  call.checkShape(bias, [c], 'the bias');
  call.checkShape(out, x.shape, 'the output');
  const eps = call.attributes[0]!;
  return taskOver(n * c, 20 + 2 * s, (from, to) => {
    for (let row = from; row < to; row++) {
      const channel = row % c;
      const mean = statistics.floats[statistics.offset + channel]!;
      const variance = statistics.floats[statistics.offset + c + channel]!;
      const scale = weight.floats[weight.offset + channel]! / Math.sqrt(variance + eps);
      const shift = bias.floats[bias.offset + channel]!;
      normalizeRow(s, out.floats, out.offset + row * s, x.floats, x.offset + row * s, mean, scale, shift);
    }
  });
};

function normalizeRow(
  s: number,
  out: FloatArray,
  to: number,
  x: FloatArray,
  from: number,
  mean: number,
  scale: number,
  shift: number,
): void {
  for (let i = 0; i < s; i++) out[to + i] = (x[from + i]! - mean) * scale + shift;
}

export const batchNormGradSums: Kernel = (call: Call) => {
  call.checkCounts(3, 1, 0);
  const [g, x, statistics] = call.inputs as [BoundView, BoundView, BoundView];
  const out = call.outputs[0]!;
  const { n, c, s } = checkOperands(call, x, [g, statistics, out]);
  call.checkShape(g, x.shape, 'the gradient');
  call.checkShape(statistics, [2, c], 'the statistics');
  call.checkShape(out, [2, c], 'the output');
  const sums = new Float64Array(2);
  return taskOver(c, 3 * n * s, (from, to) => {
    for (let channel = from; channel < to; channel++) {
      const mean = statistics.floats[statistics.offset + channel]!;
      sums.fill(0);
      for (let i = 0; i < n; i++) {
        const row = (i * c + channel) * s;
        addGradSums(s, g.floats, g.offset + row, x.floats, x.offset + row, mean, sums);
      }
      out.floats[out.offset + channel] = sums[0]!;
      out.floats[out.offset + c + channel] = sums[1]!;
    }
  });
};

function addGradSums(
  s: number,
  g: FloatArray,
  gFrom: number,
  x: FloatArray,
  xFrom: number,
  mean: number,
  sums: Float64Array,
): void {
  let sum = 0;
  let product = 0;
  for (let i = 0; i < s; i++) {
    const value = g[gFrom + i]!;
    sum += value;
    product += value * (x[xFrom + i]! - mean);
  }
  sums[0]! += sum;
  sums[1]! += product;
}

function checkOperands(call: Call, x: BoundView, others: readonly BoundView[]): { n: number; c: number; s: number } {
  call.checkDType(x, floatTypes, 'x');
  call.checkRank(x, 3, 'x');
  for (const view of others) call.checkDType(view, [x.dtype], 'an operand');
  const [n, c, s] = x.shape as [number, number, number];
  return { n, c, s };
}
