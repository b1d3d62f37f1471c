import type { DType } from '../../tensor/dtype';
import { shapesEqual } from '../../tensor/shape';
import { registry } from '../op';
import type { Opcode } from './elementwise';
import type { Value } from './ir';

/** One of a value's inputs, or inputs of inputs, that it equals; or another operation that gives the same numbers. */
export type Simpler = Value | { readonly op: Opcode; readonly inputs: readonly Value[] };

/**
 * Something simpler that has the same bits whatever the numbers are: NaN, infinities and -0 included, and int32's least, which
 * is its own negative; only the sign and payload of a NaN may differ. Numbers such as the 1 of x · 1 are inputs of a program,
 * which is the same for all of them, so nothing is known of them here. Not exact, and so not here: x + 0 (-0 becomes 0),
 * x - x and x / x (NaN, infinities), sums over one element (-0), casts to fewer bits and back.
 */
export function simplerThan(value: Value, inputs: readonly Value[]): Simpler | null {
  const found = find(value, inputs);
  if (found === null || !('kind' in found)) return found;
  return found.dtype === value.dtype && shapesEqual(found.shape, value.shape) ? found : null;
}

const idempotent: ReadonlySet<Opcode | null> = new Set<Opcode>(['abs', 'sign', 'relu']);
const roundings: ReadonlySet<Opcode | null> = new Set<Opcode>(['floor', 'ceil', 'round', 'trunc']);

function find(value: Value, inputs: readonly Value[]): Simpler | null {
  const opcode = opcodeOf(value);
  if (opcode === null) return kernelThatMoves(value, inputs);
  const [a, b, c] = inputs as [Value, Value, Value];
  const inner = opcodeOf(a);
  const negated = (operand: Value): Value | null => (opcodeOf(operand) === 'neg' ? operand.inputs[0]! : null);
  if (opcode.startsWith('cast')) return simplerCast(value, a);
  if (roundings.has(opcode) && roundings.has(inner)) return a;
  if (idempotent.has(opcode) && inner === opcode) return a;
  switch (opcode) {
    case 'copy':
      return a;
    case 'neg':
      return negated(a);
    case 'logicalNot':
      return inner === 'logicalNot' ? a.inputs[0]! : null;
    case 'abs':
      return negated(a) === null ? null : { op: 'abs', inputs: [negated(a)!] };
    case 'maximum':
    case 'minimum':
    case 'logicalAnd':
    case 'logicalOr':
      return a === b ? a : null;
    case 'where':
      return b === c ? b : null;
    case 'add':
      if (negated(b) !== null) return { op: 'sub', inputs: [a, negated(b)!] };
      return negated(a) === null ? null : { op: 'sub', inputs: [b, negated(a)!] };
    case 'sub':
      return negated(b) === null ? null : { op: 'add', inputs: [a, negated(b)!] };
    case 'mul':
    case 'div':
      return negated(a) === null || negated(b) === null ? null : { op: opcode, inputs: [negated(a)!, negated(b)!] };
    default:
      return null;
  }
}

/** Joining one tensor, and padding to the size that it has. */
function kernelThatMoves({ op, shape }: Value, inputs: readonly Value[]): Value | null {
  const [input] = inputs;
  if (op!.name === 'concat' && inputs.length === 1) return input!;
  return op!.name === 'pad' && shapesEqual(input!.shape, shape) ? input! : null;
}

/** Every number of the first dtype is one of the others. */
const exactly: { readonly [D in DType]: readonly DType[] } = {
  bool: ['int32', 'int64', 'float32', 'float64'],
  int32: ['int64', 'float64'],
  int64: [],
  float32: ['float64'],
  float64: [],
};

/** A cast of a cast that loses nothing is one cast, or none. */
function simplerCast(value: Value, inner: Value): Simpler | null {
  if (inner.dtype === value.dtype) return inner;
  const opcode = opcodeOf(inner);
  if (opcode === null || !opcode.startsWith('cast')) return null;
  const original = inner.inputs[0]!;
  if (!exactly[original.dtype].includes(inner.dtype)) return null;
  return original.dtype === value.dtype ? original : { op: opcodeOf(value)!, inputs: [original] };
}

function opcodeOf({ op }: Value): Opcode | null {
  return op !== null && 'elementwise' in op.lower ? op.lower.elementwise : null;
}

/** Operations whose operands may change places: bit for bit, up to the payload of a NaN. */
const commutative: ReadonlySet<string> = new Set<Opcode>(['add', 'mul', 'eq', 'ne', 'logicalAnd', 'logicalOr']);

export function isCommutative({ op }: Value): boolean {
  return commutative.has(op!.name);
}

/** The value with another operation, of the same name as its opcode. */
export function withOp(value: Value, op: Opcode, inputs: readonly Value[]): Value {
  return { ...value, op: registry.get(op)!, inputs };
}
