import fs from 'node:fs';
import path from 'node:path';
import { gunzipSync } from 'node:zlib';
import { tensor } from '../../lib/ops';
import type { DType } from '../../lib/tensor/dtype';
import type { Tensor } from '../../lib/tensor/tensor';

/** A tensor as recordings hold it; what JSON has no number for is a string, such as 'inf'. */
export interface RecordedTensor {
  readonly shape: readonly number[];
  readonly dtype: DType;
  readonly data: readonly (number | string | boolean)[];
}

/** What `<name>.json.gz` holds, which `<name>.py` wrote. */
export function readRecording<T>(name: string): T {
  const packed = fs.readFileSync(path.join(__dirname, `${name}.json.gz`));
  return JSON.parse(gunzipSync(packed).toString()) as T;
}

const names: Readonly<Record<string, number>> = { inf: Infinity, '-inf': -Infinity, nan: NaN };

/** A recorded number. */
export function toNumber(value: number | string | boolean): number {
  return typeof value === 'string' ? names[value]! : Number(value);
}

export const isRecordedTensor = (value: unknown): value is RecordedTensor =>
  typeof value === 'object' && value !== null && 'data' in value && 'dtype' in value && 'shape' in value;

/** The tensor, as recorded or, where it holds floats, in another float dtype. */
export function toTensor(
  { shape, dtype, data }: RecordedTensor,
  options: { requiresGrad?: boolean; dtype?: 'float32' | 'float64' } = {},
): Tensor {
  const isFloat = dtype === 'float32' || dtype === 'float64';
  return tensor(Float64Array.from(data, toNumber), {
    shape: [...shape],
    dtype: isFloat ? (options.dtype ?? dtype) : dtype,
    requiresGrad: isFloat && options.requiresGrad === true,
  });
}
