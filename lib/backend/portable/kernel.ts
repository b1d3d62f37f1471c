import { BackendError } from '../../errors';
import type { Instruction } from '../../graph/program/program';
import type { DType, TypedArray } from '../../tensor/dtype';
import { contiguousStrides, formatShape, shapesEqual, sizeOf } from '../../tensor/shape';

import type { Workspace } from './workspace';

/** The arrays that hold JavaScript numbers; int64 holds bigints and has loops of its own. */
export type NumberArray = Float32Array | Float64Array | Int32Array | Uint8Array;
export type FloatArray = Float32Array | Float64Array;

/** Thrown by a kernel while it runs; the runner makes a RunFailure of it. */
export class KernelFailure extends Error {
  constructor(
    readonly kind: 'value' | 'memory',
    message: string,
  ) {
    super(message);
  }
}

const unbound = new Float32Array(0);

/** A view of an instruction; `data` is set for the time of a run. */
export class BoundView {
  data: TypedArray = unbound;
  readonly size: number;

  constructor(
    readonly buffer: number,
    readonly dtype: DType,
    readonly offset: number,
    readonly shape: readonly number[],
    readonly strides: readonly number[],
  ) {
    this.size = sizeOf(shape);
  }

  unbind(): void {
    this.data = unbound;
  }

  /** The data, for dtypes other than int64. */
  get numbers(): NumberArray {
    return this.data as NumberArray;
  }

  get floats(): FloatArray {
    return this.data as FloatArray;
  }

  get integers(): Int32Array {
    return this.data as Int32Array;
  }

  get isContiguous(): boolean {
    const dense = contiguousStrides(this.shape);
    return this.size === 0 || this.shape.every((size, dim) => size === 1 || this.strides[dim] === dense[dim]);
  }
}

/** An instruction that is being prepared, and later what its task works on. */
export class Call {
  /** Of the running program. */
  scalars: ArrayLike<number> = [];

  constructor(
    private readonly index: number,
    private readonly instruction: Instruction,
    readonly inputs: readonly BoundView[],
    readonly outputs: readonly BoundView[],
    readonly workspace: Workspace,
  ) {}

  get attributes(): readonly number[] {
    return this.instruction.attributes;
  }

  /** The same instruction on other inputs, for kernels made of two. */
  withInputs(inputs: readonly BoundView[]): Call {
    return new Call(this.index, this.instruction, inputs, this.outputs, this.workspace);
  }

  check(condition: boolean, what: string): asserts condition {
    if (condition) return;
    const { kernel, label } = this.instruction;
    throw new BackendError(`portable backend: instruction ${this.index}, ${kernel} (${label}): ${what}`);
  }

  checkCounts(inputs: number, outputs: number, attributes: number): void {
    this.check(this.inputs.length === inputs, `takes ${inputs} inputs, not ${this.inputs.length}`);
    this.check(this.outputs.length === outputs, `has ${outputs} outputs, not ${this.outputs.length}`);
    this.check(this.attributes.length === attributes, `takes ${attributes} attributes, not ${this.attributes.length}`);
  }

  checkShape(view: BoundView, shape: readonly number[], name: string): void {
    const fits = shapesEqual(view.shape, shape);
    this.check(fits, `${name} has the shape ${formatShape(view.shape)}, not ${formatShape(shape)}`);
  }

  checkDType(view: BoundView, possible: readonly DType[], name: string): void {
    this.check(possible.includes(view.dtype), `${name} is ${view.dtype}; possible are ${possible.join(', ')}`);
  }

  checkRank(view: BoundView, rank: number, name: string): void {
    this.check(view.shape.length === rank, `${name} has ${view.shape.length} dims, not ${rank}`);
  }

  /** An attribute that must be an integer of at least `least`. */
  integer(position: number, least: number): number {
    const value = this.attributes[position];
    this.check(
      value !== undefined && Number.isSafeInteger(value) && value >= least,
      `attribute ${position} is ${value}, not an integer of at least ${least}`,
    );
    return value;
  }

  /** An attribute that names one of the program's scalars. */
  scalarSlot(position: number, scalars: number): number {
    const slot = this.integer(position, 0);
    this.check(slot < scalars, `attribute ${position} is ${slot}; the program has ${scalars} scalars`);
    return slot;
  }
}

/** A prepared instruction. The runner may turn to others between two parts of it. */
export interface Task {
  readonly parts: number;
  /** Before the first part of every run. */
  begin?(): void;
  run(part: number): void;
  /** After the last part of every run, also of a failed one. */
  end?(): void;
}

/** Checks an instruction and prepares it. `scalars` is the number of the program's scalars. */
export type Kernel = (call: Call, scalars: number) => Task;

export const floatTypes: readonly DType[] = ['float32', 'float64'];
export const arithmeticTypes: readonly DType[] = ['float32', 'float64', 'int32'];

/** A task over `count` equal items, as many of them in a part as make about a millisecond. */
export function taskOver(count: number, nanosecondsEach: number, run: (from: number, to: number) => void): Task {
  const perPart = Math.max(1, Math.floor(1e6 / Math.max(1, nanosecondsEach)));
  return {
    parts: Math.ceil(count / perPart),
    run: (part) => run(part * perPart, Math.min(count, (part + 1) * perPart)),
  };
}
