import { models, type nn, tensor } from '../../lib';
import { evaluateSync } from '../../lib/graph/evaluate';
import { sum } from '../../lib/ops';
import type { Tensor, TensorBase } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';
import { readRecording, toNumber, toTensor, type RecordedTensor } from '../reference/read';

interface Network {
  readonly title: string;
  readonly x: RecordedTensor;
  readonly y: RecordedTensor;
  readonly v: RecordedTensor;
  readonly keys: readonly string[];
  /** Of each parameter's gradient the sum and the sum of squares. */
  readonly grads: { readonly [key: string]: readonly [number, number] };
  readonly training: boolean;
}

const { networks } = readRecording<{ networks: readonly Network[] }>('sequence');

const builders: { readonly [title: string]: () => nn.Layer } = {
  'resnet of basic blocks': () => new models.ResNet(models.BasicBlock, [1, 1, 1, 1], { numClasses: 7 }),
  'resnet of bottlenecks': () => new models.ResNet(models.Bottleneck, [1, 1, 1, 1], { numClasses: 7 }),
  'residual cifar 14': () => new models.CifarNet(14, { width: 4 }),
  'plain cifar 14': () => new models.CifarNet(14, { width: 4, residual: false }),
  mobilenet: () => new models.MobileNetV2({ widthMult: 0.25, numClasses: 5 }),
  gpt: () => new models.GPT({ vocabSize: 11, blockSize: 6, nLayer: 2, nHead: 2, nEmbd: 8, dropout: 0 }),
};

/** The weights that test/reference/sequence.py gives its networks: entry i of the k-th value of the state dict. */
function formula(keys: readonly string[], dict: nn.StateDict): Map<string, Tensor> {
  return new Map(
    keys.map((key, k) => {
      const value = dict.get(key)!;
      if (key.endsWith('num_batches_tracked')) return [key, value];
      const fan = value.size / (value.shape[0] ?? 1);
      const scale = value.rank > 1 ? Math.sqrt(6 / fan) : /weight$|running_var$/.test(key) ? 0.3 : 0.1;
      const offset = value.rank === 1 && scale === 0.3 ? 1 : 0;
      const wave = Float64Array.from({ length: value.size }, (_, i) => offset + scale * Math.sin(0.7 * i + 1.3 * k));
      return [key, tensor(wave, { shape: value.shape })];
    }),
  );
}

function expectNear(actual: TensorBase, expected: RecordedTensor): void {
  const numbers = expected.data.map(toNumber);
  const size = Math.max(...numbers.map(Math.abs));
  expect(actual.shape).toEqual(expected.shape);
  Array.from(actual.dataSync(), Number).forEach((x, i) =>
    expect(Math.abs(x - numbers[i]!)).toBeLessThanOrEqual(1e-10 * size),
  );
}

onEachBackend('networks as PyTorch has them', (backend) => {
  // The large ones only where they are fast.
  const shown = networks.filter(({ title }) => backend === 'native' || !/resnet|mobilenet/.test(title));

  test.each(shown.map((network) => [network.title, network] as const))('%s', (title, network) => {
    const model = builders[title]!().double();
    expect([...model.stateDict().keys()]).toEqual(network.keys);
    model.loadStateDict(formula(network.keys, model.stateDict()));
    if (!network.training) model.eval();
    const y = model.forward(toTensor(network.x));
    expectNear(y, network.y);
    sum(y.mul(toTensor(network.v))).backward();
    evaluateSync([...model.parameters()].map(({ grad }) => grad!));
    for (const [key, parameter] of model.namedParameters()) {
      const g = Array.from(parameter.grad!.dataSync(), Number);
      const [total, squares] = network.grads[key]!;
      const found = g.reduce((s, x) => s + x * x, 0);
      // Where a constant shift has no effect the gradient is rounding alone.
      const magnitude = Math.max(Math.sqrt(squares * g.length), 1e-3);
      expect(Math.abs(g.reduce((s, x) => s + x, 0) - total)).toBeLessThanOrEqual(1e-9 * magnitude);
      expect(Math.abs(found - squares)).toBeLessThanOrEqual(1e-9 * Math.max(squares, 1e-6));
    }
  });
});
