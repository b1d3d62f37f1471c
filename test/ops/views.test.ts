import { concat, narrow, permute, slice, zeros } from '../../lib/ops';
import type { DType } from '../../lib/tensor/dtype';
import type { Tensor } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';
import { build, type NDArray } from '../helpers/ndarray';
import { dtypesOf, expectSample, inputsOf, toTensor } from '../helpers/samples';
import { cases } from './cases';

/** The same numbers, stored with the last dim first. */
function transposed(x: NDArray, dtype: DType): Tensor {
  const dims = x.shape.map((_, dim) => dim).reverse();
  const stored = build([...x.shape].reverse(), (index) => x.get([...index].reverse()));
  return permute(toTensor(stored, dtype), dims);
}

/** The same numbers as every second column of a larger tensor, behind a first row that does not count. */
function windowed(x: NDArray, dtype: DType): Tensor {
  if (x.shape.length === 0) return toTensor(x, dtype);
  const shape = x.shape.map((size, dim) => (dim === x.shape.length - 1 ? 2 * size + 1 : size + 1));
  const stored = build(shape, (index) => {
    const source = index.map((i, dim) => (dim === x.shape.length - 1 ? (i - 1) / 2 : i - 1));
    return source.every((i, dim) => Number.isInteger(i) && i >= 0 && i < x.shape[dim]!) ? x.get(source) : 1;
  });
  return slice(
    toTensor(stored, dtype),
    shape.map((_, dim) => (dim === x.shape.length - 1 ? [1, null, 2] : [1, null])),
  );
}

/** The same numbers, computed in the same program. */
function computed(x: NDArray, dtype: DType): Tensor {
  const tensor = toTensor(x, dtype);
  if (x.shape.length === 0) return tensor;
  return narrow(concat([zeros(x.shape, { dtype }), tensor]), 0, x.shape[0]!, x.shape[0]!);
}

const layouts = { transposed, windowed, computed };

onEachBackend('operations on views', () => {
  describe.each(Object.entries(layouts))('%s inputs', (_layout, arrange) => {
    test.each(cases.map((testCase) => [testCase.name, testCase] as const))('%s', (_name, { samples }) => {
      for (const sample of samples) {
        const inputs = inputsOf(sample, 'float64');
        const dtypes = dtypesOf(sample, 'float64');
        const output = sample.run(...inputs.map((x, i) => arrange(x, dtypes[i]!)));
        expectSample(sample, output, inputs, 'float64');
      }
    });
  });
});
