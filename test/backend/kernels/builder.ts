import type { Backend, Run, RunFailure } from '../../../lib/graph/backend';
import { foldNames, opcodeIds, opcodes, type Fold, type Opcode } from '../../../lib/graph/program/elementwise';
import type { KernelName } from '../../../lib/graph/program/kernels';
import type { BufferSpec, Program, View } from '../../../lib/graph/program/program';
import { dtypes, isFloat, type DType } from '../../../lib/tensor/dtype';
import { Storage } from '../../../lib/tensor/storage';

/** An array as tests write it: `values` fill a buffer, of which the view sees `shape` through `strides` from `offset`. */
export interface Operand {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly values: readonly (number | bigint)[];
  readonly strides: readonly number[];
  readonly offset: number;
}

export interface Result {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

export interface KernelCall {
  readonly kernel: KernelName;
  readonly inputs?: readonly Operand[];
  readonly outputs: readonly Result[];
  readonly attributes?: readonly number[];
  readonly scalars?: readonly number[];
}

export class KernelError extends Error {
  constructor(readonly failure: RunFailure) {
    super(failure.message);
  }
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((size, dim) => size * dim, 1);
}

export function denseStrides(shape: readonly number[]): number[] {
  return shape.map((_, dim) => sizeOf(shape.slice(dim + 1)));
}

/** A contiguous operand; values repeat if there are too few. */
export function dense(dtype: DType, shape: readonly number[], values: readonly (number | bigint)[]): Operand {
  const filled = Array.from({ length: sizeOf(shape) }, (_, i) => values[i % values.length]!);
  return { dtype, shape, values: filled, strides: denseStrides(shape), offset: 0 };
}

/** The same array with its dims in another order. */
export function permuted(operand: Operand, order: readonly number[]): Operand {
  const shape = order.map((dim) => operand.shape[dim]!);
  return { ...operand, shape, strides: order.map((dim) => operand.strides[dim]!) };
}

/** The same array, with dims of one element repeated. */
export function broadcast(operand: Operand, shape: readonly number[]): Operand {
  const strides = operand.strides.map((stride, dim) => (operand.shape[dim] === shape[dim] ? stride : 0));
  return { ...operand, shape, strides };
}

/** Every `step`th element along a dim, from `start` on. */
export function sliced(operand: Operand, dim: number, start: number, step: number): Operand {
  const size = Math.ceil((operand.shape[dim]! - start) / step);
  return {
    ...operand,
    offset: operand.offset + start * operand.strides[dim]!,
    shape: operand.shape.map((old, d) => (d === dim ? size : old)),
    strides: operand.strides.map((old, d) => (d === dim ? old * step : old)),
  };
}

/** A storage with the operand's values. Storage.from copies typed arrays fastest. */
function storageOf({ dtype, values }: Operand): Storage {
  return Storage.from(dtype, dtype === 'int64' ? values : Float64Array.from(values as readonly number[]));
}

/** What the view sees, in row-major order, rounded to the dtype. */
export function elements(operand: Operand): number[] {
  const { shape, strides, offset } = operand;
  const { data } = storageOf(operand);
  const rounded = data instanceof BigInt64Array ? Float64Array.from(data, Number) : data;
  const seen: number[] = [];
  const visit = (dim: number, at: number): void => {
    if (dim === shape.length) seen.push(rounded[at]!);
    else for (let i = 0; i < shape[dim]!; i++) visit(dim + 1, at + i * strides[dim]!);
  };
  visit(0, offset);
  return seen;
}

function viewOf(buffer: number, { shape, strides, offset }: Operand): View {
  return { buffer, offset, shape, strides };
}

/** A program of one instruction: its inputs are bound, then its outputs. */
export function programOf({ kernel, inputs = [], outputs, attributes = [], scalars = [] }: KernelCall): Program {
  const spec = (kind: 'input' | 'output', dtype: DType, length: number): BufferSpec => ({
    kind,
    dtype,
    length,
    offset: 0,
  });
  return {
    buffers: [
      ...inputs.map(({ dtype, values }) => spec('input', dtype, values.length)),
      ...outputs.map(({ dtype, shape }) => spec('output', dtype, sizeOf(shape))),
    ],
    instructions: [
      {
        kernel,
        inputs: inputs.map((operand, i) => viewOf(i, operand)),
        outputs: outputs.map(({ shape }, i) => ({
          buffer: inputs.length + i,
          offset: 0,
          shape,
          strides: denseStrides(shape),
        })),
        attributes,
        label: kernel,
      },
    ],
    scalars: scalars.length,
    arenaBytes: 0,
    estimatedNanoseconds: 1000,
  };
}

let runs = 0;

export function makeRun(backend: Backend, program: Program, bindings: Storage[], scalars: readonly number[] = []): Run {
  return {
    id: ++runs,
    loaded: backend.load(program),
    bindings,
    scalars: Float64Array.from(scalars),
    after: [],
    times: null,
  };
}

/** The outputs of a kernel as numbers. Throws a KernelError if it fails. */
export function runKernel(backend: Backend, call: KernelCall): number[][] {
  return runStorages(backend, call).map(({ data }) =>
    data instanceof BigInt64Array ? Array.from(data, Number) : Array.from(data),
  );
}

export function runStorages(backend: Backend, call: KernelCall): Storage[] {
  const inputs = (call.inputs ?? []).map(storageOf);
  // Nothing of what an output held before may be left.
  const outputs = call.outputs.map(({ dtype, shape }) =>
    storageOf(dense(dtype, shape, dtype === 'int64' ? [77n] : [isFloat(dtype) ? 12345.5 : 77])),
  );
  const failure = backend.runInline(makeRun(backend, programOf(call), [...inputs, ...outputs], call.scalars));
  if (failure !== null) throw new KernelError(failure);
  return outputs;
}

/** A step of an elementwise chain: opcode, dtype, destination, operands. */
export type ChainStep = readonly [Opcode, DType, number, ...number[]];

export interface Chain {
  readonly inputs: readonly Operand[];
  readonly scalars?: readonly (readonly [slot: number, dtype: DType])[];
  readonly registers: number;
  readonly steps: readonly ChainStep[];
  readonly results: readonly (readonly [register: number, dtype: DType])[];
  /** Reductions of registers over the dims from `kept` on. */
  readonly folds?: readonly (readonly [fold: Fold, register: number, dtype: DType])[];
  readonly kept?: number;
  readonly shape: readonly number[];
  readonly values?: readonly number[];
}

export function chainCall(chain: Chain): KernelCall {
  return segmentsCall([chain]);
}

/** Chains of the same steps as segments of one instruction; the numbers are the first's. */
export function segmentsCall(chains: readonly Chain[]): KernelCall {
  const { scalars = [], registers, steps, results, folds = [], kept = 0, values = [] } = chains[0]!;
  const attributes = [
    ...[chains.length, scalars.length, registers, steps.length],
    ...scalars.map(([, dtype]) => dtypes[dtype].id),
    ...steps.flatMap(([opcode, dtype, destination, ...operands]) => [
      ...[opcodeIds[opcode], dtypes[dtype].id, destination],
      ...Array.from({ length: 3 }, (_, i) => (i < opcodes[opcode].operands ? operands[i]! : -1)),
    ]),
    ...results.map(([register]) => register),
    ...folds.map(([, register]) => register),
    ...results.map(() => 0),
    ...folds.map(([fold]) => foldNames.indexOf(fold)),
    ...chains.flatMap((chain) => (chain.scalars ?? []).map(([slot]) => slot)),
  ];
  const inputs = chains.flatMap((chain) => chain.inputs);
  const outputs = chains.flatMap(({ shape }) => [
    ...results.map(([, dtype]) => ({ dtype, shape })),
    ...folds.map(([, , dtype]) => ({ dtype, shape: shape.slice(0, kept) })),
  ]);
  return { kernel: 'elementwise', inputs, outputs, attributes, scalars: values };
}
