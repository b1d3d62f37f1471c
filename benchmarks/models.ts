import { F, models, nn, noGrad, optim, tensor, type Tensor, type TensorBase } from '../lib';

interface BenchmarkModel {
  readonly title: string;
  /** Size of the batch that it is measured with. */
  readonly batch: number;
  /** The shape of one input. */
  readonly input: readonly number[];
  readonly classes: number;
  readonly make: () => nn.Layer;
}

function convnet(): nn.Layer {
  const unit = (inputs: number, outputs: number): nn.Layer[] => [
    new nn.Conv2d(inputs, outputs, 3, { padding: 1, bias: false }),
    new nn.BatchNorm2d(outputs),
    new nn.ReLU(),
  ];
  return new nn.Sequential(
    ...unit(1, 32),
    ...unit(32, 32),
    new nn.MaxPool2d(2),
    ...unit(32, 64),
    ...unit(64, 64),
    new nn.MaxPool2d(2),
    ...unit(64, 128),
    new nn.AdaptiveAvgPool2d(1),
    new nn.Flatten(),
    new nn.Linear(128, 10),
  );
}

/** What is measured against other libraries; benchmarks/peers/torch_models.py has the same, with the same numbers. */
export const benchmarkModels = {
  mlp16: {
    title: 'MLP 16-32-32-4',
    batch: 32,
    input: [16],
    classes: 4,
    make: () => models.mlp([16, 32, 32, 4]),
  },
  mlp784: {
    title: 'MLP 784-512-256-10',
    batch: 128,
    input: [784],
    classes: 10,
    make: () => models.mlp([784, 512, 256, 10]),
  },
  lenet: {
    title: 'LeNet 28x28',
    batch: 64,
    input: [1, 28, 28],
    classes: 10,
    make: () => new models.LeNet(),
  },
  convnet: {
    title: 'conv-bn-relu x5 28x28',
    batch: 64,
    input: [1, 28, 28],
    classes: 10,
    make: convnet,
  },
  resnet18: {
    title: 'ResNet-18 32x32',
    batch: 32,
    input: [3, 32, 32],
    classes: 10,
    make: () => models.resnet18({ stem: 'cifar', numClasses: 10 }),
  },
} satisfies { readonly [name: string]: BenchmarkModel };

export type ModelName = keyof typeof benchmarkModels;
export const modelNames = Object.keys(benchmarkModels) as ModelName[];
export const isModelName = (name: string): name is ModelName => Object.hasOwn(benchmarkModels, name);

/** `count` numbers in [-1, 1), exact in every language: murmur3's finalizer over a counter. */
export function hashed(stream: number, count: number): Float64Array {
  const start = Math.imul(stream, 0x9e3779b9);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    let h = (i + start) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    values[i] = ((h ^ (h >>> 16)) >>> 0) / 2 ** 31 - 1;
  }
  return values;
}

/** The model with hashed weights: value k of its state dict is stream k. */
export function buildModel(name: ModelName, dtype: 'float32' | 'float64' = 'float32'): nn.Layer {
  const model = benchmarkModels[name].make();
  model.to(dtype);
  const state = [...model.stateDict()].map(([key, value], k): [string, Tensor] => {
    if (key.endsWith('num_batches_tracked')) return [key, value];
    const bound = value.rank > 1 ? Math.sqrt((6 * value.shape[0]!) / value.size) : 0.1;
    const offset = value.rank === 1 && /(weight|running_var)$/.test(key) ? 1 : 0;
    const values = hashed(k, value.size);
    for (let i = 0; i < values.length; i++) values[i] = offset + bound * values[i]!;
    return [key, tensor(values, { shape: value.shape, dtype })];
  });
  model.loadStateDict(new Map(state));
  return model;
}

/** Inputs and labels: streams 1000 and 1001. */
export function buildBatch(
  name: ModelName,
  size: number = benchmarkModels[name].batch,
  dtype: 'float32' | 'float64' = 'float32',
): { x: Tensor; labels: Tensor } {
  const { input, classes } = benchmarkModels[name];
  const shape = [size, ...input];
  const values = hashed(
    1000,
    shape.reduce((product, dim) => product * dim, 1),
  );
  const labels = Int32Array.from(hashed(1001, size), (u) => Math.floor(((u + 1) / 2) * classes));
  return { x: tensor(values, { shape, dtype }), labels: tensor(labels) };
}

/** Records one step of Adam, as users write it, and gives the loss; reading that waits for the step. */
export function trainer(model: nn.Layer): (x: TensorBase, labels: TensorBase) => Tensor {
  const optimizer = new optim.Adam(model.parameters(), { lr: 1e-3 });
  model.train();
  return (x, labels) => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model.forward(x), labels);
    loss.backward();
    void optimizer.step({ also: [loss] });
    return loss;
  };
}

/** Gives the logits without gradients. */
export function predictor(model: nn.Layer): (x: TensorBase) => Tensor {
  model.eval();
  return (x) => noGrad(() => model.forward(x));
}

export const parametersOf = (model: nn.Module): number =>
  [...model.parameters()].reduce((sum, { size }) => sum + size, 0);
