import { ValueError } from '../errors';
import { TensorBase } from '../tensor/tensor';

/** Called before `forward` with its arguments; what it returns, if anything, replaces them. */
export type ForwardPreHook<M> = (
  module: M,
  inputs: readonly unknown[],
) => readonly unknown[] | TensorBase | null | undefined | void;

/** Called after `forward` with its arguments and result; what it returns, if anything, replaces the result. */
export type ForwardHook<M> = (module: M, inputs: readonly unknown[], output: unknown) => unknown;

/** Takes a hook away again. */
export interface RemovableHandle {
  remove(): void;
}

type Forward = (...inputs: unknown[]) => unknown;
interface HasForward {
  forward?: Forward;
}

/** The hooks of one module, in the order of their registration. */
interface Hooks {
  readonly before: Set<(inputs: readonly unknown[]) => unknown>;
  readonly after: Set<(inputs: readonly unknown[], output: unknown) => unknown>;
}

const hooksOf = new WeakMap<object, Hooks>();

/** Has `hook` called before every `forward` of the module. */
export function addForwardPreHook<M extends object>(module: M, hook: ForwardPreHook<M>): RemovableHandle {
  checkHook('registerForwardPreHook', module, hook);
  const { before } = hooked(module);
  const call = (inputs: readonly unknown[]): unknown => hook(module, inputs);
  before.add(call);
  return { remove: () => removed(module, before.delete(call)) };
}

/** Has `hook` called after every `forward` of the module. */
export function addForwardHook<M extends object>(module: M, hook: ForwardHook<M>): RemovableHandle {
  checkHook('registerForwardHook', module, hook);
  const { after } = hooked(module);
  const call = (inputs: readonly unknown[], output: unknown): unknown => hook(module, inputs, output);
  after.add(call);
  return { remove: () => removed(module, after.delete(call)) };
}

function checkHook(name: string, module: object, hook: unknown): void {
  if (typeof hook !== 'function') throw new ValueError(`${name}: hook is a function, got ${String(hook)}`);
  if (typeof (module as HasForward).forward !== 'function')
    throw new ValueError(`${name}: ${module.constructor.name} has no forward method`);
}

/**
 * The hooks of a module. While there are any, its own `forward` hides the one of its class, so that a module without
 * hooks pays nothing.
 */
function hooked(module: object): Hooks {
  const known = hooksOf.get(module);
  if (known !== undefined) return known;
  const hooks: Hooks = { before: new Set(), after: new Set() };
  hooksOf.set(module, hooks);
  const forward = (module as Required<HasForward>).forward;
  const value = (...given: unknown[]): unknown => {
    let inputs: readonly unknown[] = given;
    for (const hook of [...hooks.before]) inputs = asInputs(hook(inputs)) ?? inputs;
    let output = forward.apply(module, [...inputs]);
    for (const hook of [...hooks.after]) output = hook(inputs, output) ?? output;
    return output;
  };
  Object.defineProperty(module, 'forward', { value, configurable: true, writable: true, enumerable: false });
  return hooks;
}

/** A single tensor counts as the list of it. */
function asInputs(result: unknown): readonly unknown[] | null {
  if (result === undefined || result === null) return null;
  if (result instanceof TensorBase) return [result];
  if (Array.isArray(result)) return result as readonly unknown[];
  throw new ValueError(`forward pre-hook: returns an array of inputs, a tensor or nothing, got ${typeof result}`);
}

function removed(module: object, wasThere: boolean): void {
  const hooks = hooksOf.get(module);
  if (!wasThere || hooks === undefined || hooks.before.size + hooks.after.size > 0) return;
  hooksOf.delete(module);
  Reflect.deleteProperty(module, 'forward');
}
