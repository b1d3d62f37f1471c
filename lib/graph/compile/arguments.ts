import { TraceError } from '../../errors';
import { formatShape, shapesEqual } from '../../tensor/shape';
import { Tensor, TensorBase } from '../../tensor/tensor';

const MAX_DEPTH = 16;

/** Arguments and results as trees: arrays and plain objects are branches, all else are leaves. */
export type Leaf = unknown;

/** All leaves of a value, in order, and the path of each for messages. */
export function flatten(value: unknown, path: string, visit: (leaf: Leaf, path: string) => void, depth = 0): void {
  if (!isBranch(value)) return visit(value, path);
  if (depth === MAX_DEPTH) throw new TraceError(`compile: ${path} is nested more than ${MAX_DEPTH} deep`);
  if (Array.isArray(value)) value.forEach((item, i) => flatten(item, `${path}[${i}]`, visit, depth + 1));
  else for (const [key, item] of Object.entries(value)) flatten(item, `${path}.${key}`, visit, depth + 1);
}

/** All leaves of a value, in order: at every call, so without paths. */
export function leavesOf(value: unknown, leaves: Leaf[] = [], depth = 0): Leaf[] {
  if (!isBranch(value) || depth === MAX_DEPTH) leaves.push(value);
  else if (Array.isArray(value)) for (let i = 0; i < value.length; i++) leavesOf(value[i], leaves, depth + 1);
  else for (const key of Object.keys(value)) leavesOf((value as { [key: string]: unknown })[key], leaves, depth + 1);
  return leaves;
}

/** The same tree with other leaves. */
export function mapLeaves(value: unknown, change: (leaf: Leaf) => unknown): unknown {
  if (!isBranch(value)) return change(value);
  if (Array.isArray(value)) return value.map((item) => mapLeaves(item, change));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapLeaves(item, change)]));
}

function isBranch(value: unknown): value is readonly unknown[] | { readonly [key: string]: unknown } {
  if (typeof value !== 'object' || value === null || value instanceof TensorBase) return false;
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** What a leaf has to be for a trace to hold for it: a tensor of this kind, or this very value. */
export type Expected =
  | { readonly path: string; readonly tensor: Tensor; readonly differentiable: boolean }
  | { readonly path: string; readonly constant: unknown };

export function expectedOf(leaf: Leaf, path: string): Expected {
  // A Variable stands for itself: what it holds is read at every replay.
  if (!(leaf instanceof Tensor)) return { path, constant: leaf };
  if (leaf.requiresGrad && !leaf.isLeaf)
    throw new TraceError(
      `compile: ${path} depends on what requires a gradient, and gradients do not pass into a compiled function; ` +
        'compile the whole step, or detach() the argument',
    );
  // Its kind alone: the tensor itself is not kept.
  const kind = new Tensor(leaf.shape, leaf.dtype);
  return { path, tensor: kind, differentiable: leaf.requiresGrad };
}

/** Why a leaf is not what is expected, or null. */
export function mismatch(expected: Expected, leaf: Leaf): string | null {
  const { path } = expected;
  if (!('tensor' in expected)) {
    if (Object.is(expected.constant, leaf)) return null;
    return `${path} is ${describe(leaf)}, was ${describe(expected.constant)}`;
  }
  const { tensor: kind, differentiable } = expected;
  if (!(leaf instanceof Tensor)) return `${path} is ${describe(leaf)}, was a tensor`;
  if (leaf.dtype !== kind.dtype) return `${path} is ${leaf.dtype}, was ${kind.dtype}`;
  if (!shapesEqual(leaf.shape, kind.shape))
    return `${path} has shape ${formatShape(leaf.shape)}, was ${formatShape(kind.shape)}`;
  if (leaf.requiresGrad !== differentiable)
    return `${path} ${leaf.requiresGrad ? 'requires a gradient' : 'requires no gradient'}, was the other way`;
  return null;
}

export function describe(value: unknown): string {
  if (value instanceof Tensor) return `a ${value.dtype} tensor of shape ${formatShape(value.shape)}`;
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
  if (typeof value === 'object' && value !== null) return `another ${value.constructor?.name ?? 'object'}`;
  return typeof value === 'string' ? `'${value}'` : String(value);
}
