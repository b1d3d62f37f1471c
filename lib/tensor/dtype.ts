import { DTypeError } from '../errors';

/** The element types. int64 exists for interchange: it can be read, cast and saved, not computed with. */
export type DType = 'float32' | 'float64' | 'int32' | 'bool' | 'int64';

export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array | BigInt64Array;

interface DTypeInfo {
  /** The number that stands for the dtype in an encoded program; the addon has the same (native/kernels/kernel.h). */
  readonly id: number;
  readonly bytes: number;
  readonly array: {
    new (buffer: ArrayBuffer, byteOffset: number, length: number): TypedArray;
    readonly BYTES_PER_ELEMENT: number;
    readonly name: string;
  };
  /** Position in type promotion: the higher wins. */
  readonly rank: number;
}

export const dtypes: { readonly [D in DType]: DTypeInfo } = {
  float32: { id: 0, bytes: 4, array: Float32Array, rank: 3 },
  float64: { id: 1, bytes: 8, array: Float64Array, rank: 4 },
  int32: { id: 2, bytes: 4, array: Int32Array, rank: 1 },
  bool: { id: 3, bytes: 1, array: Uint8Array, rank: 0 },
  int64: { id: 4, bytes: 8, array: BigInt64Array, rank: 2 },
};

export const dtypeNames = Object.keys(dtypes) as DType[];

export function isFloat(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'float64';
}

/** The distance from 1 to the next number of a float dtype. */
export function epsilonOf(dtype: DType): number {
  return dtype === 'float64' ? 2 ** -52 : 2 ** -23;
}

const { float32 } = dtypes;

/** `dtypes[dtype]` where it is asked for at every step: most are float32, and a comparison is faster than to look a name up. */
export function infoOf(dtype: DType): DTypeInfo {
  return dtype === 'float32' ? float32 : dtypes[dtype];
}

export function checkDType(op: string, dtype: unknown): asserts dtype is DType {
  if (typeof dtype !== 'string' || !Object.hasOwn(dtypes, dtype))
    throw new DTypeError(`${op}: unknown dtype ${String(dtype)}; possible are ${dtypeNames.join(', ')}`);
}

/** The dtype of an operation on both, as in PyTorch's type promotion. */
export function promote(a: DType, b: DType): DType {
  return a === b || dtypes[a].rank >= dtypes[b].rank ? a : b;
}
