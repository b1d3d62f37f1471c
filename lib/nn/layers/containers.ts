import { ValueError } from '../../errors';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { Module, type Layer } from '../module';
import { stateKey } from '../state-dict';

/**
 * Layers one after the other, named by their position, or by name where given as an object.
 * Throws ValueError for anything without a `forward`.
 *
 *     const model = new Sequential(new Linear(64, 32), new ReLU(), new Linear(32, 10));
 *     const named = new Sequential({ hidden: new Linear(64, 32), output: new Linear(32, 10) });
 */
export class Sequential extends Module implements Iterable<Layer> {
  readonly #layers: [string, Layer][] = [];

  constructor(...layers: Layer[] | [{ readonly [name: string]: Layer }]) {
    super();
    const [first] = layers;
    const isNamed = layers.length === 1 && !(first instanceof Module) && typeof first === 'object' && first !== null;
    for (const [name, layer] of Object.entries(isNamed ? first : (layers as Layer[]))) this.#add(name, layer);
  }

  get length(): number {
    return this.#layers.length;
  }

  /** The layer at a position; from the end where negative. */
  at(index: number): Layer | undefined {
    return this.#layers.at(index)?.[1];
  }

  /** Adds a layer at the end, named by its position. */
  append(layer: Layer): this {
    this.#add(String(this.length), layer);
    return this;
  }

  /** Adds layers at the end, named by their positions. */
  extend(layers: Iterable<Layer>): this {
    for (const layer of layers) this.append(layer);
    return this;
  }

  /** The layers from `start` to before `end`, as `Array.prototype.slice` counts, under their names; they are shared. */
  slice(start?: number, end?: number): Sequential {
    return new Sequential(Object.fromEntries(this.#layers.slice(start, end)));
  }

  *[Symbol.iterator](): IterableIterator<Layer> {
    for (const [, layer] of this.#layers) yield layer;
  }

  forward(x: TensorBase): Tensor {
    let y = x.capture();
    for (const [, layer] of this.#layers) y = layer.forward(y);
    return y;
  }

  protected override fields(): Iterable<[string, unknown]> {
    return this.#layers.map(([name, layer]) => [stateKey(name), layer]);
  }

  #add(name: string, layer: Layer): void {
    if (!(layer instanceof Module) || typeof layer.forward !== 'function')
      throw new ValueError(`Sequential: layer ${name} is not a module with a forward method, got ${String(layer)}`);
    this.#layers.push([name, layer]);
  }
}

/** Gives back what it gets. */
export class Identity extends Module {
  forward(x: TensorBase): Tensor {
    return x.capture();
  }
}
