import { gradients } from '../../lib/autodiff';
import { add, logSoftmax, mul, nn, sub, sum, type Tensor, type TensorBase } from '../../lib';
import { cosineSimilarity } from '../../lib/nn/functional';
import { onEachBackend } from '../helpers/backends';
import { numbersOf } from '../helpers/gradcheck';
import { isRecordedTensor, readRecording, toNumber, toTensor, type RecordedTensor } from '../reference/read';
import { lossClasses } from './loss-classes';

type Option = RecordedTensor | number | string | boolean;

interface Case {
  readonly name: string;
  readonly inputs: readonly (RecordedTensor | number)[];
  /** The inputs that gradients are recorded of. */
  readonly wanted: readonly number[];
  readonly options: Readonly<Record<string, Option>>;
  readonly through: 'logSoftmax' | null;
  /** Its numbers need float64. */
  readonly exact: boolean;
  readonly distance?: 'cosine';
  readonly v: RecordedTensor;
  readonly output: RecordedTensor;
  readonly grads: readonly RecordedTensor[];
  readonly directions: readonly RecordedTensor[];
  readonly seconds: readonly RecordedTensor[] | null;
}

const { cases } = readRecording<{ cases: Case[] }>('losses');
const names = [...new Set(cases.map(({ name }) => name))];
const byName = new Map(names.map((name) => [name, cases.filter((recorded) => recorded.name === name)]));
type Loss = new (options: object) => { forward(...args: unknown[]): Tensor };

const classes = nn as unknown as Readonly<Record<string, Loss>>;
const functions = nn.functional as unknown as Readonly<Record<string, (...args: unknown[]) => Tensor>>;

type Precision = 'float32' | 'float64';

const titleOf = ({ inputs, options, distance, through }: Case): string => {
  const shapes = inputs.map((x) => (isRecordedTensor(x) ? `[${x.shape.join()}]` : x)).join(' ');
  const given = Object.entries(options).map(([key, x]) => `${key}=${isRecordedTensor(x) ? `[${x.shape.join()}]` : x}`);
  return [shapes, ...given, distance ?? '', through ?? ''].join(' ').trim();
};

function optionsOf(recorded: Case, dtype: Precision): Record<string, unknown> {
  const options = Object.entries(recorded.options).map(([key, value]): [string, unknown] => {
    if (isRecordedTensor(value)) return [key, toTensor(value, { dtype })];
    return [key, value === 'inf' || value === '-inf' ? toNumber(value) : value];
  });
  const distanceFunction = (a: TensorBase, b: TensorBase): Tensor => sub(1, cosineSimilarity(a, b, { dim: -1 }));
  return { ...Object.fromEntries(options), ...(recorded.distance === 'cosine' && { distanceFunction }) };
}

interface Run {
  readonly starts: readonly Tensor[];
  readonly output: Tensor;
}

/** In float64 by the function, in float32 by the class. */
function run(recorded: Case, dtype: Precision): Run {
  const inputs = recorded.inputs.map((x, i) =>
    isRecordedTensor(x) ? toTensor(x, { dtype, requiresGrad: recorded.wanted.includes(i) }) : x,
  );
  const [first, ...others] = inputs;
  const through = recorded.through === 'logSoftmax' ? logSoftmax(first as Tensor, -1) : first;
  const options = optionsOf(recorded, dtype);
  const output =
    dtype === 'float64'
      ? functions[recorded.name]!(through, ...others, options)
      : new classes[lossClasses[recorded.name]!]!(options).forward(through, ...others);
  return { starts: recorded.wanted.map((i) => inputs[i] as Tensor), output };
}

/** Gradients of ⟨v, output⟩; zeros for what it does not depend on. */
function gradientsOf({ starts, output }: Run, v: Tensor, createGraph = false): Tensor[] {
  const found = output.requiresGrad
    ? gradients([output], starts, [v], { allowUnused: true, createGraph })
    : starts.map(() => null);
  return found.map((g, i) => g ?? mul(starts[i]!, 0));
}

/** Every number within `tolerance` of what was recorded, relative to the largest of the tensor, at least 1. */
function expectRecorded(actual: Tensor, { shape, data }: RecordedTensor, tolerance: number, what: string): void {
  expect(actual.shape).toEqual(shape);
  const expected = data.map(toNumber);
  const size = Math.max(1, ...expected.filter(Number.isFinite).map(Math.abs));
  numbersOf(actual).forEach((value, i) => {
    const want = expected[i]!;
    if (Object.is(value, want) || value === want || Math.abs(value - want) <= tolerance * size) return;
    throw new Error(`${what}, element ${i}: ${value}, PyTorch has ${want}`);
  });
}

/** The first error of the cases, with the case's title. */
function each(list: readonly Case[], check: (recorded: Case) => void): void {
  for (const recorded of list)
    try {
      check(recorded);
    } catch (error) {
      throw new Error(`${recorded.name}(${titleOf(recorded)}): ${(error as Error).message}`, { cause: error });
    }
}

onEachBackend('losses against PyTorch 1.13', () => {
  describe.each([...byName])('%s', (_name, list) => {
    test('values and gradients in float64', () =>
      each(list, (recorded) => {
        const pass = run(recorded, 'float64');
        expectRecorded(pass.output, recorded.output, 1e-10, 'output');
        gradientsOf(pass, toTensor(recorded.v)).forEach((g, i) =>
          expectRecorded(g, recorded.grads[i]!, 1e-10, `gradient ${i}`),
        );
      }));

    test('second derivatives in float64', () =>
      each(list, (recorded) => {
        if (recorded.seconds === null) return;
        const pass = run(recorded, 'float64');
        const products = gradientsOf(pass, toTensor(recorded.v), true).map((g, i) =>
          sum(mul(g, toTensor(recorded.directions[i]!))),
        );
        const output = products.reduce((a, b) => add(a, b));
        gradientsOf({ ...pass, output }, toTensor({ shape: [], dtype: 'float64', data: [1] })).forEach((g, i) =>
          expectRecorded(g, recorded.seconds![i]!, 1e-10, `second derivative ${i}`),
        );
      }));

    test('values and gradients of the module in float32', () =>
      each(list, (recorded) => {
        if (recorded.exact) return;
        // Each result sums at most as many terms as there are inputs, and float32 holds the inputs.
        const pass = run(recorded, 'float32');
        const terms = Math.max(...recorded.inputs.map((x) => (isRecordedTensor(x) ? x.data.length : 1)));
        const tolerance = (16 + terms) * 2 ** -23;
        expectRecorded(pass.output, recorded.output, tolerance, 'output');
        gradientsOf(pass, toTensor(recorded.v, { dtype: 'float32' })).forEach((g, i) =>
          expectRecorded(g, recorded.grads[i]!, tolerance, `gradient ${i}`),
        );
      }));
  });
});
