/**
 * The byte code of the `elementwise` kernel. An instruction runs it over G segments, each of a shape of its own and each
 * with I inputs and O outputs, which follow each other in the instruction's; all segments have the same dtypes. Its
 * attributes:
 *
 *   [G, S, R, T, dtype x S, (opcode, dtype, destination, a, b, c) x T, register x O, fold x O, (slot x S) x G]
 *
 * Registers 0..I-1 hold the inputs, I..I+S-1 the scalars (each segment's own slots of the program's scalars, converted to
 * dtype), the rest up to R are results. Each step reads registers a, b, c (-1: none) of its dtype and writes one; the
 * result has the same dtype, except that comparisons and logic give bool and casts give what their name says. `where`
 * takes a: bool, b and c of its dtype; `uniform` takes a: seed, b: offset, two scalars of float64. A step's destination
 * may be one of its operands. Every output register is the destination of exactly one step, which is of the output's
 * dtype, and of no other; input and scalar registers are never written. A bool is one byte, 0 or 1. An inout buffer (input
 * and output of the same segment) is written by a step after which no step reads that input; no other segment reads it.
 *
 * An output's fold is 0, or else its register is reduced over the segment's trailing dims, which the output lacks: 1 sum, 2
 * max, 3 min; as the kernels of these names do, of float32, float64 and int32. Its register may be another output's too, and
 * holds the value behind the last step. Folded outputs have one rank, are in no input's place, and G is 1.
 *
 * The opcodes are numbered by their order here; native/kernels/kernel.h has the same list.
 */
const opcodeTable = {
  // any dtype
  copy: { operands: 1 },
  where: { operands: 3 },
  castFloat32: { operands: 1 },
  castFloat64: { operands: 1 },
  castInt32: { operands: 1 }, // saturating; from float: towards zero, NaN to 0
  castBool: { operands: 1 }, // x != 0 (NaN is true)
  castInt64: { operands: 1 }, // from float: towards zero, saturating, NaN to 0
  // float32, float64, int32
  add: { operands: 2 },
  sub: { operands: 2 },
  mul: { operands: 2 },
  neg: { operands: 1 },
  abs: { operands: 1 },
  sign: { operands: 1 }, // sign(0) = 0, sign(NaN) = NaN
  maximum: { operands: 2 }, // NaN if either is NaN
  minimum: { operands: 2 },
  // any dtype but int64 -> bool; NaN compares false except in ne
  eq: { operands: 2 },
  ne: { operands: 2 },
  lt: { operands: 2 },
  le: { operands: 2 },
  gt: { operands: 2 },
  ge: { operands: 2 },
  // bool
  logicalAnd: { operands: 2 },
  logicalOr: { operands: 2 },
  logicalNot: { operands: 1 },
  // float32, float64
  div: { operands: 2 },
  pow: { operands: 2 }, // IEEE pow
  exp: { operands: 1 },
  expm1: { operands: 1 },
  log: { operands: 1 },
  log1p: { operands: 1 },
  sqrt: { operands: 1 },
  rsqrt: { operands: 1 }, // 1 / sqrt(x), not an estimate
  sin: { operands: 1 },
  cos: { operands: 1 },
  tanh: { operands: 1 },
  sigmoid: { operands: 1 }, // stable at both ends
  softplus: { operands: 1 }, // log(1 + e^x) = max(x, 0) + log1p(e^-|x|)
  erf: { operands: 1 },
  floor: { operands: 1 },
  ceil: { operands: 1 },
  round: { operands: 1 }, // half to even
  trunc: { operands: 1 },
  relu: { operands: 1 }, // max(x, 0); NaN stays
  uniform: { operands: 2 }, // element i of the segment in [0, 1), as lib/tensor/philox.ts states
} as const;

export type Opcode = keyof typeof opcodeTable;
export const opcodes: { readonly [O in Opcode]: { readonly operands: number } } = opcodeTable;
export const opcodeNames = Object.keys(opcodes) as Opcode[];
export const opcodeIds = Object.fromEntries(opcodeNames.map((name, id) => [name, id])) as {
  readonly [O in Opcode]: number;
};

/** How an output is made of its register, by number. */
export const foldNames = ['whole', 'sum', 'max', 'min'] as const;
export type Fold = (typeof foldNames)[number];

export interface ByteCodeStep {
  readonly opcode: Opcode;
  /** The dtype's id. */
  readonly dtype: number;
  readonly destination: number;
  /** Registers. */
  readonly operands: readonly number[];
}

/** Byte code as the passes read it; backends decode, and check, for themselves. */
export interface ByteCode {
  readonly segments: number;
  /** Of one segment. */
  readonly inputs: number;
  readonly outputs: number;
  /** For each scalar its dtype's id. */
  readonly scalars: readonly number[];
  readonly registers: number;
  readonly steps: readonly ByteCodeStep[];
  readonly outputRegisters: readonly number[];
  readonly folds: readonly number[];
  /** For each segment the slots of its scalars. */
  readonly scalarSlots: readonly (readonly number[])[];
}

interface Shaped {
  readonly inputs: readonly unknown[];
  readonly outputs: readonly unknown[];
  readonly attributes: readonly number[];
}

/** Reads the attributes of an elementwise instruction. */
export function readByteCode(instruction: Shaped): ByteCode {
  const { attributes } = instruction;
  const [segments, scalarCount, registers, stepCount] = attributes as [number, number, number, number];
  const outputs = instruction.outputs.length / segments;
  const firstStep = 4 + scalarCount;
  const firstOutput = firstStep + 6 * stepCount;
  const steps: ByteCodeStep[] = [];
  for (let at = firstStep; at < firstOutput; at += 6) {
    const opcode = opcodeNames[attributes[at]!]!;
    const operands = attributes.slice(at + 3, at + 3 + opcodes[opcode].operands);
    steps.push({ opcode, dtype: attributes[at + 1]!, destination: attributes[at + 2]!, operands });
  }
  const slots = attributes.slice(firstOutput + 2 * outputs);
  return {
    segments,
    inputs: instruction.inputs.length / segments,
    outputs,
    scalars: attributes.slice(4, firstStep),
    registers,
    steps,
    outputRegisters: attributes.slice(firstOutput, firstOutput + outputs),
    folds: attributes.slice(firstOutput + outputs, firstOutput + 2 * outputs),
    scalarSlots: Array.from({ length: segments }, (_, s) => slots.slice(s * scalarCount, (s + 1) * scalarCount)),
  };
}
