import { gradients } from '../../lib/autodiff';
import { evaluateSync } from '../../lib/graph/evaluate';
import { manualSeed, nn, tensor } from '../../lib';
import type { Module } from '../../lib/nn';
import type { Tensor, TensorBase } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';
import { count } from '../helpers/ndarray';
import { isRecordedTensor, readRecording, toNumber, toTensor, type RecordedTensor } from '../reference/read';

/** What layers.py says of a function. */
interface FunctionCase {
  readonly family: string;
  readonly name: string;
  readonly args: readonly unknown[];
  readonly options: { readonly [name: string]: unknown };
  readonly output: RecordedTensor;
  readonly indices: RecordedTensor | null;
  readonly v: RecordedTensor;
  readonly grads: readonly RecordedTensor[];
  readonly u: readonly RecordedTensor[];
  readonly seconds: readonly RecordedTensor[] | null;
}

/** What layers.py says of a module. */
interface ModuleCase {
  readonly family: string;
  readonly name: string;
  readonly args: readonly unknown[];
  readonly options: { readonly [name: string]: unknown };
  readonly training: boolean;
  readonly before: { readonly [key: string]: RecordedTensor };
  readonly inputs: readonly RecordedTensor[];
  readonly output: RecordedTensor;
  readonly after: { readonly [key: string]: RecordedTensor };
  readonly v: RecordedTensor;
  /** Of the first input, as x, and of each parameter; null where PyTorch has no rule. */
  readonly grads: { readonly [key: string]: RecordedTensor } | null;
  readonly seconds: { readonly [key: string]: RecordedTensor } | null;
}

interface Recording {
  readonly functions: readonly FunctionCase[];
  readonly modules: readonly ModuleCase[];
}

type Precision = 'float32' | 'float64';
type AnyFunction = (...args: unknown[]) => Tensor | [Tensor, Tensor];
type AnyModule = new (...args: unknown[]) => Module & { forward(...inputs: TensorBase[]): Tensor };

const recording = readRecording<Recording>('layers');

/** Relative to the largest number: 1e-10, or in float32 a rounding for each number that a sum can have taken in. */
function expectRecorded(actual: Tensor, expected: RecordedTensor, terms: number, what: string): void {
  expect(actual.shape).toEqual(expected.shape);
  const values = Array.from(actual.dataSync() as Float64Array, Number);
  const wanted = expected.data.map(toNumber);
  const size = Math.max(1, ...wanted.map(Math.abs));
  const bound = actual.dtype === 'float32' ? 2 ** -23 * terms : 1e-10;
  values.forEach((value, i) => {
    if (!(Math.abs(value - wanted[i]!) <= bound * size))
      throw new Error(`${what}, element ${i}: ${value}, PyTorch has ${wanted[i]}`);
  });
}

const titleOf = ({ name, args, options }: FunctionCase | ModuleCase): string => {
  const shown = (value: unknown): string =>
    isRecordedTensor(value) ? `[${value.shape.join(', ')}]` : JSON.stringify(value);
  const named = Object.entries(options).map(([key, value]) => `${key}: ${shown(value)}`);
  return `${name} ${[...args.map(shown), ...named].join(', ')}`;
};

/** Every tensor among arguments and options, floats in the given precision; the floats are also what is differentiated. */
function recall({ args, options }: FunctionCase, dtype: Precision): { args: unknown[]; floats: Tensor[] } {
  const floats: Tensor[] = [];
  const convert = (value: unknown): unknown => {
    if (!isRecordedTensor(value)) return value;
    const x = toTensor(value, { dtype, requiresGrad: true });
    if (x.requiresGrad) floats.push(x);
    return x;
  };
  const positional = args.map(convert);
  const named = Object.fromEntries(Object.entries(options).map(([key, value]) => [key, convert(value)]));
  return { args: Object.keys(named).length === 0 ? positional : [...positional, named], floats };
}

function checkFunction(recorded: FunctionCase, dtype: Precision): void {
  const functions = nn.functional as unknown as { readonly [name: string]: AnyFunction };
  const { args, floats } = recall(recorded, dtype);
  const result = functions[recorded.name]!(...args);
  const [output, indices] = Array.isArray(result) ? result : [result, null];
  const numbers = [recorded.output, ...recorded.grads].map(({ shape }) => count(shape));
  const terms = 4 * Math.max(16, ...numbers);
  const second = dtype === 'float64' && recorded.seconds !== null;
  const cotangent = toTensor(recorded.v, { dtype });
  const grads = output.requiresGrad
    ? gradients([output], floats, [cotangent], { createGraph: second, allowUnused: true })
    : floats.map(() => null);
  const directions = recorded.u.map((u) => toTensor(u));
  const seconds = second ? secondsOf(directions, floats, grads) : [];
  evaluateSync([output, ...(indices ? [indices] : []), ...[...grads, ...seconds].filter((g) => g !== null)]);
  expectRecorded(output, recorded.output, terms, 'output');
  if (recorded.indices !== null)
    expect([...indices!.dataSync()].map(Number)).toEqual(recorded.indices.data.map(toNumber));
  grads.forEach((g, i) => expectDerivative(g, recorded.grads[i]!, terms, `gradient ${i}`));
  seconds.forEach((g, i) => expectDerivative(g, recorded.seconds![i]!, terms, `second derivative ${i}`));
}

/** None means 0. */
function expectDerivative(g: Tensor | null, expected: RecordedTensor, terms: number, what: string): void {
  if (g === null) expect(expected.data.filter((value) => value !== 0)).toEqual([]);
  else expectRecorded(g, expected, terms, what);
}

/** The gradient of what the gradients and the directions give together. */
function secondsOf(
  directions: readonly Tensor[],
  wanted: readonly TensorBase[],
  grads: readonly (Tensor | null)[],
): (Tensor | null)[] {
  const parts = grads.flatMap((g, i) => (g?.requiresGrad ? [g.mul(directions[i]!).sum()] : []));
  return parts.length === 0 ? wanted.map(() => null) : gradients(parts, [...wanted], undefined, { allowUnused: true });
}

function checkModule(recorded: ModuleCase, dtype: Precision): void {
  const { name, args, options, training } = recorded;
  const make = (nn as unknown as { readonly [name: string]: AnyModule })[name]!;
  const layer = new make(...args, ...(Object.keys(options).length === 0 ? [] : [options])).to(dtype);
  expect([...layer.stateDict().keys()]).toEqual(Object.keys(recorded.before));
  layer.loadStateDict(
    Object.fromEntries(Object.entries(recorded.before).map(([key, value]) => [key, toTensor(value, { dtype })])),
  );
  if (training) layer.train();
  else layer.eval();
  const inputs = recorded.inputs.map((x) => toTensor(x, { dtype, requiresGrad: true }));
  const output = layer.forward(...inputs);
  const numbers = [...recorded.inputs, recorded.output, ...Object.values(recorded.before)];
  const terms = 4 * Math.max(16, ...numbers.map(({ shape }) => count(shape)));
  expectRecorded(output, recorded.output, terms, 'output');
  for (const [key, value] of layer.stateDict()) expectRecorded(value, recorded.after[key]!, terms, key);
  checkDerivatives(recorded, output, [['x', inputs[0]!], ...layer.namedParameters()], terms);
}

function checkDerivatives(
  { v, grads, seconds }: ModuleCase,
  output: Tensor,
  named: readonly (readonly [string, TensorBase])[],
  terms: number,
): void {
  if (grads === null) return;
  expect(named.map(([key]) => key)).toEqual(Object.keys(grads));
  const { dtype } = output;
  const wanted = named.map(([, x]) => x);
  const second = dtype === 'float64' && seconds !== null;
  const cotangent = toTensor(v, { dtype: dtype as Precision });
  const found = gradients([output], wanted, [cotangent], { createGraph: second, allowUnused: true });
  const directions = wanted.map((x, j) =>
    tensor(
      Float64Array.from({ length: x.size }, (_, i) => Math.sin(0.9 * i + j)),
      { shape: x.shape },
    ),
  );
  const again = second ? secondsOf(directions, wanted, found) : [];
  evaluateSync([...found, ...again].filter((g) => g !== null));
  named.forEach(([key], i) => {
    expectDerivative(found[i]!, grads[key]!, terms, `gradient of ${key}`);
    if (second) expectDerivative(again[i]!, seconds[key]!, terms, `second derivative of ${key}`);
  });
}

/** Holds the functions and modules of one family against PyTorch's recordings, on every backend. */
export function testRecorded(family: string): void {
  onEachBackend(`${family} as recorded from PyTorch`, () => {
    beforeEach(() => void manualSeed(1));
    const functions = recording.functions.filter((recorded) => recorded.family === family);
    const modules = recording.modules.filter((recorded) => recorded.family === family);

    test.each(functions.map((recorded) => [titleOf(recorded), recorded] as const))('%s', (_title, recorded) => {
      checkFunction(recorded, 'float64');
      checkFunction(recorded, 'float32');
    });

    // Not every family has modules, and Jest wants some.
    if (modules.length === 0) return;
    test.each(modules.map((recorded) => [titleOf(recorded), recorded] as const))('%s', (_title, recorded) => {
      checkModule(recorded, 'float64');
      checkModule(recorded, 'float32');
    });
  });
}
