import { dtypes, type DType } from '../../tensor/dtype';
import { foldNames, opcodeIds, type Fold, type Opcode } from './elementwise';
import type { Value } from './ir';

/** A number of the program, converted to a dtype. */
export interface ScalarSource {
  readonly scalarSlot: number;
  readonly dtype: DType;
}

/** The byte code that copies one input, or one number, to the output. */
export function copyAttributes(dtype: DType, scalar: ScalarSource | null): number[] {
  const id = dtypes[dtype].id;
  const step = [opcodeIds.copy, id, 1, 0, -1, -1, 1, 0];
  return scalar === null ? [1, 0, 2, 1, ...step] : [1, 1, 2, 1, id, ...step, scalar.scalarSlot];
}

/** The byte code of a region (elementwise.ts has the format). Registers of dead intermediates are used again. */
export function regionAttributes(
  values: readonly Value[],
  external: ReadonlyMap<Value, { input: number } | { scalar: number }>,
  inputCount: number,
  scalars: readonly ScalarSource[],
  outputs: readonly Value[],
  folds: readonly { readonly of: Value; readonly fold: Fold }[],
): number[] {
  const registers = new Map<Value, number>();
  for (const [value, place] of external)
    registers.set(value, 'input' in place ? place.input : inputCount + place.scalar);
  const lastUse = new Map<Value, number>();
  values.forEach((value, step) => value.inputs.forEach((input) => lastUse.set(input, step)));
  const isOutput = new Set([...outputs, ...folds.map(({ of }) => of)]);
  const free: number[] = [];
  let count = inputCount + scalars.length;

  const steps: number[] = [];
  values.forEach((value, step) => {
    const operands = value.inputs.map((input) => registers.get(input)!);
    // Freed first, so that a result may take the place of an operand; an output's register is nobody else's.
    for (const input of new Set(value.inputs))
      if (lastUse.get(input) === step && !external.has(input) && !isOutput.has(input)) free.push(registers.get(input)!);
    const destination = isOutput.has(value) || free.length === 0 ? count++ : free.pop()!;
    registers.set(value, destination);
    steps.push(opcodeIds[opcodeOf(value)], dtypes[stepDType(value)].id, destination);
    for (let i = 0; i < 3; i++) steps.push(operands[i] ?? -1);
    if (!lastUse.has(value) && !isOutput.has(value)) free.push(destination);
  });
  return [
    1,
    scalars.length,
    count,
    values.length,
    ...scalars.map((scalar) => dtypes[scalar.dtype].id),
    ...steps,
    ...outputs.map((output) => registers.get(output)!),
    ...folds.map(({ of }) => registers.get(of)!),
    ...outputs.map(() => 0),
    ...folds.map(({ fold }) => foldNames.indexOf(fold)),
    ...scalars.map((scalar) => scalar.scalarSlot),
  ];
}

function opcodeOf(value: Value): Opcode {
  const lowering = value.op!.lower;
  if (!('elementwise' in lowering)) throw new Error(`region: ${value.op!.name} is not elementwise`);
  return lowering.elementwise;
}

/** The dtype that a step computes in: its operands'; for `where` that of the choices, for `uniform` the result's. */
function stepDType(value: Value): DType {
  return ['where', 'uniform'].includes(opcodeOf(value)) ? value.dtype : value.inputs[0]!.dtype;
}
