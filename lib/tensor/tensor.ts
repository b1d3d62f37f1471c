import { DTypeError, ShapeError } from '../errors';
import { isFloat, type DType } from './dtype';
import { formatShape, shapesEqual, sizeOf, type Shape } from './shape';
import { Storage } from './storage';
import { currentTrace, refuseInTrace } from './tracing';

/** What a tensor knows of the operation that made it; graph/op.ts has the rest. */
export interface OpIdentity {
  readonly name: string;
  readonly id: number;
}

let marking = true;

/** Records without marking versions as seen: for an optimizer's formula, which keeps no handle on what it reads. */
export function withoutCapturing<T>(fn: () => T): T {
  const before = marking;
  marking = false;
  try {
    return fn();
  } finally {
    marking = before;
  }
}

const NO_INPUTS: readonly Tensor[] = [];
const NO_ATTRIBUTES: readonly number[] = [];
/** Versions that a Variable can go back to. */
const MAX_EARLIER = 16;
let serials = 0;
const refuseClone = (): never => {
  throw new DTypeError('tensors do not cross threads; see toTransferable');
};

/**
 * What operations take: a Tensor, or a Variable, which stands for its current version.
 * ops/methods.ts adds every operation as a method.
 */
export abstract class TensorBase {
  abstract readonly shape: Shape;
  abstract readonly dtype: DType;
  /** Whether gradients flow to it. */
  abstract readonly requiresGrad: boolean;
  /** What `backward()` has accumulated; null before. */
  abstract grad: Tensor | null;
  /** A function, so that structuredClone and postMessage refuse tensors, which share memory with programs. */
  protected readonly useToTransferable = refuseClone;

  /** The value or recipe that recording an operation on this captures. */
  abstract capture(): Tensor;

  get rank(): number {
    return this.shape.length;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }
}

/** An operand of an operation: numbers become scalars of the other operand's dtype. */
export type Operand = TensorBase | number;

/**
 * An immutable value (it has a `storage`), or the recipe of one (it has an `op`), or both, while a gradient may still be
 * asked of it. The graph's own folders read and write the fields below; user code reads shape, dtype, grad.
 */
export class Tensor extends TensorBase {
  /** Counts up in the order of recording, so inputs always come before what is made of them. */
  readonly serial = ++serials;
  grad: Tensor | null = null;
  op: OpIdentity | null = null;
  inputs: readonly Tensor[] = NO_INPUTS;
  /** What the op was given besides tensors, as its definition wants it. */
  attrs: unknown = undefined;
  /** The same as numbers: part of the program's key, and what kernels get. */
  attributes: readonly number[] = NO_ATTRIBUTES;
  /** The number of a scalar operand: an input of programs, never part of their key. */
  scalar: number | null = null;
  storage: Storage | null = null;
  /** The run that fills `storage`, while it is in flight; 0 otherwise. */
  run = 0;
  /** Why its run failed. */
  failure: Error | null = null;
  requiresGrad = false;
  /** The user asked for its gradient by `requiresGrad: true`: a leaf, even while it is a recipe. */
  asksGradient = false;
  /** backward() went through here without retainGraph. */
  released = false;
  /** The Variable that this is, or was, a version of: where gradients stop and go to. */
  variable: Variable | null = null;
  /** Somebody besides the optimizer may read this version or gradient: never overwrite its storage. */
  captured = false;
  /** Computed before as an intermediate of some program. */
  computed = false;
  /** What is to be computed in the same program: new running statistics, the other gradients of a backward(). */
  companions: readonly Tensor[] | null = null;
  /** The version whose place this one takes; known until its program is submitted. */
  replaces: Tensor | null = null;
  /** Memory that nobody reads any more: its value may be written there. */
  room: Storage | null = null;
  /** Serial of the oldest recipe that this one needs: bounds the number of pending nodes. */
  oldest = this.serial;
  /** What the user called, for error messages. */
  label = '';
  /** Where an operation was recorded that the data can make fail; its message is the label. */
  site: Error | null = null;
  /** Scratch marks of graph walks. */
  visit = 0;
  rooted = 0;
  walk = 0;
  place = 0;
  index = 0;

  constructor(
    readonly shape: Shape,
    readonly dtype: DType,
  ) {
    super();
  }

  static ofStorage(storage: Storage, shape: Shape): Tensor {
    const tensor = new Tensor(shape, storage.dtype);
    tensor.storage = storage;
    return tensor;
  }

  static ofScalar(value: number, dtype: DType): Tensor {
    const tensor = new Tensor([], dtype);
    tensor.scalar = value;
    return tensor;
  }

  capture(): Tensor {
    // What a compiled function reads is read anew by every replay: no handle on this version.
    if (marking && this.variable !== null && currentTrace() === null) this.captured = true;
    return this;
  }

  get isScalar(): boolean {
    return this.scalar !== null;
  }

  /** Neither value nor number nor failure: only the recipe is known. */
  get pending(): boolean {
    return this.storage === null && this.scalar === null && this.failure === null;
  }

  /** Gradients stop here: a value or random numbers that the user made, or a version of a Variable. */
  get isLeaf(): boolean {
    return this.op === null || this.variable !== null || this.asksGradient;
  }

  forgetInputs(): void {
    this.op = null;
    this.inputs = NO_INPUTS;
    this.attrs = undefined;
    this.attributes = NO_ATTRIBUTES;
  }
}

/** Called by assign(); graph/record.ts provides it, as Tensor itself knows no op. */
let detachForAssign: (value: Tensor) => Tensor = (value) => value;

export function setDetach(detach: (value: Tensor) => Tensor): void {
  detachForAssign = detach;
}

/** The same numbers under another identity; values are shared, as they never change. */
function snapshot(value: Tensor): Tensor {
  // In a trace nothing is ready: the next replay has other numbers.
  if (currentTrace() !== null) return detachForAssign(value);
  // A value at once, so that the first program that reads it is the one that all later ones are.
  if (value.scalar !== null) return Tensor.ofStorage(Storage.from(value.dtype, [value.scalar]), value.shape);
  const ready = value.storage !== null && value.run === 0;
  return ready ? Tensor.ofStorage(value.storage!, value.shape) : detachForAssign(value);
}

/**
 * A value that training replaces: a parameter, a running statistic, an optimizer's state. It points at an immutable
 * tensor, its current version; recording an operation on it captures that version, so a later `assign` changes nothing
 * that was recorded before.
 *
 *     const weight = new Variable(tensor([1, 2]), { requiresGrad: true });
 *     weight.assign(weight.mul(0.5));
 */
export class Variable extends TensorBase {
  readonly shape: Shape;
  readonly dtype: DType;
  readonly requiresGrad: boolean;
  #grad: Tensor | null = null;
  /** Of a gradient that has gone, unseen: the next one takes it. */
  #room: Storage | null = null;
  #current: Tensor;
  /** Whether the current version outlives a failed program: its value exists, or it was assigned by hand. */
  #stands = true;
  /** The versions before it that do, oldest first: what a failed program leaves. */
  #earlier: Tensor[] = [];

  /** Throws DTypeError if gradients are asked of a dtype that has none. */
  constructor(value: TensorBase, options: { requiresGrad?: boolean } = {}) {
    super();
    this.shape = value.shape;
    this.dtype = value.dtype;
    this.requiresGrad = options.requiresGrad ?? false;
    if (this.requiresGrad && !isFloat(this.dtype))
      throw new DTypeError(`Variable: only float32 and float64 have gradients, got ${this.dtype}`);
    this.#current = this.#version(value.capture(), true);
  }

  /** The current version, without marking it as seen: for optimizers and the graph. */
  get current(): Tensor {
    return this.#current;
  }

  capture(): Tensor {
    return this.#current.capture();
  }

  get grad(): Tensor | null {
    currentTrace()?.readsGradient(this);
    // A compiled step writes the next gradient over this one, unless somebody has seen it.
    if (marking && this.#grad !== null && currentTrace() === null) this.#grad.captured = true;
    return this.#grad;
  }

  set grad(gradient: Tensor | null) {
    const trace = currentTrace();
    if (trace !== null) trace.changes(this);
    else this.#passRoom(gradient);
    this.#grad = gradient;
  }

  /** So that a training step does not ask the system for new memory for every gradient. */
  #passRoom(gradient: Tensor | null): void {
    const last = this.#grad;
    if (gradient === null) {
      if (last !== null && !last.captured) this.#room = last.storage;
    } else if (gradient.pending) {
      gradient.room = this.#room;
      this.#room = null;
    }
  }

  /** The gradient, without marking it as seen. */
  get currentGrad(): Tensor | null {
    return this.#grad;
  }

  /** What brings back the version and the gradient of now: for a trace, which leaves nothing behind. */
  bookmark(): () => void {
    const [current, stands, earlier, grad] = [this.#current, this.#stands, [...this.#earlier], this.#grad];
    return () => {
      this.#current = current;
      this.#stands = stands;
      this.#earlier = earlier;
      this.#grad = grad;
    };
  }

  /**
   * Points this Variable at a new version, from now on. With `with`, computing that tensor computes the new version too.
   * Throws ShapeError, DTypeError if the value does not fit.
   */
  assign(value: TensorBase, options: { with?: Tensor } = {}): void {
    this.#check(value);
    const anchor = options.with;
    this.#advance(this.#version(value.capture(), true), anchor === undefined);
    if (anchor !== undefined) anchor.companions = [...(anchor.companions ?? []), this.#current];
  }

  /**
   * Runs `fn` while this Variable has another value, and goes back: only what `fn` records knows of it, and nothing is to be
   * restored later. Throws ShapeError, DTypeError if the value does not fit.
   */
  standIn<T>(value: TensorBase, fn: () => T): T {
    this.#check(value);
    const current = this.#current;
    const version = snapshot(value.capture());
    version.captured = true;
    version.requiresGrad = this.requiresGrad;
    this.#current = version;
    try {
      return fn();
    } finally {
      this.#current = current;
    }
  }

  /** `assign` for who has made `value` for this alone: nobody else holds it, so the first step may write over it. */
  initialize(value: Tensor): void {
    this.#check(value);
    this.#advance(this.#version(snapshot(value), false), true);
  }

  /** `assign` for the optimizer, which promises that nobody else holds `value`: its storage may be overwritten later. */
  replace(value: Tensor): void {
    this.#check(value);
    const version = this.#version(value, false);
    version.replaces = this.#current;
    this.#advance(version, false);
  }

  /** Points this Variable at the same numbers in another dtype, which is its own from now on; its gradient is forgotten. */
  convert(value: TensorBase): void {
    (this as { dtype: DType }).dtype = value.dtype;
    refuseInTrace('a Variable changes its dtype', 'convert the model before');
    this.grad = null;
    this.assign(value);
    // What came before has the other dtype: nothing to go back to.
    this.#earlier = [];
  }

  /** Points this Variable at what a replay of a compiled function computes. */
  take(version: Tensor): void {
    version.variable = this;
    version.requiresGrad = this.requiresGrad;
    this.#advance(version, false);
  }

  /** Gives this Variable a buffer of its own, with the same numbers: whoever has seen the version keeps the old one. */
  unshare(storage: Storage): void {
    const version = Tensor.ofStorage(storage, this.shape);
    version.variable = this;
    version.requiresGrad = this.requiresGrad;
    this.#advance(version, true);
  }

  /** The program that computes `version` succeeded. */
  commit(version: Tensor): void {
    const earlier = this.#earlier;
    if (earlier.length > 0) {
      // Mostly there is one, and setting a length is dear.
      if (earlier[earlier.length - 1]!.serial <= version.serial) while (earlier.length > 0) earlier.pop();
      else this.#earlier = earlier.filter(({ serial }) => serial > version.serial);
    }
    if (version === this.#current) this.#stands = true;
    else this.#earlier.unshift(version);
  }

  /** The program that computes `version` failed: back to the last one that stands. */
  revert(version: Tensor): void {
    this.#earlier = this.#earlier.filter((earlier) => earlier !== version);
    if (this.#stands && version !== this.#current) return;
    this.#current = this.#earlier.pop() ?? this.#current;
    this.#stands = true;
  }

  #advance(version: Tensor, stands: boolean): void {
    currentTrace()?.changes(this);
    if (this.#stands) this.#earlier.push(this.#current);
    // The oldest has its value; of those assigned by hand and never computed the latest are enough.
    if (this.#earlier.length > MAX_EARLIER) this.#earlier.splice(1, 1);
    this.#current = version;
    this.#stands = stands;
  }

  #check(value: TensorBase): void {
    if (!shapesEqual(value.shape, this.shape))
      throw new ShapeError(
        `assign: the Variable has shape ${formatShape(this.shape)}, got ${formatShape(value.shape)}`,
      );
    if (value.dtype !== this.dtype) throw new DTypeError(`assign: the Variable is ${this.dtype}, got ${value.dtype}`);
  }

  #version(value: Tensor, captured: boolean): Tensor {
    // A version has its own identity (gradients stop at it), so only a fresh recipe that needs none is taken as it is.
    const adopt = !captured && value.op !== null && !value.requiresGrad && value.variable === null;
    const version = adopt ? value : snapshot(value);
    version.variable = this;
    version.captured = captured || !adopt;
    version.requiresGrad = this.requiresGrad;
    return version;
  }
}
