import { readDataSync } from '../../lib/graph/reading';
import { tensor } from '../../lib/ops';
import type { DType } from '../../lib/tensor/dtype';
import type { Tensor } from '../../lib/tensor/tensor';
import type { Sample } from '../ops/cases/case';
import type { Primal } from './gradcheck';
import { NDArray } from './ndarray';

export type Precision = 'float32' | 'float64';

/** The unit of relative error: twice the largest of one rounding. */
const epsilon = { float32: 2 ** -23, float64: 2 ** -52 } as const;
/** Below this, numbers are denormal and may be flushed to 0. */
const smallest = { float32: 2 ** -126, float64: 2 ** -1022 } as const;

export const dtypesOf = ({ inputs, dtypes }: Sample, precision: Precision): DType[] =>
  inputs.map((_, i) => {
    const dtype = dtypes?.[i] ?? 'float';
    return dtype === 'float' ? precision : dtype;
  });

/** The inputs with the numbers that their dtypes can hold. */
export function inputsOf(sample: Sample, precision: Precision): NDArray[] {
  return dtypesOf(sample, precision).map((dtype, i) => sample.inputs[i]!.map((x) => rounded(x, dtype)));
}

function rounded(x: number, dtype: DType): number {
  return dtype === 'float32' ? Math.fround(x) : dtype === 'int32' ? Math.trunc(x) + 0 : x;
}

export function primalsOf(sample: Sample): Primal[] {
  const dtypes = dtypesOf(sample, 'float64');
  return inputsOf(sample, 'float64').map(({ shape, data }, i) => ({ shape, data, dtype: dtypes[i]! }));
}

export const toTensor = ({ shape, data }: NDArray, dtype: DType): Tensor =>
  tensor(Float64Array.from(data), { shape: [...shape], dtype });

export const toArray = (x: Tensor): NDArray =>
  new NDArray(x.shape, Array.from(readDataSync(x) as Float64Array, Number));

/** Whether the operation gave what the reference gives, up to the sample's error bound in its precision. */
export function expectSample(sample: Sample, actual: Tensor, inputs: readonly NDArray[], precision: Precision): void {
  const expected = sample.reference(...inputs);
  const errors = sample.errors?.(...inputs) ?? expected.map((value) => (sample.ulps ?? 4) * Math.abs(value));
  expect(actual.shape).toEqual(expected.shape);
  const { data } = toArray(actual);
  data.forEach((value, i) => {
    const want = actual.dtype === 'float32' ? Math.fround(expected.data[i]!) : expected.data[i]!;
    if (Object.is(value, want) || value === want) return;
    const bound = errors.data[i]! * epsilon[precision] + (sample.ulps === 0 ? 0 : smallest[precision]);
    // A result of 0 bound is exact; at infinities only the same will do.
    const error = Math.abs(value - expected.data[i]!);
    if (!Number.isFinite(want) || !(error <= bound))
      throw new Error(`element ${i} is ${value}, the reference ${want}; bound ${bound}, error ${error}`);
  });
}
