import { ValueError } from '../../errors';
import type { Tensor, TensorBase } from '../../tensor/tensor';
import { Module, type Layer } from '../module';

/**
 * Layers one after the other, named by their position, or by name where given as an object.
 * Throws ValueError for anything without a `forward`.
 *
 *     const model = new Sequential(new Linear(64, 32), new ReLU(), new Linear(32, 10));
 *     const named = new Sequential({ hidden: new Linear(64, 32), output: new Linear(32, 10) });
 */
export class Sequential extends Module implements Iterable<Layer> {
  readonly #layers: readonly (readonly [string, Layer])[];

  constructor(...layers: Layer[] | [{ readonly [name: string]: Layer }]) {
    super();
    const [first] = layers;
    const isNamed = layers.length === 1 && !(first instanceof Module) && typeof first === 'object' && first !== null;
    this.#layers = Object.entries(isNamed ? first : (layers as Layer[]));
    for (const [name, layer] of this.#layers)
      if (!(layer instanceof Module) || typeof layer.forward !== 'function')
        throw new ValueError(`Sequential: layer ${name} is not a module with a forward method, got ${String(layer)}`);
  }

  get length(): number {
    return this.#layers.length;
  }

  /** The layer at a position; from the end where negative. */
  at(index: number): Layer | undefined {
    return this.#layers.at(index)?.[1];
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
    return this.#layers.map(([name, layer]) => [name, layer]);
  }
}

/** Gives back what it gets. */
export class Identity extends Module {
  forward(x: TensorBase): Tensor {
    return x.capture();
  }
}
