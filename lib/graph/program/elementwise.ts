/**
 * The byte code of the `elementwise` kernel. An instruction has I inputs, O outputs and these attributes:
 *
 *   [S, R, T, (slot, dtype) x S, (opcode, dtype, destination, a, b, c) x T, register x O]
 *
 * Registers 0..I-1 hold the inputs, I..I+S-1 the scalars (slot in the program's scalars, converted to dtype), the rest
 * up to R are results. Each step reads registers a, b, c (-1: none) of its dtype and writes one; the result has the
 * same dtype, except that comparisons and logic give bool and casts give what their name says. `where` takes
 * a: bool, b and c of its dtype. A step's destination may be one of its operands. Every output register is
 * the destination of exactly one step, which is of the output's dtype, and of no other; input and scalar registers are
 * never written. A bool is one byte, 0 or 1. An inout buffer (input and output at the same index) is written by a step after
 * which no step reads that input.
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
} as const;

export type Opcode = keyof typeof opcodeTable;
export const opcodes: { readonly [O in Opcode]: { readonly operands: number } } = opcodeTable;
export const opcodeNames = Object.keys(opcodes) as Opcode[];
export const opcodeIds = Object.fromEntries(opcodeNames.map((name, id) => [name, id])) as {
  readonly [O in Opcode]: number;
};

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
  /** How many times it runs, each time over the next inputs and outputs. */
  readonly segments: number;
  /** Of one segment. */
  readonly inputs: number;
  readonly outputs: number;
  /** For each scalar its dtype's id. */
  readonly scalars: readonly number[];
  readonly registers: number;
  readonly steps: readonly ByteCodeStep[];
  readonly outputRegisters: readonly number[];
  /** For each output how it is made of its register: an index into `foldNames`. */
  readonly folds: readonly number[];
  /** For each segment the slots of its scalars. */
  readonly scalarSlots: readonly (readonly number[])[];
}

export const foldNames = ['whole', 'sum', 'max', 'min'] as const;

/** Reads the attributes of an elementwise instruction. */
export function readByteCode(instruction: {
  readonly inputs: readonly unknown[];
  readonly outputs: readonly unknown[];
  readonly attributes: readonly number[];
}): ByteCode {
  const { attributes } = instruction;
  const [scalarCount, registers, stepCount] = attributes as [number, number, number];
  const firstStep = 3 + 2 * scalarCount;
  const firstOutput = firstStep + 6 * stepCount;
  const steps: ByteCodeStep[] = [];
  for (let at = firstStep; at < firstOutput; at += 6) {
    const opcode = opcodeNames[attributes[at]!]!;
    const operands = attributes.slice(at + 3, at + 3 + opcodes[opcode].operands);
    steps.push({ opcode, dtype: attributes[at + 1]!, destination: attributes[at + 2]!, operands });
  }
  const pairs = Array.from({ length: scalarCount }, (_, i) => 3 + 2 * i);
  return {
    segments: 1,
    inputs: instruction.inputs.length,
    outputs: instruction.outputs.length,
    scalars: pairs.map((at) => attributes[at + 1]!),
    registers,
    steps,
    outputRegisters: attributes.slice(firstOutput),
    folds: attributes.slice(firstOutput).map(() => 0),
    scalarSlots: [pairs.map((at) => attributes[at]!)],
  };
}
