import { noGrad } from '../../graph/modes';
import { inEvaluationMode } from '../../nn/evaluation-mode';
import type { RemovableHandle } from '../../nn/hooks';
import { Sequential } from '../../nn/layers/containers';
import type { Layer, Module } from '../../nn/module';
import { shapesEqual } from '../../tensor/shape';
import { TensorBase, type Tensor } from '../../tensor/tensor';

/** Of fewer repeated layers there is no shallower model that would say something. */
const LEAST = 3;
/** The share of the repeated layers that is kept, as 20 of 56. */
const KEPT = 1 / 3;

/** A model some of whose layers hand on what they get. */
export interface Shallower {
  readonly repeated: number;
  readonly leftOut: number;
  /** Gives the model all its layers back. */
  restore(): void;
}

/**
 * Leaves two thirds out of the layers that give what is of the shape of their input: what is left is a model that the whole one
 * contains, as those layers could be the identity. Null for a model that is no such stack.
 */
export function makeShallower(model: Module & Layer, x: Tensor): Shallower | null {
  const repeated = repeatedLayers(model, x);
  if (repeated.length < LEAST) return null;
  const kept = Math.floor(repeated.length * KEPT);
  const place = (i: number): number => Math.floor((i * kept) / repeated.length);
  const leftOut = repeated.filter((_, i) => place(i + 1) === place(i));
  const restores = leftOut.map(bypass);
  return {
    repeated: repeated.length,
    leftOut: leftOut.length,
    restore: () => restores.forEach((restore) => restore()),
  };
}

/** Its own forward is not called at all: running statistics stay as they are. */
function bypass(module: Module): () => void {
  const own = Object.getOwnPropertyDescriptor(module, 'forward');
  const value = (input: unknown): unknown => input;
  Object.defineProperty(module, 'forward', { value, configurable: true, writable: true, enumerable: false });
  return () => {
    Reflect.deleteProperty(module, 'forward');
    if (own !== undefined) Object.defineProperty(module, 'forward', own);
  };
}

/** In the order of their calls; the outermost, each called once. Layers without a matrix, as norms, are none. */
function repeatedLayers(model: Module & Layer, x: Tensor): Module[] {
  const calls = new Map<Module, boolean[]>();
  const handles: RemovableHandle[] = [];
  for (const module of model.modules()) {
    if (module === model || module instanceof Sequential) continue;
    if (![...module.parameters()].some(({ rank }) => rank > 1)) continue;
    const note = (_module: Module, [input, ...others]: readonly unknown[], output: unknown): void => {
      const fits =
        others.length === 0 &&
        input instanceof TensorBase &&
        output instanceof TensorBase &&
        shapesEqual(input.shape, output.shape);
      calls.set(module, [...(calls.get(module) ?? []), fits]);
    };
    handles.push(module.registerForwardHook(note));
  }
  try {
    noGrad(() => inEvaluationMode(model, () => model.forward(x)));
  } finally {
    handles.forEach((handle) => handle.remove());
  }
  const fitting = [...calls].filter(([, fits]) => fits.length === 1 && fits[0] === true).map(([module]) => module);
  const inner = new Set(fitting.flatMap((module) => [...module.modules()].filter((other) => other !== module)));
  return fitting.filter((module) => !inner.has(module));
}
