import type { DType } from '../tensor/dtype';
import type { Shape } from '../tensor/shape';
import type { OpIdentity, Tensor } from '../tensor/tensor';
import type { Opcode } from './program/elementwise';
import type { KernelName } from './program/kernels';
import { record } from './record';

/** A strided window; offset and strides in elements. */
export interface Layout {
  readonly offset: number;
  readonly shape: Shape;
  readonly strides: readonly number[];
}

/** How an operation becomes instructions: exactly one of these. */
export type Lowering<Attrs> =
  /** A step of elementwise byte code; inputs broadcast to the output's shape. */
  | { readonly elementwise: Opcode }
  /** Another window on the same numbers; null where strides cannot say it (then the input is copied first). */
  | { readonly view: (input: Layout, attrs: Attrs, shape: Shape) => Layout | null }
  /**
   * A kernel of the backends. Where they differ from the operation's own: `arrange` gives its inputs' windows (of contiguous
   * inputs, where the kernel is not strided), `output` its output's shape, `kernelAttributes` what it gets, both
   * from the inputs as they were before they were arranged.
   */
  | {
      readonly kernel: KernelName;
      readonly kernelAttributes?: (attrs: Attrs, inputs: readonly Layout[]) => readonly number[];
      readonly arrange?: (inputs: readonly Layout[], attrs: Attrs) => Layout[];
      readonly output?: (shape: Shape, inputs: readonly Layout[], attrs: Attrs) => Shape;
    };

/** One operation, in one place. Gradient rules call public operations only, so they can be differentiated again. */
export interface OpDefinition<Attrs> {
  /** The output's shape. Throws a ShapeError or DTypeError naming the op: this is where inputs are checked. */
  readonly shape: (inputs: readonly Tensor[], attrs: Attrs) => Shape;
  /** The output's dtype; the first input's where not given. */
  readonly dtype?: (inputs: readonly Tensor[], attrs: Attrs) => DType;
  /** Attrs as numbers, for the program's key and the kernel. Needed wherever there are attrs. */
  readonly attributes?: (attrs: Attrs, inputs: readonly Tensor[]) => readonly number[];
  readonly lower: Lowering<Attrs>;
  /** The data can make it fail (an index without an element): remembers where it was recorded. */
  readonly checksData?: boolean;
  /** Random operations: two of them are never merged; inputs are the two scalars seed and offset. */
  readonly random?: boolean;
  /**
   * Reverse rule: from the output's cotangent to each input's (null: none). Broadcast dims are summed out by the driver.
   * 'none' declares that there is no gradient (comparisons, indices).
   */
  readonly vjp:
    'none' | ((g: Tensor, inputs: readonly Tensor[], output: Tensor, attrs: Attrs) => readonly (Tensor | null)[]);
  /**
   * Forward rule: from the inputs' tangents (null: zero, but not all of them) to the output's, or to its terms, which the
   * driver adds. Derived by two vjps where not given.
   */
  readonly jvp?: (
    tangents: readonly (Tensor | null)[],
    inputs: readonly Tensor[],
    output: Tensor,
    attrs: Attrs,
  ) => Tensor | readonly (Tensor | null | undefined)[];
  /** A fused operation's formula in plain operations: what tests hold the kernel against. */
  readonly decompose?: (inputs: readonly Tensor[], attrs: Attrs) => Tensor;
}

export interface Op extends OpIdentity, OpDefinition<unknown> {}

/** All operations by name, in the order of their definition. */
export const registry = new Map<string, Op>();

/** Records an operation on tensors and returns the recipe. */
export type Apply<Attrs = undefined> = (inputs: readonly Tensor[], attrs: Attrs) => Tensor;

/** Makes an operation: the only way. */
export function defineOp<Attrs = undefined>(name: string, definition: OpDefinition<Attrs>): Apply<Attrs> {
  if (registry.has(name)) throw new Error(`defineOp: ${name} is defined twice`);
  // Every field, given or not: recording reads them all the time, and V8 finds them fast in objects of one form only.
  const { shape, dtype, attributes, lower, checksData, random, vjp, jvp, decompose } = definition;
  const fields = { name, id: registry.size, shape, dtype, attributes, lower, checksData, random, vjp, jvp, decompose };
  // Attrs are only ever handed back to the definition that they were recorded with.
  const op = fields as unknown as Op;
  registry.set(name, op);
  return (inputs, attrs) => record(op, inputs, attrs);
}

/** The operation that made a tensor; every OpIdentity is made by defineOp. */
export function opOf(tensor: Tensor): Op {
  return tensor.op as Op;
}
