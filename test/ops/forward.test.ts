import { onEachBackend } from '../helpers/backends';
import { dtypesOf, expectSample, inputsOf, toTensor, type Precision } from '../helpers/samples';
import { cases } from './cases';

const precisions: readonly Precision[] = ['float64', 'float32'];

onEachBackend('operations against their references', () => {
  describe.each(cases.map((testCase) => [testCase.name, testCase] as const))('%s', (_name, { samples }) => {
    test.each(samples.map((sample) => [sample.title, sample] as const))('%s', (_title, sample) => {
      for (const precision of precisions) {
        const inputs = inputsOf(sample, precision);
        const dtypes = dtypesOf(sample, precision);
        const output = sample.run(...inputs.map((x, i) => toTensor(x, dtypes[i]!)));
        expectSample(sample, output, inputs, precision);
      }
    });
  });
});
