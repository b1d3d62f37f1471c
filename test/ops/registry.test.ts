import { opOf, registry } from '../../lib/graph/op';
import '../../lib';
import type { Tensor } from '../../lib/tensor/tensor';
import { inputsOf, dtypesOf, toTensor } from '../helpers/samples';
import { cases } from './cases';
import type { Sample } from './cases/case';

/** The operations that a sample records. */
function recorded(sample: Sample): Set<string> {
  const names = new Set<string>();
  const dtypes = dtypesOf(sample, 'float64');
  const stack: Tensor[] = [sample.run(...inputsOf(sample, 'float64').map((x, i) => toTensor(x, dtypes[i]!)))];
  while (stack.length > 0) {
    const tensor = stack.pop()!;
    if (tensor.op === null) continue;
    names.add(opOf(tensor).name);
    stack.push(...tensor.inputs);
  }
  return names;
}

describe('every operation of the registry', () => {
  test.each([...registry.keys()])('%s has a case that records it', (name) => {
    const samples = cases.filter((testCase) => testCase.name === name).flatMap((testCase) => testCase.samples);
    expect(samples.length).toBeGreaterThan(0);
    expect(samples.some((sample) => recorded(sample).has(name))).toBe(true);
  });

  test.each([...registry.values()].filter(({ vjp }) => vjp !== 'none').map(({ name }) => name))(
    '%s, which has a gradient, has it checked',
    (name) => {
      const samples = cases.filter((testCase) => testCase.name === name).flatMap((testCase) => testCase.samples);
      expect(samples.some(({ gradient }) => gradient !== false)).toBe(true);
    },
  );
});
