import type { DType } from '../../tensor/dtype';
import { sizeOf } from '../../tensor/shape';
import { type Call, type Kernel, type NumberArray, type Task, arithmeticTypes, floatTypes } from './kernel';
import { coalesce, Cursor } from './strided';

/** Elements of a row that are reduced before they join the rest of it: fixed, so that the bits never depend on strides. */
export const CHUNK = 256;
/** Rows that are gathered together where the reduced elements are not neighbours. */
const ROWS = 16;
/** Elements of each of those rows that one part of the task takes: a multiple of CHUNK. */
const SEGMENT = 128 * CHUNK;

/** What is known of a row: three numbers whose meaning is the reduction's. */
export class State {
  a = 0;
  b = 0;
  c = 0;
}

/** Reduces rows that come in chunks; in double, except that int32 sums wrap. */
export interface Reduction {
  readonly types: readonly DType[];
  readonly outputType?: DType;
  readonly allowsEmpty: boolean;
  start(state: State): void;
  /** Takes data[from .. from + n), the elements `index` to `index` + n of the row, n >= 1. */
  add(state: State, data: NumberArray, from: number, n: number, index: number): void;
  result(state: State): number;
}

const floatSum: Reduction = {
  types: floatTypes,
  allowsEmpty: true,
  start(state) {
    state.a = 0;
  },
  add(state, data, from, n) {
    state.a += sumOf(data, from, n);
  },
  result: (state) => state.a,
};

const integerSum: Reduction = {
  ...floatSum,
  types: ['int32'],
  add(state, data, from, n) {
    state.a = (state.a + integerSumOf(data, from, n)) | 0;
  },
};

const maximum: Reduction = {
  types: arithmeticTypes,
  allowsEmpty: false,
  start(state) {
    state.a = -Infinity;
  },
  add(state, data, from, n) {
    state.a = Math.max(state.a, maximumOf(data, from, n));
  },
  result: (state) => state.a,
};

const minimum: Reduction = {
  types: arithmeticTypes,
  allowsEmpty: false,
  start(state) {
    state.a = Infinity;
  },
  add(state, data, from, n) {
    let least = state.a;
    for (let i = from; i < from + n; i++) least = Math.min(least, data[i]!);
    state.a = least;
  },
  result: (state) => state.a,
};

/** a: the best so far, b: its index or -1. */
const argMaximum: Reduction = {
  types: arithmeticTypes,
  outputType: 'int32',
  allowsEmpty: false,
  start(state) {
    state.b = -1;
  },
  add(state, data, from, n, index) {
    if (state.b < 0) {
      state.a = data[from]!;
      state.b = 0;
    }
    let best = state.a;
    if (best !== best) return;
    for (let i = 0; i < n; i++) {
      const value = data[from + i]!;
      if (value <= best) continue;
      best = value;
      state.b = index + i;
      if (value !== value) break;
    }
    state.a = best;
  },
  result: (state) => state.b,
};

const argMinimum: Reduction = {
  ...argMaximum,
  add(state, data, from, n, index) {
    if (state.b < 0) {
      state.a = data[from]!;
      state.b = 0;
    }
    let best = state.a;
    if (best !== best) return;
    for (let i = 0; i < n; i++) {
      const value = data[from + i]!;
      if (value >= best) continue;
      best = value;
      state.b = index + i;
      if (value !== value) break;
    }
    state.a = best;
  },
};

/** a: the maximum, b: the sum of exp(x - a). */
const logSumExponentials: Reduction = {
  types: floatTypes,
  allowsEmpty: true,
  start(state) {
    state.a = -Infinity;
    state.b = 0;
  },
  add(state, data, from, n) {
    const most = Math.max(state.a, maximumOf(data, from, n));
    if (most === -Infinity) return;
    state.b *= Math.exp(state.a - most);
    state.a = most;
    let sum = 0;
    for (let i = from; i < from + n; i++) sum += Math.exp(data[i]! - most);
    state.b += sum;
  },
  // The sum is at least 1, except that it is NaN where the maximum is infinite.
  result: ({ a, b }) => (a === Infinity || a === -Infinity ? a : a + Math.log(b)),
};

/** a: mean, b: sum of squared deviations from it, c: count (Chan, Golub and LeVeque 1979). */
function variances(correction: number): Reduction {
  return {
    types: floatTypes,
    allowsEmpty: true,
    start(state) {
      state.a = state.b = state.c = 0;
    },
    add: addToMoments,
    result: ({ b, c }) => (c === 0 ? NaN : b / Math.max(0, c - correction)),
  };
}

/** Joins the mean and squared deviations of n >= 1 elements to those in the state. */
export function addToMoments(state: State, data: NumberArray, from: number, n: number): void {
  const mean = sumOf(data, from, n) / n;
  let squares = 0;
  for (let i = from; i < from + n; i++) {
    const deviation = data[i]! - mean;
    squares += deviation * deviation;
  }
  const count = state.c + n;
  const difference = mean - state.a;
  state.a = state.c === 0 ? mean : state.a + (difference * n) / count;
  state.b = state.c === 0 ? squares : state.b + squares + (difference * difference * state.c * n) / count;
  state.c = count;
}

function sumOf(data: NumberArray, from: number, n: number): number {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let i = from;
  const end = from + n;
  for (; i + 3 < end; i += 4) {
    s0 += data[i]!;
    s1 += data[i + 1]!;
    s2 += data[i + 2]!;
    s3 += data[i + 3]!;
  }
  for (; i < end; i++) s0 += data[i]!;
  return s0 + s1 + (s2 + s3);
}

function integerSumOf(data: NumberArray, from: number, n: number): number {
  let sum = 0;
  for (let i = from; i < from + n; i++) sum = (sum + data[i]!) | 0;
  return sum;
}

function maximumOf(data: NumberArray, from: number, n: number): number {
  let most = -Infinity;
  for (let i = from; i < from + n; i++) most = Math.max(most, data[i]!);
  return most;
}

/** The reductions that may end a region (elementwise.ts of the passes), by their number. */
export function foldReduction(fold: number, dtype: DType): Reduction {
  if (fold === 1) return dtype === 'int32' ? integerSum : floatSum;
  return fold === 2 ? maximum : minimum;
}

export const sum: Kernel = (call: Call) => reduce(call, 1, call.inputs[0]?.dtype === 'int32' ? integerSum : floatSum);
export const max: Kernel = (call: Call) => reduce(call, 1, maximum);
export const min: Kernel = (call: Call) => reduce(call, 1, minimum);
export const argmax: Kernel = (call: Call) => reduce(call, 1, argMaximum);
export const argmin: Kernel = (call: Call) => reduce(call, 1, argMinimum);
export const logSumExp: Kernel = (call: Call) => reduce(call, 1, logSumExponentials);
export const variance: Kernel = (call: Call) => reduce(call, 2, variances(call.attributes[1] ?? 0));

function reduce(call: Call, attributes: number, reduction: Reduction): Task {
  call.checkCounts(1, 1, attributes);
  const [input, output] = [call.inputs[0]!, call.outputs[0]!];
  const kept = call.integer(0, 0);
  call.check(kept <= input.shape.length, `keeps ${kept} of ${input.shape.length} dims`);
  call.checkDType(input, reduction.types, 'the input');
  call.checkDType(output, [reduction.outputType ?? input.dtype], 'the output');
  call.checkShape(output, input.shape.slice(0, kept), 'the output');
  const rows = output.size;
  const size = sizeOf(input.shape.slice(kept));
  call.check(size > 0 || rows === 0 || reduction.allowsEmpty, 'nothing to reduce');

  const rowCursor = new Cursor(coalesce(input.shape.slice(0, kept), input.strides.slice(0, kept)));
  const walk = coalesce(input.shape.slice(kept), input.strides.slice(kept));
  const isDense = walk.shape.length === 1 && (walk.strides[0] === 1 || size <= 1);
  const cursor = new Cursor(walk);
  const states = Array.from({ length: ROWS }, () => new State());
  const rowOffsets = new Float64Array(ROWS);
  const offsets = new Int32Array(CHUNK);

  const start = (first: number, count: number): void => {
    for (let row = 0; row < count; row++) {
      rowCursor.seek(first + row);
      rowOffsets[row] = input.offset + rowCursor.offset;
      reduction.start(states[row]!);
    }
  };
  const addDense = (count: number, from: number, to: number): void => {
    for (let row = 0; row < count; row++)
      for (let index = from; index < to; index += CHUNK)
        reduction.add(states[row]!, input.numbers, rowOffsets[row]! + index, Math.min(CHUNK, to - index), index);
  };
  const addGathered = (count: number, from: number, to: number): void => {
    const chunk = call.workspace.scratch(0, CHUNK);
    for (let index = from; index < to; index += CHUNK) {
      const n = Math.min(CHUNK, to - index);
      fillOffsets(cursor, index, n, offsets);
      for (let row = 0; row < count; row++) {
        gatherOffsets(n, chunk, input.numbers, rowOffsets[row]!, offsets);
        reduction.add(states[row]!, chunk, 0, n, index);
      }
    }
  };
  const finish = (first: number, count: number): void => {
    const results = output.numbers;
    for (let row = 0; row < count; row++) results[output.offset + first + row] = reduction.result(states[row]!);
  };

  // A part is several short blocks of rows, or a segment of a long one.
  const blocks = Math.ceil(rows / ROWS);
  const segments = Math.max(1, Math.ceil(size / SEGMENT));
  const blocksPerPart = Math.max(1, Math.floor(SEGMENT / (8 + size)));
  return {
    parts: segments > 1 ? blocks * segments : Math.ceil(blocks / blocksPerPart),
    run(part) {
      const [block, from] =
        segments > 1 ? [Math.floor(part / segments), (part % segments) * SEGMENT] : [part * blocksPerPart, 0];
      const end = segments > 1 ? block + 1 : Math.min(blocks, block + blocksPerPart);
      const to = Math.min(size, from + SEGMENT);
      for (let first = block * ROWS; first < end * ROWS; first += ROWS) {
        const count = Math.min(ROWS, rows - first);
        if (from === 0) start(first, count);
        if (isDense) addDense(count, from, to);
        else addGathered(count, from, to);
        if (to === size) finish(first, count);
      }
    },
  };
}

function fillOffsets(cursor: Cursor, start: number, n: number, offsets: Int32Array): void {
  cursor.seek(start);
  for (let i = 0; i < n; i++) {
    offsets[i] = cursor.offset;
    cursor.advance(1);
  }
}

function gatherOffsets(n: number, chunk: Float64Array, data: NumberArray, base: number, offsets: Int32Array): void {
  for (let i = 0; i < n; i++) chunk[i] = data[base + offsets[i]!]!;
}
