import { ValueError } from '../../errors';
import { TensorBase, Variable } from '../../tensor/tensor';
import { Module } from '../module';
import { Parameter } from '../parameter';

/** Values by position, as state dicts name them: 0, 1, ... */
abstract class List<T> extends Module implements Iterable<T> {
  readonly #items: T[] = [];

  /** What may be in it; throws ValueError for anything else. */
  protected abstract checked(item: unknown, index: number): T;

  get length(): number {
    return this.#items.length;
  }

  /** The item at a position; from the end where negative. */
  at(index: number): T | undefined {
    return this.#items.at(index);
  }

  /** Adds one at the end. */
  append(item: T): this {
    this.#items.push(this.checked(item, this.length));
    return this;
  }

  /** Adds several at the end; none if one of them is refused. */
  extend(items: Iterable<T>): this {
    const added = [...items].map((item, i) => this.checked(item, this.length + i));
    this.#items.push(...added);
    return this;
  }

  /** Puts one before a position; those behind it move up. Throws ValueError for a position that is not there. */
  insert(index: number, item: T): this {
    const position = index < 0 ? index + this.length : index;
    if (!Number.isInteger(position) || position < 0 || position > this.length)
      throw new ValueError(`${this.constructor.name}: index is from 0 to ${this.length}, got ${index}`);
    this.#items.splice(position, 0, this.checked(item, position));
    return this;
  }

  /** Replaces one. Throws ValueError for a position that is not there. */
  set(index: number, item: T): this {
    const position = index < 0 ? index + this.length : index;
    if (!Number.isInteger(position) || position < 0 || position >= this.length)
      throw new ValueError(`${this.constructor.name}: has ${this.length} items, got the index ${index}`);
    this.#items[position] = this.checked(item, position);
    return this;
  }

  *[Symbol.iterator](): IterableIterator<T> {
    yield* this.#items;
  }

  protected override fields(): Iterable<[string, unknown]> {
    return this.#items.map((item, i) => [String(i), item]);
  }
}

/** Values by name; the names are the keys of state dicts as they are. */
abstract class Dict<T> extends Module implements Iterable<string> {
  readonly #items = new Map<string, T>();

  /** What may be in it; throws ValueError for anything else. */
  protected abstract checked(item: unknown, key: string): T;

  get size(): number {
    return this.#items.size;
  }

  get(key: string): T | undefined {
    return this.#items.get(key);
  }

  has(key: string): boolean {
    return this.#items.has(key);
  }

  /** Adds or replaces one. Throws ValueError for a key that is empty or has a dot, which separates names. */
  set(key: string, item: T): this {
    if (typeof key !== 'string' || key === '' || key.includes('.'))
      throw new ValueError(`${this.constructor.name}: a key is a name without dots, got '${String(key)}'`);
    this.#items.set(key, this.checked(item, key));
    return this;
  }

  /** Adds or replaces several. */
  update(items: ReadonlyMap<string, T> | { readonly [key: string]: T }): this {
    const entries: Iterable<readonly [string, T]> =
      items instanceof Map ? (items as ReadonlyMap<string, T>) : Object.entries(items as { [key: string]: T });
    for (const [key, item] of entries) this.set(key, item);
    return this;
  }

  /** Takes one out and gives it back. Throws ValueError for a key that is not there. */
  pop(key: string): T {
    const item = this.#items.get(key);
    if (item === undefined)
      throw new ValueError(`${this.constructor.name}: has ${[...this.keys()].join(', ')}, not ${String(key)}`);
    this.#items.delete(key);
    return item;
  }

  clear(): void {
    this.#items.clear();
  }

  keys(): IterableIterator<string> {
    return this.#items.keys();
  }

  values(): IterableIterator<T> {
    return this.#items.values();
  }

  entries(): IterableIterator<[string, T]> {
    return this.#items.entries();
  }

  [Symbol.iterator](): IterableIterator<string> {
    return this.#items.keys();
  }

  protected override fields(): Iterable<[string, unknown]> {
    return this.#items.entries();
  }
}

function checkedModule<M extends Module>(owner: string, item: unknown, key: string | number): M {
  if (!(item instanceof Module)) throw new ValueError(`${owner}: item ${key} is a module, got ${String(item)}`);
  return item as M;
}

/** A parameter as it is; any other tensor becomes one. */
function checkedParameter(owner: string, item: unknown, key: string | number): Variable {
  if (item instanceof Variable) return item;
  if (item instanceof TensorBase) return new Parameter(item);
  throw new ValueError(`${owner}: item ${key} is a tensor or Parameter, got ${String(item)}`);
}

/**
 * Modules in a list, as parts of the module that holds it; it has no `forward` of its own.
 * Throws ValueError for anything that is no module.
 *
 *     readonly blocks = new ModuleList([new Linear(8, 8), new Linear(8, 8)]);
 *     for (const block of this.blocks) y = block.forward(y);
 */
export class ModuleList<M extends Module = Module> extends List<M> {
  constructor(modules: Iterable<M> = []) {
    super();
    this.extend(modules);
  }

  protected checked(item: unknown, index: number): M {
    return checkedModule('ModuleList', item, index);
  }
}

/**
 * Modules by name. Throws ValueError for anything that is no module, and for names with a dot.
 *
 *     const heads = new ModuleDict({ age: new Linear(8, 1), kind: new Linear(8, 4) });
 *     heads.get('age')!.forward(x);
 */
export class ModuleDict<M extends Module = Module> extends Dict<M> {
  constructor(modules: ReadonlyMap<string, M> | { readonly [key: string]: M } = {}) {
    super();
    this.update(modules);
  }

  protected checked(item: unknown, key: string): M {
    return checkedModule('ModuleDict', item, key);
  }
}

/**
 * Parameters in a list; other tensors become parameters. Throws ValueError for anything else.
 *
 *     readonly scales = new ParameterList([ones([4]), ones([8])]);
 *     x.mul(this.scales.at(0)!);
 */
export class ParameterList extends List<TensorBase> {
  constructor(parameters: Iterable<TensorBase> = []) {
    super();
    this.extend(parameters);
  }

  protected checked(item: unknown, index: number): Variable {
    return checkedParameter('ParameterList', item, index);
  }
}

/**
 * Parameters by name; other tensors become parameters. Throws ValueError for anything else, and for names with a dot.
 *
 *     readonly scales = new ParameterDict({ left: ones([4]), right: ones([4]) });
 *     x.mul(this.scales.get('left')!);
 */
export class ParameterDict extends Dict<TensorBase> {
  constructor(parameters: ReadonlyMap<string, TensorBase> | { readonly [key: string]: TensorBase } = {}) {
    super();
    this.update(parameters);
  }

  protected checked(item: unknown, key: string): Variable {
    return checkedParameter('ParameterDict', item, key);
  }
}
