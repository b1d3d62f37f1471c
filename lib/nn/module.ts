import { DTypeError, ValueError } from '../errors';
import { noGrad } from '../graph/modes';
import { cast } from '../ops/cast';
import { detach } from '../ops/identity';
import { isFloat, type DType } from '../tensor/dtype';
import { Variable, type Tensor, type TensorBase } from '../tensor/tensor';
import { currentTrace, refuseInTrace } from '../tensor/tracing';
import {
  addForwardHook,
  addForwardPreHook,
  type ForwardHook,
  type ForwardPreHook,
  type RemovableHandle,
} from './hooks';
import { Parameter } from './parameter';
import {
  loadState,
  savedValue,
  stateKey,
  type IncompatibleKeys,
  type StateDict,
  type StateDictLike,
} from './state-dict';

/** A module that maps one tensor to another: what Sequential chains. */
export interface Layer extends Module {
  forward(x: TensorBase): Tensor;
}

/**
 * Base of all layers and networks. Plain fields are the tree: a Parameter (or a Variable with gradients) is a parameter,
 * any other Variable a buffer, a Module a child; arrays of these count by index. In state dicts names are written as in
 * PyTorch, `running_mean` for `runningMean`.
 *
 *     class Net extends Module {
 *       hidden = new Linear(64, 32);
 *       output = new Linear(32, 10);
 *       forward(x: TensorBase): Tensor {
 *         return this.output.forward(relu(this.hidden.forward(x)));
 *       }
 *     }
 */
export abstract class Module {
  #training = true;

  /** Whether dropout drops and batch normalisation uses the batch's statistics. */
  get training(): boolean {
    currentTrace()?.guard(this, 'training', () => this.#training);
    return this.#training;
  }

  set training(training: boolean) {
    refuseInTrace('train() or eval() is called', 'call it outside of the compiled function');
    this.#training = training;
  }

  /** Modules under a name each, itself under '' first; each module once. */
  *namedModules(): IterableIterator<[string, Module]> {
    const seen = new Set<Module>();
    for (const [name, module] of walk(this, '', []))
      if (!seen.has(module)) {
        seen.add(module);
        yield [name, module];
      }
  }

  /** All modules of the tree, itself first; each once. */
  *modules(): IterableIterator<Module> {
    for (const [, module] of this.namedModules()) yield module;
  }

  /** The modules right below, by name. */
  *namedChildren(): IterableIterator<[string, Module]> {
    for (const [name, value] of members(this)) if (value instanceof Module) yield [name, value];
  }

  /** The modules right below. */
  *children(): IterableIterator<Module> {
    for (const [, child] of this.namedChildren()) yield child;
  }

  /** Parameters by name; one that is shared appears once, under its first name. */
  *namedParameters(): IterableIterator<[string, Variable]> {
    yield* unique(this.#variables(isParameter));
  }

  /** All parameters of the tree, each once: what an optimizer takes. */
  *parameters(): IterableIterator<Variable> {
    for (const [, parameter] of this.namedParameters()) yield parameter;
  }

  /** Buffers (state that is saved but has no gradient, such as running statistics) by name, each once. */
  *namedBuffers(): IterableIterator<[string, Variable]> {
    yield* unique(this.#variables((variable) => !isParameter(variable)));
  }

  /** All buffers of the tree, each once. */
  *buffers(): IterableIterator<Variable> {
    for (const [, buffer] of this.namedBuffers()) yield buffer;
  }

  /**
   * A snapshot of parameters and buffers by PyTorch's names: later training does not change it.
   *
   *     await io.saveWeights('model.safetensors', model.stateDict());
   */
  stateDict(): StateDict {
    const dict: StateDict = new Map();
    noGrad(() => {
      for (const [key, variable] of this.#variables(() => true)) dict.set(key, savedValue(detach(variable)));
    });
    return dict;
  }

  /**
   * Takes over the values of a state dict; dtypes are converted among floats and among integers. Throws ValueError that
   * lists every missing, unexpected and misshapen key, and then nothing has changed.
   *
   *     model.loadStateDict(io.loadWeights('model.safetensors'));
   *     const { missingKeys } = model.loadStateDict(backbone, { strict: false });
   */
  loadStateDict(dict: StateDictLike, options: { strict?: boolean } = {}): IncompatibleKeys {
    const variables = [...this.#variables(() => true)];
    return noGrad(() => loadState(this.constructor.name, variables, dict, options.strict ?? true));
  }

  /** Puts the whole tree in training mode. */
  train(): this {
    return this.#setTraining(true);
  }

  /** Puts the whole tree in evaluation mode. */
  eval(): this {
    return this.#setTraining(false);
  }

  /** Forgets the gradients of all parameters. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) parameter.grad = null;
  }

  /** Parameters get no gradients from now on, and optimizers leave them as they are. */
  freeze(): this {
    return this.#setRequiresGrad(false);
  }

  /** Undoes `freeze`. */
  unfreeze(): this {
    return this.#setRequiresGrad(true);
  }

  /**
   * Floating-point parameters and buffers become `dtype`, in place; gradients are forgotten. Do so before an optimizer
   * gets the parameters, as its state has their dtype. Throws DTypeError unless it is float32 or float64.
   *
   *     const model = new Linear(3, 2).to('float64');
   */
  to(dtype: DType): this {
    if (!isFloat(dtype)) throw new DTypeError(`to: dtype is float32 or float64, got ${String(dtype)}`);
    noGrad(() => {
      for (const [, variable] of unique(this.#variables(({ dtype: own }) => isFloat(own) && own !== dtype)))
        variable.convert(cast(variable, dtype));
    });
    return this;
  }

  /** As `to('float64')`. */
  double(): this {
    return this.to('float64');
  }

  /** As `to('float32')`. */
  float(): this {
    return this.to('float32');
  }

  /**
   * Calls `hook(module, inputs)` before every `forward`; an array that it returns (or a tensor, for one input) replaces
   * the inputs. As in https://pytorch.org/docs/1.13/generated/torch.nn.Module.html.
   *
   *     const handle = layer.registerForwardPreHook((_layer, [x]) => [(x as Tensor).mul(2)]);
   *     handle.remove();
   */
  registerForwardPreHook(hook: ForwardPreHook<this>): RemovableHandle {
    return addForwardPreHook(this, hook);
  }

  /**
   * Calls `hook(module, inputs, output)` after every `forward`; what it returns, if anything, replaces the output.
   *
   *     const seen: unknown[] = [];
   *     layer.registerForwardHook((_layer, _inputs, output) => void seen.push(output));
   */
  registerForwardHook(hook: ForwardHook<this>): RemovableHandle {
    return addForwardHook(this, hook);
  }

  /** Calls `fn` on every module of the tree, children before parents. */
  apply(fn: (module: Module) => void): this {
    for (const module of childrenFirst(this, new Set())) fn(module);
    return this;
  }

  /** The tree as text, one line a module. */
  toString(): string {
    const children = [...this.namedChildren()];
    const name = this.constructor.name;
    if (children.length === 0) return `${name}(${this.describe()})`;
    const lines = children.map(([key, child]) => `(${key}): ${child.toString()}`.replaceAll('\n', '\n  '));
    const own = this.describe();
    return `${name}(${own}\n  ${lines.join('\n  ')}\n)`;
  }

  /** What toString() prints in the parentheses of this module. */
  protected describe(): string {
    return '';
  }

  /** What makes the tree, by its names in state dicts: the fields; containers name theirs otherwise. */
  protected fields(): Iterable<[string, unknown]> {
    return Object.entries(this).map(([field, value]) => [stateKey(field), value]);
  }

  /** Names and values for the walk below, which may not call a protected method of another class. */
  static fieldsOf(module: Module): Iterable<[string, unknown]> {
    return module.fields();
  }

  /** Every name of every variable that `wanted` picks. */
  *#variables(wanted: (variable: Variable) => boolean): IterableIterator<[string, Variable]> {
    for (const [prefix, module] of walk(this, '', []))
      for (const [name, value] of members(module))
        if (value instanceof Variable && wanted(value)) yield [join(prefix, name), value];
  }

  #setTraining(training: boolean): this {
    for (const module of this.modules()) module.training = training;
    return this;
  }

  #setRequiresGrad(requiresGrad: boolean): this {
    for (const [name, parameter] of this.namedParameters()) {
      if (!(parameter instanceof Parameter))
        throw new ValueError(`freeze: ${name} is a Variable; only a Parameter can be frozen`);
      parameter.setRequiresGrad(requiresGrad);
    }
    return this;
  }
}

function isParameter(variable: Variable): boolean {
  return variable instanceof Parameter || variable.requiresGrad;
}

/** The module and those below it, with dotted names, as often as they occur; `above` breaks cycles. */
function* walk(module: Module, name: string, above: readonly Module[]): IterableIterator<[string, Module]> {
  yield [name, module];
  const path = [...above, module];
  for (const [key, child] of module.namedChildren())
    if (!path.includes(child)) yield* walk(child, join(name, key), path);
}

function* childrenFirst(module: Module, seen: Set<Module>): IterableIterator<Module> {
  if (seen.has(module)) return;
  seen.add(module);
  for (const child of module.children()) yield* childrenFirst(child, seen);
  yield module;
}

/** Modules and variables of one module's fields; those in arrays by index. */
function* members(module: Module): IterableIterator<[string, Module | Variable]> {
  for (const [field, value] of Module.fieldsOf(module)) yield* flatten(field, value);
}

function* flatten(name: string, value: unknown): IterableIterator<[string, Module | Variable]> {
  if (value instanceof Module || value instanceof Variable) yield [name, value];
  else if (Array.isArray(value)) for (let i = 0; i < value.length; i++) yield* flatten(`${name}.${i}`, value[i]);
}

function* unique(entries: Iterable<[string, Variable]>): IterableIterator<[string, Variable]> {
  const seen = new Set<Variable>();
  for (const entry of entries)
    if (!seen.has(entry[1])) {
      seen.add(entry[1]);
      yield entry;
    }
}

function join(prefix: string, name: string): string {
  return prefix === '' ? name : `${prefix}.${name}`;
}
