import { type BoundView, type Call, type FloatArray, floatTypes, type Kernel, taskOver } from './kernel';
import { addToMoments, State } from './reduce';

/** The rows of [R, D], their mean and 1 / √(variance + eps) as they are taken again for each kernel. */
class Rows {
  readonly rows: number;
  readonly length: number;
  readonly #eps: number;
  readonly #x: BoundView;
  readonly #state = new State();
  mean = 0;
  inverse = 0;

  constructor(call: Call, x: BoundView, others: readonly BoundView[]) {
    call.checkDType(x, floatTypes, 'x');
    call.checkRank(x, 2, 'x');
    for (const view of [...others, ...call.outputs]) call.checkDType(view, [x.dtype], 'an operand');
    [this.rows, this.length] = x.shape as [number, number];
    this.#eps = call.attributes[0]!;
    this.#x = x;
  }

  checkPerColumn(call: Call, ...views: readonly BoundView[]): void {
    for (const view of views) call.checkShape(view, [this.length], 'weight or bias');
  }

  /** Takes a row's statistics; returns where it begins. */
  take(row: number): number {
    const from = this.#x.offset + row * this.length;
    const state = this.#state;
    state.a = state.b = state.c = 0;
    addToMoments(state, this.#x.floats, from, this.length);
    this.mean = state.a;
    this.inverse = 1 / Math.sqrt(state.b / state.c + this.#eps);
    return from;
  }
}

export const layerNorm: Kernel = (call) => {
  call.checkCounts(3, 1, 1);
  const [x, weight, bias] = call.inputs as [BoundView, BoundView, BoundView];
  const out = call.outputs[0]!;
  const rows = new Rows(call, x, [weight, bias]);
  rows.checkPerColumn(call, weight, bias);
  call.checkShape(out, x.shape, 'the output');
  return taskOver(rows.rows, 8 * rows.length, (begin, end) => {
    for (let row = begin; row < end; row++) {
      const from = rows.take(row);
      const to = out.offset + row * rows.length;
      normalize(rows, out.floats, to, x.floats, from, weight.floats, weight.offset, bias.floats, bias.offset);
    }
  });
};

function normalize(
  { length, mean, inverse }: Rows,
  out: FloatArray,
  to: number,
  x: FloatArray,
  from: number,
  weight: FloatArray,
  firstWeight: number,
  bias: FloatArray,
  firstBias: number,
): void {
  for (let i = 0; i < length; i++)
    out[to + i] = (x[from + i]! - mean) * inverse * weight[firstWeight + i]! + bias[firstBias + i]!;
}

export const layerNormInputGrad: Kernel = (call) => {
  call.checkCounts(3, 1, 1);
  const [g, x, weight] = call.inputs as [BoundView, BoundView, BoundView];
  const out = call.outputs[0]!;
  const rows = new Rows(call, x, [g, weight]);
  rows.checkPerColumn(call, weight);
  call.checkShape(g, x.shape, 'the gradient');
  call.checkShape(out, x.shape, 'the output');
  const scaled = new Float64Array(rows.length);
  return taskOver(rows.rows, 12 * rows.length, (begin, end) => {
    for (let row = begin; row < end; row++) {
      const from = rows.take(row);
      const at = row * rows.length;
      multiply(rows.length, scaled, g.floats, g.offset + at, weight.floats, weight.offset);
      project(rows, out.floats, out.offset + at, x.floats, from, scaled);
    }
  });
};

function multiply(n: number, out: Float64Array, a: FloatArray, fromA: number, b: FloatArray, fromB: number): void {
  for (let i = 0; i < n; i++) out[i] = a[fromA + i]! * b[fromB + i]!;
}

function project(
  { length, mean, inverse }: Rows,
  out: FloatArray,
  to: number,
  x: FloatArray,
  from: number,
  values: Float64Array,
): void {
  let sum = 0;
  let products = 0;
  for (let i = 0; i < length; i++) {
    sum += values[i]!;
    products += values[i]! * (x[from + i]! - mean);
  }
  const shift = sum / length;
  const slope = (products / length) * inverse * inverse;
  for (let i = 0; i < length; i++) out[to + i] = inverse * (values[i]! - shift - (x[from + i]! - mean) * slope);
}

export const layerNormWeightGrads: Kernel = (call) => {
  call.checkCounts(2, 1, 1);
  const [g, x] = call.inputs as [BoundView, BoundView];
  const out = call.outputs[0]!;
  const rows = new Rows(call, x, [g]);
  const n = rows.length;
  call.checkShape(g, x.shape, 'the gradient');
  call.checkShape(out, [2, n], 'the output');
  const sums = new Float64Array(2 * n);
  const task = taskOver(rows.rows, 10 * n, (begin, end) => {
    for (let row = begin; row < end; row++) {
      const from = rows.take(row);
      addRow(rows, sums, g.floats, g.offset + row * n, x.floats, from);
    }
  });
  return {
    ...task,
    // The last part leaves the sums in the output; without rows there is none.
    begin: () => {
      sums.fill(0);
      if (rows.rows === 0) store(2 * n, out.floats, out.offset, sums);
    },
    run(part) {
      task.run(part);
      if (part === task.parts - 1) store(2 * n, out.floats, out.offset, sums);
    },
  };
};

function addRow(
  { length, mean, inverse }: Rows,
  sums: Float64Array,
  g: FloatArray,
  fromG: number,
  x: FloatArray,
  from: number,
): void {
  for (let i = 0; i < length; i++) {
    const value = g[fromG + i]!;
    sums[i]! += value * (x[from + i]! - mean) * inverse;
    sums[length + i]! += value;
  }
}

function store(n: number, out: FloatArray, to: number, values: Float64Array): void {
  for (let i = 0; i < n; i++) out[to + i] = values[i]!;
}
