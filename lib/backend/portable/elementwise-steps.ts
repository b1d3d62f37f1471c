import type { Opcode } from '../../graph/program/elementwise';
import type { DType } from '../../tensor/dtype';
import { philox, unit53 } from '../../tensor/philox';
import { erf } from './erf';
import type { FloatArray, NumberArray } from './kernel';

/**
 * One step over n elements, from number `first` of the segment on: out[o + e] = f(a[i + e], b[j + e], c[k + e]). Every loop stands by itself so that V8 sees
 * few kinds of arrays in each: floats share loops (storing into a Float32Array rounds), other dtypes have their own.
 */
export type Step = (
  n: number,
  out: NumberArray,
  o: number,
  a: NumberArray,
  i: number,
  b: NumberArray,
  j: number,
  c: NumberArray,
  k: number,
  first: number,
) => void;

type FloatStep = (n: number, out: FloatArray, o: number, a: FloatArray, i: number, b: FloatArray, j: number) => void;
type IntegerStep = (n: number, out: Int32Array, o: number, a: Int32Array, i: number, b: Int32Array, j: number) => void;
type Comparison = (n: number, out: Uint8Array, o: number, a: NumberArray, i: number, b: NumberArray, j: number) => void;
type LogicStep = (n: number, out: Uint8Array, o: number, a: Uint8Array, i: number, b: Uint8Array, j: number) => void;
type Int64Step = (
  n: number,
  out: BigInt64Array,
  o: number,
  a: BigInt64Array,
  i: number,
  b: BigInt64Array,
  j: number,
  c: BigInt64Array,
  k: number,
) => void;

/** 2^52: adding it to a smaller double rounds that to a whole number, half to even. */
const WHOLE = 4503599627370496;

const floatSteps: { readonly [O in Opcode]?: FloatStep } = {
  add(n, out, o, a, i, b, j) {
    for (let e = 0; e < n; e++) out[o + e] = a[i + e]! + b[j + e]!;
  },
  sub(n, out, o, a, i, b, j) {
    for (let e = 0; e < n; e++) out[o + e] = a[i + e]! - b[j + e]!;
  },
  mul(n, out, o, a, i, b, j) {
    for (let e = 0; e < n; e++) out[o + e] = a[i + e]! * b[j + e]!;
  },
  div(n, out, o, a, i, b, j) {
    for (let e = 0; e < n; e++) out[o + e] = a[i + e]! / b[j + e]!;
  },
  neg(n, out, o, a, i) {
    for (let e = 0; e < n; e++) out[o + e] = -a[i + e]!;
  },
  abs(n, out, o, a, i) {
    for (let e = 0; e < n; e++) out[o + e] = Math.abs(a[i + e]!);
  },
  sign(n, out, o, a, i) {
    for (let e = 0; e < n; e++) {
      const x = a[i + e]!;
      out[o + e] = x > 0 ? 1 : x < 0 ? -1 : x === 0 ? 0 : NaN;
    }
  },
  maximum(n, out, o, a, i, b, j) {
    for (let e = 0; e < n; e++) out[o + e] = Math.max(a[i + e]!, b[j + e]!);
  },
  minimum(n, out, o, a, i, b, j) {
    for (let e = 0; e < n; e++) out[o + e] = Math.min(a[i + e]!, b[j + e]!);
  },
  pow(n, out, o, a, i, b, j) {
    for (let e = 0; e < n; e++) {
      const x = a[i + e]!;
      const y = b[j + e]!;
      // IEEE 754: 1 to any power is 1, and so is -1 to an infinite one; JavaScript says NaN.
      out[o + e] = x === 1 || (x === -1 && (y === Infinity || y === -Infinity)) ? 1 : Math.pow(x, y);
    }
  },
  exp(n, out, o, a, i) {
    for (let e = 0; e < n; e++) out[o + e] = Math.exp(a[i + e]!);
  },
  expm1(n, out, o, a, i) {
    for (let e = 0; e < n; e++) out[o + e] = Math.expm1(a[i + e]!);
  },
  log(n, out, o, a, i) {
    for (let e = 0; e < n; e++) out[o + e] = Math.log(a[i + e]!);
  },
  log1p(n, out, o, a, i) {
    for (let e = 0; e < n; e++) out[o + e] = Math.log1p(a[i + e]!);
  },
  sqrt(n, out, o, a, i) {
    for (let e = 0; e < n; e++) out[o + e] = Math.sqrt(a[i + e]!);
  },
  rsqrt(n, out, o, a, i) {
    for (let e = 0; e < n; e++) out[o + e] = 1 / Math.sqrt(a[i + e]!);
  },
  sin(n, out, o, a, i) {
    for (let e = 0; e < n; e++) out[o + e] = Math.sin(a[i + e]!);
  },
  cos(n, out, o, a, i) {
    for (let e = 0; e < n; e++) out[o + e] = Math.cos(a[i + e]!);
  },
  tanh(n, out, o, a, i) {
    for (let e = 0; e < n; e++) out[o + e] = Math.tanh(a[i + e]!);
  },
  sigmoid(n, out, o, a, i) {
    for (let e = 0; e < n; e++) {
      const x = a[i + e]!;
      const small = Math.exp(-Math.abs(x));
      out[o + e] = x < 0 ? small / (1 + small) : 1 / (1 + small);
    }
  },
  softplus(n, out, o, a, i) {
    for (let e = 0; e < n; e++) {
      const x = a[i + e]!;
      out[o + e] = Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
    }
  },
  erf(n, out, o, a, i) {
    for (let e = 0; e < n; e++) out[o + e] = erf(a[i + e]!);
  },
  floor(n, out, o, a, i) {
    for (let e = 0; e < n; e++) out[o + e] = Math.floor(a[i + e]!);
  },
  ceil(n, out, o, a, i) {
    for (let e = 0; e < n; e++) out[o + e] = Math.ceil(a[i + e]!);
  },
  round(n, out, o, a, i) {
    for (let e = 0; e < n; e++) {
      const x = a[i + e]!;
      out[o + e] = x > 0 && x < WHOLE ? x + WHOLE - WHOLE : x < 0 && x > -WHOLE ? -(WHOLE - x - WHOLE) : x;
    }
  },
  trunc(n, out, o, a, i) {
    for (let e = 0; e < n; e++) out[o + e] = Math.trunc(a[i + e]!);
  },
  relu(n, out, o, a, i) {
    for (let e = 0; e < n; e++) {
      const x = a[i + e]!;
      out[o + e] = x <= 0 ? 0 : x;
    }
  },
};

/** Storing into an Int32Array wraps; sums of two int32 are exact before that, products need Math.imul. */
const int32Steps: { readonly [O in Opcode]?: IntegerStep } = {
  add(n, out, o, a, i, b, j) {
    for (let e = 0; e < n; e++) out[o + e] = a[i + e]! + b[j + e]!;
  },
  sub(n, out, o, a, i, b, j) {
    for (let e = 0; e < n; e++) out[o + e] = a[i + e]! - b[j + e]!;
  },
  mul(n, out, o, a, i, b, j) {
    for (let e = 0; e < n; e++) out[o + e] = Math.imul(a[i + e]!, b[j + e]!);
  },
  neg(n, out, o, a, i) {
    for (let e = 0; e < n; e++) out[o + e] = -a[i + e]!;
  },
  abs(n, out, o, a, i) {
    for (let e = 0; e < n; e++) out[o + e] = Math.abs(a[i + e]!);
  },
  sign(n, out, o, a, i) {
    for (let e = 0; e < n; e++) out[o + e] = Math.sign(a[i + e]!);
  },
  maximum(n, out, o, a, i, b, j) {
    for (let e = 0; e < n; e++) out[o + e] = Math.max(a[i + e]!, b[j + e]!);
  },
  minimum(n, out, o, a, i, b, j) {
    for (let e = 0; e < n; e++) out[o + e] = Math.min(a[i + e]!, b[j + e]!);
  },
};

const comparisons: { readonly [O in Opcode]?: Comparison } = {
  eq(n, out, o, a, i, b, j) {
    for (let e = 0; e < n; e++) out[o + e] = a[i + e]! === b[j + e]! ? 1 : 0;
  },
  ne(n, out, o, a, i, b, j) {
    for (let e = 0; e < n; e++) out[o + e] = a[i + e]! !== b[j + e]! ? 1 : 0;
  },
  lt(n, out, o, a, i, b, j) {
    for (let e = 0; e < n; e++) out[o + e] = a[i + e]! < b[j + e]! ? 1 : 0;
  },
  le(n, out, o, a, i, b, j) {
    for (let e = 0; e < n; e++) out[o + e] = a[i + e]! <= b[j + e]! ? 1 : 0;
  },
  gt(n, out, o, a, i, b, j) {
    for (let e = 0; e < n; e++) out[o + e] = a[i + e]! > b[j + e]! ? 1 : 0;
  },
  ge(n, out, o, a, i, b, j) {
    for (let e = 0; e < n; e++) out[o + e] = a[i + e]! >= b[j + e]! ? 1 : 0;
  },
};

const logicSteps: { readonly [O in Opcode]?: LogicStep } = {
  logicalAnd(n, out, o, a, i, b, j) {
    for (let e = 0; e < n; e++) out[o + e] = a[i + e]! & b[j + e]!;
  },
  logicalOr(n, out, o, a, i, b, j) {
    for (let e = 0; e < n; e++) out[o + e] = a[i + e]! | b[j + e]!;
  },
  logicalNot(n, out, o, a, i) {
    for (let e = 0; e < n; e++) out[o + e] = a[i + e]! ^ 1;
  },
};

/** Steps that only move or convert numbers, for any dtype but int64. */
const numberSteps: { readonly [O in Opcode]?: Step } = {
  copy: move,
  where(n, out, o, a, i, b, j, c, k) {
    for (let e = 0; e < n; e++) out[o + e] = a[i + e]! !== 0 ? b[j + e]! : c[k + e]!;
  },
  castFloat32: move,
  castFloat64: move,
  castInt32(n, out, o, a, i) {
    for (let e = 0; e < n; e++) {
      const x = a[i + e]!;
      out[o + e] = x >= 2147483647 ? 2147483647 : x <= -2147483648 ? -2147483648 : x | 0;
    }
  },
  castBool(n, out, o, a, i) {
    for (let e = 0; e < n; e++) out[o + e] = a[i + e]! !== 0 ? 1 : 0;
  },
  castInt64: (n, out, o, a, i) => {
    const target = out as unknown as BigInt64Array;
    for (let e = 0; e < n; e++) {
      const x = Math.trunc(a[i + e]!);
      target[o + e] = x >= 2 ** 63 ? 2n ** 63n - 1n : x <= -(2 ** 63) ? -(2n ** 63n) : BigInt(Number.isNaN(x) ? 0 : x);
    }
  },
};

const words = new Uint32Array(4);

/** Random numbers of the stream that a seed and an offset name. */
const uniform: Step = (n, out, o, a, i, b, j, _c, _k, first) => {
  const [seed, offset] = [a[i]!, b[j]!];
  const perBlock = out instanceof Float64Array ? 2 : 4;
  for (let e = 0; e < n; e++) {
    const at = (first + e) % perBlock;
    if (e === 0 || at === 0) philox(seed, offset, Math.floor((first + e) / perBlock), words);
    out[o + e] = perBlock === 4 ? (words[at]! >>> 8) / 16777216 : unit53(words[2 * at]!, words[2 * at + 1]!);
  }
};

function move(n: number, out: NumberArray, o: number, a: NumberArray, i: number): void {
  for (let e = 0; e < n; e++) out[o + e] = a[i + e]!;
}

const int64Steps: { readonly [O in Opcode]?: Int64Step } = {
  copy: (n, out, o, a, i) => {
    for (let e = 0; e < n; e++) out[o + e] = a[i + e]!;
  },
  where: (n, out, o, a, i, b, j, c, k) => {
    const condition = a as unknown as Uint8Array;
    for (let e = 0; e < n; e++) out[o + e] = condition[i + e]! !== 0 ? b[j + e]! : c[k + e]!;
  },
  castFloat32: int64ToNumber,
  castFloat64: int64ToNumber,
  castInt32: (n, out, o, a, i) => {
    const target = out as unknown as Int32Array;
    for (let e = 0; e < n; e++) target[o + e] = Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, Number(a[i + e]!)));
  },
  castBool: (n, out, o, a, i) => {
    const target = out as unknown as Uint8Array;
    for (let e = 0; e < n; e++) target[o + e] = a[i + e]! !== 0n ? 1 : 0;
  },
  castInt64: (n, out, o, a, i) => {
    for (let e = 0; e < n; e++) out[o + e] = a[i + e]!;
  },
};

function int64ToNumber(n: number, out: BigInt64Array, o: number, a: BigInt64Array, i: number): void {
  const target = out as unknown as FloatArray;
  for (let e = 0; e < n; e++) target[o + e] = Number(a[i + e]!);
}

/** The loop of an opcode on operands of a dtype, or undefined where there is none. */
export function stepFor(opcode: Opcode, dtype: DType): Step | undefined {
  if (dtype === 'int64') return int64Steps[opcode] as unknown as Step | undefined;
  const general = numberSteps[opcode] ?? (comparisons[opcode] as Step | undefined);
  if (general !== undefined) return general;
  if (dtype === 'bool') return logicSteps[opcode] as Step | undefined;
  if (opcode === 'uniform') return dtype === 'int32' ? undefined : uniform;
  return (dtype === 'int32' ? int32Steps[opcode] : floatSteps[opcode]) as Step | undefined;
}

/** The dtype that an opcode gives on operands of a dtype. */
export function resultDType(opcode: Opcode, dtype: DType): DType {
  switch (opcode) {
    case 'castFloat32':
      return 'float32';
    case 'castFloat64':
      return 'float64';
    case 'castInt32':
      return 'int32';
    case 'castInt64':
      return 'int64';
    case 'castBool':
    case 'logicalNot':
    case 'logicalAnd':
    case 'logicalOr':
      return 'bool';
    default:
      return comparisons[opcode] !== undefined ? 'bool' : dtype;
  }
}
