import { models, noGrad, tensor, type nn, type Shape, type Tensor } from '../../lib';
import type { DType } from '../../lib/tensor/dtype';

/** A network as twins.py builds it: its name and its arguments, the last of which may be options. */
export type Recipe = readonly [name: string, args: readonly unknown[]];

type Builder = (...args: never[]) => nn.Layer;

const builders: { readonly [name: string]: Builder } = {
  mlp: models.mlp,
  LeNet: (options?: models.LeNetOptions) => new models.LeNet(options),
  CifarNet: (depth: number, options?: models.CifarNetOptions) => new models.CifarNet(depth, options),
  ResNet: (
    block: 'BasicBlock' | 'Bottleneck',
    layers: readonly [number, number, number, number],
    options?: models.ResNetOptions,
  ) => new models.ResNet(models[block], layers, options),
  resnet18: models.resnet18,
  resnet34: models.resnet34,
  resnet50: models.resnet50,
  VGG: (depth: models.VGGDepth, options?: models.VGGOptions) => new models.VGG(depth, options),
  'VGG.features': (depth: models.VGGDepth, options?: models.VGGOptions) => new models.VGG(depth, options).features,
  mobilenetV2: models.mobilenetV2,
  GPT: (options: models.GPTOptions) => new models.GPT(options),
};

/** The network of a recipe. */
export function build([name, args]: Recipe): nn.Layer {
  return builders[name]!(...(args as never[]));
}

/** Stands for the input where weights have their place in the state dict, as in networks/formula.py. */
const INPUT = 1 << 20;

/** `count` whole numbers below 2^32: the finalizer of MurmurHash3 (Appleby) of i + k 0x9e3779b9. */
function scrambled(k: number, count: number): Uint32Array {
  const numbers = new Uint32Array(count);
  const start = Math.imul(k, 0x9e3779b9);
  for (let i = 0; i < count; i++) {
    let h = (start + i) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    numbers[i] = h ^ (h >>> 16);
  }
  return numbers;
}

/** offset + scale u for numbers u evenly spread in [-1, 1), multiples of 2^-19. */
function spread(k: number, shape: Shape, dtype: DType, scale = 1, offset = 0): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const values = dtype === 'float32' ? new Float32Array(count) : new Float64Array(count);
  const numbers = scrambled(k, count);
  for (let i = 0; i < count; i++) values[i] = offset + ((numbers[i]! >>> 12) / 2 ** 19 - 1) * scale;
  return tensor(values, { shape });
}

/** Gives a network the weights that formula.py gives its twin, in the network's dtype. */
export function setWeights(model: nn.Module): void {
  const weights = new Map(
    [...model.stateDict()].map(([key, value], k) => {
      const { shape, dtype, size, rank } = value;
      if (dtype !== 'float32' && dtype !== 'float64') return [key, value];
      if (rank > 1) return [key, spread(k, shape, dtype, Math.sqrt(6 / (size / shape[0]!)))];
      return [key, /weight$|running_var$/.test(key) ? spread(k, shape, dtype, 0.3, 1) : spread(k, shape, dtype, 0.1)];
    }),
  );
  model.loadStateDict(weights);
}

/** What formula.py gives a network to see: tokens for GPT, else images. */
export function inputOf([name, args]: Recipe, shape: Shape, dtype: DType): Tensor {
  if (name !== 'GPT') return spread(INPUT, shape, dtype, 2);
  const { vocabSize } = args[0] as models.GPTOptions;
  const count = shape.reduce((product, size) => product * size, 1);
  return tensor(
    Int32Array.from(scrambled(INPUT, count), (h) => h % vocabSize),
    { shape },
  );
}

/** By what the outputs are multiplied before the gradients of their sum are taken. */
export const cotangentOf = (shape: Shape): Tensor => spread(INPUT + 1, shape, 'float64');

/** The outputs of a network in evaluation mode. */
export function outputsOf(model: nn.Layer, recipe: Recipe, shape: Shape, dtype: DType): number[] {
  return Array.from(noGrad(() => model.eval().forward(inputOf(recipe, shape, dtype))).dataSync(), Number);
}

/** The norm of the difference, as a part of the norm of what is expected. */
export function distance(actual: readonly number[], expected: readonly number[]): number {
  if (actual.length !== expected.length) throw new Error(`${actual.length} numbers, expected ${expected.length}`);
  // Not Math.hypot(...list): an argument for each of a language model's logits overflows the stack.
  const norm = (of: (i: number) => number): number => Math.sqrt(expected.reduce((sum, _, i) => sum + of(i) ** 2, 0));
  return norm((i) => actual[i]! - expected[i]!) / norm((i) => expected[i]!);
}

/**
 * How far a result may be from PyTorch's in float64, as a part of the norm, where u is the unit roundoff. A sum of n products
 * with weights of zero mean is off by at most λ √n u of its size, but for a share of exp(-λ²/2) of the cases (Higham and
 * Mary 2019, theorem 3.1); 8 u more are for the rounded weights, the normalisation and the activation of a layer. Layers
 * add up, as He's variance keeps errors and numbers in proportion.
 */
export function roundingBound(model: nn.Module, u: number): number {
  const lambda = 4;
  const layers = [...model.parameters()].filter(({ rank }) => rank > 1);
  return layers.reduce((total, { size, shape }) => total + lambda * Math.sqrt(size / shape[0]!) + 8, 0) * u;
}
