import { nn, sum, tensor, zerosLike } from '../../lib';
import { gradients } from '../../lib/autodiff';
import { evaluateSync } from '../../lib/graph/evaluate';
import type { Module } from '../../lib/nn';
import { TensorBase, type Tensor } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';
import { isRecordedTensor, readRecording, toNumber, toTensor, type RecordedTensor } from '../reference/read';

interface Case {
  readonly title: string;
  readonly name: string;
  readonly args: readonly number[];
  readonly options: { readonly [name: string]: unknown };
  readonly state: { readonly [key: string]: RecordedTensor };
  readonly inputs: readonly unknown[];
  readonly outputs: readonly RecordedTensor[];
  readonly cotangents: readonly RecordedTensor[];
  readonly inputGrads: readonly RecordedTensor[];
  readonly parameterGrads: { readonly [key: string]: RecordedTensor };
  /** What ⟨directions, gradients⟩ has as gradients; null where PyTorch has no rule, or they are 0. */
  readonly second: {
    readonly inputs: readonly RecordedTensor[];
    /** The sum and the sum of squares. */
    readonly parameters: { readonly [key: string]: readonly [number, number] };
  } | null;
  readonly stateAfter: { readonly [key: string]: RecordedTensor } | null;
}

type Constructor = new (...args: unknown[]) => Module & { forward(...inputs: unknown[]): unknown };
type Float = 'float32' | 'float64';

const { cases } = readRecording<{ cases: readonly Case[] }>('sequence');

/** The classes; stacks from what their layers take. */
const layers: Record<string, unknown> = {
  ...nn,
  TransformerEncoder: stackOf(nn.TransformerEncoder, nn.TransformerEncoderLayer),
  TransformerDecoder: stackOf(nn.TransformerDecoder, nn.TransformerDecoderLayer),
};

function stackOf<L, S>(
  stack: new (layer: L, numLayers: number, options: { norm: nn.LayerNorm }) => S,
  layer: new (width: number, heads: number, options: object) => L,
): unknown {
  return function make(width: number, heads: number, { numLayers, ...options }: { numLayers: number }) {
    return new stack(new layer(width, heads, options), numLayers, { norm: new nn.LayerNorm(width) });
  };
}

/** Classes whose options hold all there is. */
function build({ name, args, options, state }: Case, dtype: Float) {
  const decoded = Object.fromEntries(
    Object.entries(options).map(([key, value]) => [key, value === 'inf' ? Infinity : value]),
  );
  const layer = new (layers[name] as Constructor)(...args, decoded).to(dtype);
  expect([...layer.stateDict().keys()].sort()).toEqual(Object.keys(state).sort());
  layer.loadStateDict(Object.fromEntries(Object.entries(state).map(([key, value]) => [key, toTensor(value)])));
  return layer;
}

/** Recorded tensors, wherever they are in it, as tensors. */
function decode(value: unknown, dtype: Float): unknown {
  if (isRecordedTensor(value)) return toTensor(value, { dtype, requiresGrad: true });
  if (Array.isArray(value)) return value.map((item) => decode(item, dtype));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, decode(item, dtype)]));
}

function flat(value: unknown): Tensor[] {
  if (value instanceof TensorBase) return [value as Tensor];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(flat);
}

function expectNear(actual: TensorBase, expected: RecordedTensor, tolerance: number, what: string): void {
  expect([what, actual.shape]).toEqual([what, expected.shape]);
  const numbers = expected.data.map(toNumber);
  const size = Math.max(1, ...numbers.map(Math.abs));
  Array.from(actual.dataSync(), Number).forEach((x, i) => {
    if (!(Math.abs(x - numbers[i]!) <= tolerance * size)) throw new Error(`${what} ${i}: ${x}, PyTorch ${numbers[i]}`);
  });
}

function check(recorded: Case, dtype: Float, tolerance: number): void {
  const layer = build(recorded, dtype);
  const inputs = decode(recorded.inputs, dtype) as unknown[];
  const outputs = flat(layer.forward(...inputs));
  expect(outputs).toHaveLength(recorded.outputs.length);
  evaluateSync(outputs);
  outputs.forEach((y, i) => {
    expect(y.dtype).toBe(dtype);
    expectNear(y, recorded.outputs[i]!, tolerance, `output ${i}`);
  });
  // Masks are floats too, but PyTorch was not asked for their gradient.
  const leaves = flat(inputs)
    .filter((x) => x.requiresGrad)
    .slice(0, recorded.inputGrads.length);
  const named = [...layer.namedParameters()];
  const wanted = [...leaves, ...named.map(([, parameter]) => parameter)];
  const cotangents = recorded.cotangents.map((v) => toTensor(v, { dtype }));
  const found = gradients(outputs, wanted, cotangents, { allowUnused: true, createGraph: dtype === 'float64' });
  // One program for all of them.
  evaluateSync(found.filter((g) => g !== null));
  recorded.inputGrads.forEach((g, i) => expectNear(found[i]!, g, tolerance, `gradient of input ${i}`));
  named.forEach(([key], i) => {
    const g = found[leaves.length + i];
    const expected = recorded.parameterGrads[key]!;
    if (g) expectNear(g, expected, tolerance, `gradient of ${key}`);
    else expect(expected.data.every((x) => x === 0)).toBe(true);
  });
  if (dtype === 'float64' && recorded.second !== null)
    checkSecond(
      recorded.second,
      wanted,
      found,
      named.map(([key]) => key),
    );
  if (recorded.stateAfter !== null)
    for (const [key, value] of layer.stateDict())
      expectNear(value, recorded.stateAfter[key]!, tolerance, `${key} afterwards`);
}

function checkSecond(
  expected: NonNullable<Case['second']>,
  wanted: readonly TensorBase[],
  found: readonly (Tensor | null)[],
  keys: readonly string[],
): void {
  const terms = found.flatMap((g, j) => {
    if (g === null || !g.requiresGrad) return [];
    const direction = Float64Array.from({ length: g.size }, (_, i) => Math.sin(0.9 * i + j));
    return [sum(g.mul(tensor(direction, { shape: g.shape })))];
  });
  const total = terms.reduce((a, b) => a.add(b));
  const second = gradients([total], [...wanted], undefined, { allowUnused: true }).map(
    (g, i) => g ?? zerosLike(wanted[i]!),
  );
  evaluateSync(second);
  expected.inputs.forEach((g, i) => expectNear(second[i]!, g, 1e-10, `second derivative of input ${i}`));
  keys.forEach((key, i) => {
    const values = Array.from(second[expected.inputs.length + i]!.dataSync(), Number);
    const [first, squares] = expected.parameters[key]!;
    const size = Math.max(1, squares, Math.sqrt(squares * values.length));
    expect(Math.abs(values.reduce((a, x) => a + x, 0) - first)).toBeLessThanOrEqual(1e-10 * size);
    expect(Math.abs(values.reduce((a, x) => a + x * x, 0) - squares)).toBeLessThanOrEqual(1e-10 * size);
  });
}

onEachBackend('layers of sequences as PyTorch has them', () => {
  test.each(cases.map((recorded) => [recorded.title, recorded] as const))('%s', (_title, recorded) => {
    check(recorded, 'float64', 1e-10);
  });

  // Products of at most 24 numbers of size about 1, in at most 15 layers or steps.
  test.each(cases.map((recorded) => [recorded.title, recorded] as const))('%s in float32', (_title, recorded) => {
    check(recorded, 'float32', 24 * 15 * 2 ** -22);
  });
});
