import type { Backend, LoadedProgram, Run } from '../../../lib/graph/backend';
import { opcodeIds } from '../../../lib/graph/program/elementwise';
import type { BufferSpec, Instruction, Program, View } from '../../../lib/graph/program/program';
import { dtypes, type DType } from '../../../lib/tensor/dtype';
import { Storage } from '../../../lib/tensor/storage';

/** A dense window on a whole buffer. */
export function dense(buffer: number, shape: readonly number[]): View {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return { buffer, offset: 0, shape, strides };
}

export function bound(kind: 'input' | 'output' | 'inout', dtype: DType, length: number): BufferSpec {
  return { kind, dtype, length, offset: 0 };
}

export function programOf(
  buffers: readonly BufferSpec[],
  instructions: readonly Omit<Instruction, 'label'>[],
  scalars = 0,
): Program {
  const ends = buffers.map(({ kind, dtype, length, offset }) =>
    kind === 'arena' ? Math.ceil((offset + length * dtypes[dtype].bytes) / 64) * 64 : 0,
  );
  return {
    buffers,
    instructions: instructions.map((instruction) => ({ ...instruction, label: instruction.kernel })),
    scalars,
    arenaBytes: Math.max(0, ...ends),
    estimatedNanoseconds: 0,
  };
}

/** out = a * b, float32. */
export function multiply(length: number): Program {
  return programOf(
    [bound('input', 'float32', length), bound('input', 'float32', length), bound('output', 'float32', length)],
    [
      {
        kernel: 'elementwise',
        inputs: [dense(0, [length]), dense(1, [length])],
        outputs: [dense(2, [length])],
        attributes: [1, 0, 3, 1, opcodeIds.mul, dtypes.float32.id, 2, 0, 1, -1, 2, 0],
      },
    ],
  );
}

/** x = x + scalar, `steps` times: as long a program as one likes. */
export function increment(length: number, steps: number): Program {
  const instruction = {
    kernel: 'elementwise' as const,
    inputs: [dense(0, [length])],
    outputs: [dense(0, [length])],
    attributes: [1, 1, 3, 1, dtypes.float32.id, opcodeIds.add, dtypes.float32.id, 2, 0, 1, -1, 2, 0, 0],
  };
  return programOf([bound('inout', 'float32', length)], new Array<typeof instruction>(steps).fill(instruction), 1);
}

/** out = table[index]: fails with kind 'value' if an index is not a row. */
export function lookUp(rows: number, count: number): Program {
  return programOf(
    [bound('input', 'float32', rows), bound('input', 'int32', count), bound('output', 'float32', count)],
    [
      {
        kernel: 'embedding',
        inputs: [dense(0, [rows, 1]), dense(1, [count])],
        outputs: [dense(2, [count, 1])],
        attributes: [],
      },
    ],
  );
}

/** out = sum over rows of x * transposed w, by way of the arena; x is [rows, columns]. */
export function rowSumsOfProduct(rows: number, columns: number): Program {
  const size = rows * columns;
  const shape = [rows, columns];
  const float32 = dtypes.float32.id;
  return programOf(
    [
      bound('input', 'float32', size),
      bound('input', 'float32', size),
      bound('output', 'float32', rows),
      { kind: 'arena', dtype: 'float32', length: size, offset: 128 },
    ],
    [
      {
        kernel: 'elementwise',
        inputs: [dense(0, shape), { buffer: 1, offset: 0, shape, strides: [1, rows] }],
        outputs: [dense(3, shape)],
        attributes: [1, 0, 3, 1, opcodeIds.mul, float32, 2, 0, 1, -1, 2, 0],
      },
      { kernel: 'sum', inputs: [dense(3, shape)], outputs: [dense(2, [rows])], attributes: [1] },
    ],
  );
}

let lastId = 0;

/** A run with the next id. */
export function runOf(
  loaded: LoadedProgram,
  bindings: readonly Storage[],
  scalars: readonly number[] = [],
  after: readonly number[] = [],
): Run {
  return { id: ++lastId, loaded, bindings, scalars: Float64Array.from(scalars), after, times: null };
}

/** Loads and runs it inline. */
export function runNow(backend: Backend, program: Program, bindings: readonly Storage[], scalars: readonly number[] = []) {
  return backend.runInline(runOf(backend.load(program), bindings, scalars));
}

export function float32(values: readonly number[]): Storage {
  return Storage.from('float32', values);
}

export function int32(values: readonly number[]): Storage {
  return Storage.from('int32', values);
}
