import { opcodeIds } from '../../../lib/graph/program/elementwise';
import type { Program, View } from '../../../lib/graph/program/program';
import { overwrittenBy, statsOf } from '../../../lib/graph/program/stats';

const view = (buffer: number, strides: readonly number[] = [8, 1]): View => ({
  buffer,
  offset: 0,
  shape: [4, 8],
  strides,
});
const float = (kind: 'input' | 'output' | 'arena', offset = 0, length = 32) =>
  ({ kind, dtype: 'float32', length, offset }) as const;
const { mul, add, copy, exp } = opcodeIds;

/**
 * t = x · x; u = t + bias, over t; v = softmax(u); w = copy(x · x), of which the product is computed once more; out = exp(v) + w.
 * x, t, u, v, w, out are 4x8 float32, of 128 bytes; bias has 8 numbers.
 */
const program: Program = {
  buffers: [
    float('input'),
    float('input', 0, 8),
    float('output'),
    float('arena', 0),
    float('arena', 0),
    float('arena', 128),
    float('arena', 0),
    float('arena', 256),
  ],
  instructions: [
    {
      kernel: 'elementwise',
      inputs: [view(0)],
      outputs: [view(3)],
      attributes: [1, 0, 2, 1, mul, 0, 1, 0, 0, -1, 1, 0],
      label: 'square',
    },
    {
      kernel: 'elementwise',
      inputs: [view(3), view(1, [0, 1])],
      outputs: [view(4)],
      attributes: [1, 0, 3, 1, add, 0, 2, 0, 1, -1, 2, 0],
      label: 'bias',
    },
    { kernel: 'softmax', inputs: [view(4)], outputs: [view(5)], attributes: [], label: 'softmax' },
    {
      kernel: 'elementwise',
      inputs: [view(0)],
      outputs: [view(6)],
      attributes: [1, 0, 2, 1, mul, 0, 1, 0, 0, -1, 1, 0],
      label: 'square',
    },
    {
      kernel: 'elementwise',
      inputs: [view(6)],
      outputs: [view(7)],
      attributes: [1, 0, 2, 1, copy, 0, 1, 0, -1, -1, 1, 0],
      label: 'copy',
    },
    {
      kernel: 'elementwise',
      inputs: [view(5), view(7)],
      outputs: [view(2)],
      attributes: [1, 0, 4, 2, exp, 0, 2, 0, -1, -1, add, 0, 3, 2, 1, -1, 3, 0],
      label: 'add',
    },
  ],
  scalars: 0,
  arenaBytes: 512,
  estimatedNanoseconds: 0,
};

describe('statsOf', () => {
  test('counts a hand-made program', () => {
    expect(statsOf(program)).toEqual({
      // mul, add, softmax, mul, exp, add.
      ops: 6,
      instructions: 6,
      fusedRegions: 1,
      // Two views of 128 bytes for each instruction, a third for the last, and the bias, of which each number is read once.
      bytesMoved: 13 * 128 + 8 * 4,
      arenaBytes: 512,
      // u and v; w's copy and v; at no time three of them, as u is in the place of t. The copy: v, w and its source.
      arenaLowerBound: 384,
      copies: 1,
      recomputed: 1,
    });
  });

  test('knows what is written over', () => {
    expect(program.instructions.map((instruction) => overwrittenBy(instruction, program))).toEqual([
      [-1],
      [3],
      [-1],
      [-1],
      [-1],
      [-1],
    ]);
  });

  test('a product counts besides the steps behind it, a fold besides those before it', () => {
    const square = (buffer: number): View => ({ buffer, offset: 0, shape: [8, 8], strides: [8, 1] });
    const rows: View = { buffer: 3, offset: 0, shape: [8], strides: [1] };
    const behind: Program = {
      buffers: [float('input', 0, 64), float('output', 0, 64), float('output', 0, 64), float('output', 0, 8)],
      instructions: [
        { kernel: 'matmul', inputs: [square(0), square(0)], outputs: [square(1)], attributes: [], label: 'matmul' },
        {
          // exp(x @ x) + x
          kernel: 'matmul',
          inputs: [square(0), square(0), square(0)],
          outputs: [square(2)],
          attributes: [1, 0, 4, 2, exp, 0, 2, 0, -1, -1, add, 0, 3, 2, 1, -1, 3, 0],
          label: 'add',
        },
        {
          // The sums of the rows of exp(x) · x.
          kernel: 'elementwise',
          inputs: [square(0)],
          outputs: [rows],
          attributes: [1, 0, 3, 2, exp, 0, 1, 0, -1, -1, mul, 0, 2, 1, 0, -1, 2, 1],
          label: 'sum',
        },
      ],
      scalars: 0,
      arenaBytes: 0,
      estimatedNanoseconds: 0,
    };
    expect(statsOf(behind)).toMatchObject({
      ops: 1 + 3 + 3,
      fusedRegions: 2,
      bytesMoved: (3 + 4 + 1) * 256 + 32,
      copies: 0,
      recomputed: 1,
    });
  });

  test('what reads other numbers, or a buffer that has been written since, is not computed again', () => {
    const [square] = program.instructions;
    const other = (inputs: readonly View[]): number =>
      statsOf({ ...program, instructions: [square!, { ...square!, inputs }] }).recomputed;
    expect(other([view(0)])).toBe(1);
    expect(other([view(0, [1, 4])])).toBe(0);
    expect(other([view(3)])).toBe(0);
    const overwrite = { ...square!, outputs: [view(0)] };
    expect(statsOf({ ...program, instructions: [square!, overwrite, square!] }).recomputed).toBe(1);
  });
});
