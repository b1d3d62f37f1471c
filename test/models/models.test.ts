import path from 'node:path';
import { F, manualSeed, models, nn, optim, randn, tensor, zeros } from '../../lib';
import { ShapeError, ValueError } from '../../lib/errors';
import { loadWeights, saveWeights } from '../../lib/io/weights';
import { onEachBackend } from '../helpers/backends';
import { temporaryDirectory } from '../helpers/temporary-directory';

const directory = temporaryDirectory();

const count = (model: nn.Module): number => [...model.parameters()].reduce((sum, { size }) => sum + size, 0);
const keys = (model: nn.Module): string[] => [...model.stateDict().keys()];

describe('sizes that torchvision publishes', () => {
  test.each([
    ['resnet18', () => models.resnet18(), 11_689_512],
    ['resnet34', () => models.resnet34(), 21_797_672],
    ['resnet50', () => models.resnet50(), 25_557_032],
    ['vgg11', () => models.vgg11(), 132_863_336],
    ['vgg13', () => models.vgg13(), 133_047_848],
    ['vgg16', () => models.vgg16(), 138_357_544],
    ['vgg19', () => models.vgg19(), 143_667_240],
    ['vgg16 with batch normalisation', () => models.vgg16({ batchNorm: true }), 138_365_992],
    ['mobilenetV2', () => models.mobilenetV2(), 3_504_872],
    // Table 6 of He et al. 2016: 0.27 M and 0.85 M.
    ['CifarNet 20', () => new models.CifarNet(20), 269_722],
    ['CifarNet 56', () => new models.CifarNet(56), 853_018],
    ['plain CifarNet 56', () => new models.CifarNet(56, { residual: false }), 853_018],
    // LeCun et al. 1998, with all channels of the second convolution connected.
    ['LeNet', () => new models.LeNet(), 61_706],
    // GPT-2's 124 million.
    ['GPT', () => new models.GPT({ vocabSize: 50257 }), 124_439_808],
  ])('%s', (_name, make, size) => expect(count(make())).toBe(size));
});

describe('keys', () => {
  test('ResNet has those of torchvision', () => {
    const names = keys(models.resnet18());
    expect(names).toHaveLength(122);
    expect(names.slice(0, 7)).toEqual([
      'conv1.weight',
      'bn1.weight',
      'bn1.bias',
      'bn1.running_mean',
      'bn1.running_var',
      'bn1.num_batches_tracked',
      'layer1.0.conv1.weight',
    ]);
    expect(names).toEqual(
      expect.arrayContaining(['layer2.0.downsample.0.weight', 'layer2.0.downsample.1.running_var']),
    );
    expect(names.slice(-2)).toEqual(['fc.weight', 'fc.bias']);
    expect(keys(models.resnet50())).toHaveLength(320);
    expect(keys(models.resnet50())).toContain('layer1.0.conv3.weight');
  });

  test('VGG has those of torchvision', () => {
    const names = keys(models.vgg16());
    const features = [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28].map((i) => `features.${i}`);
    const layers = [...features, 'classifier.0', 'classifier.3', 'classifier.6'];
    expect(names).toEqual(layers.flatMap((layer) => [`${layer}.weight`, `${layer}.bias`]));
    expect(keys(models.vgg11({ batchNorm: true }))).toContain('features.1.running_mean');
  });

  test('MobileNetV2 has those of torchvision', () => {
    const names = keys(models.mobilenetV2());
    expect(names).toHaveLength(314);
    expect(names).toEqual(
      expect.arrayContaining([
        'features.0.0.weight',
        'features.1.conv.0.0.weight',
        'features.1.conv.1.weight',
        'features.1.conv.2.running_mean',
        'features.2.conv.0.0.weight',
        'features.2.conv.2.weight',
        'features.2.conv.3.bias',
        'features.18.1.num_batches_tracked',
        'classifier.1.weight',
      ]),
    );
  });

  test('the weights of one network are taken by another', () => {
    const [a, b] = [new models.CifarNet(8, { width: 2 }), new models.CifarNet(8, { width: 2 })];
    b.loadStateDict(a.stateDict());
    const x = randn([2, 3, 8, 8]);
    expect(b.eval().forward(x).dataSync()).toEqual(a.eval().forward(x).dataSync());
  });
});

onEachBackend('models', (backend) => {
  beforeEach(() => void manualSeed(2));

  const images = (...shape: number[]) => randn(shape);
  const small: [string, () => nn.Layer, readonly number[]][] = [
    ['mlp', () => models.mlp([12, 8, 8, 5], { dropout: 0.1 }), [3, 12]],
    ['LeNet', () => new models.LeNet({ numClasses: 5 }), [3, 1, 28, 28]],
    ['LeNet for 8 x 8', () => new models.LeNet({ imageShape: [1, 8, 8], numClasses: 5 }), [3, 1, 8, 8]],
    ['LeNet for 3 x 17 x 14', () => new models.LeNet({ imageShape: [3, 17, 14], numClasses: 5 }), [3, 3, 17, 14]],
    ['CifarNet', () => new models.CifarNet(8, { width: 4, numClasses: 5 }), [3, 3, 9, 7]],
    ['plain CifarNet', () => new models.CifarNet(8, { width: 4, numClasses: 5, residual: false }), [3, 3, 8, 8]],
    ['MobileNetV2', () => models.mobilenetV2({ widthMult: 0.1, numClasses: 5 }), [3, 3, 33, 33]],
  ];
  const large: [string, () => nn.Layer, readonly number[]][] = [
    ['ResNet-18, CIFAR stem', () => models.resnet18({ stem: 'cifar', inChannels: 1, numClasses: 5 }), [3, 1, 8, 8]],
    ['ResNet-50', () => models.resnet50({ numClasses: 5, zeroInitResidual: true }), [2, 3, 64, 64]],
  ];

  test.each(backend === 'native' ? [...small, ...large] : small)(
    '%s gives logits, and a step lowers the loss',
    async (_name, make, shape) => {
      const model = make();
      const x = images(...shape);
      const labels = tensor(Int32Array.from({ length: shape[0]! }, (_, i) => i));
      const parameters = [...model.parameters()];
      const optimizer = new optim.SGD(parameters, { lr: 1e-3 });
      const loss = () => F.crossEntropy(model.forward(x), labels);
      // Dropout would change the loss too.
      for (const module of model.modules()) if (module instanceof nn.Dropout) module.eval();
      expect(model.forward(x).shape).toEqual([shape[0], 5]);
      const first = loss();
      const before = await first.item();
      optimizer.zeroGrad();
      first.backward();
      await optimizer.step();
      for (const parameter of parameters) expect(parameter.grad).not.toBeNull();
      expect(await loss().item()).toBeLessThan(before);
    },
  );

  test.each(small)('%s gives the same after a way through safetensors', async (name, make, shape) => {
    const [model, other] = [make().eval(), make().eval()];
    const file = path.join(directory, `${name.replaceAll(' ', '-')}.safetensors`);
    await saveWeights(file, model.stateDict());
    other.loadStateDict(loadWeights(file));
    const x = images(...shape);
    expect(other.forward(x).dataSync()).toEqual(model.forward(x).dataSync());
  });

  test('GPT sees what came before, and nothing else', () => {
    const model = new models.GPT({ vocabSize: 9, blockSize: 6, nLayer: 2, nHead: 2, nEmbd: 8 }).eval();
    const logits = (tokens: number[]): number[] =>
      [...model.forward(tensor(Int32Array.from(tokens), { shape: [1, tokens.length] })).dataSync()].map(Number);
    const [a, b] = [logits([1, 2, 3, 4]), logits([1, 2, 8, 0])];
    expect(a.slice(0, 18)).toEqual(b.slice(0, 18));
    expect(a.slice(18, 27)).not.toEqual(b.slice(18, 27));
    expect(keys(model)).toContain('h.1.attn.c_attn.weight');
    expect(keys(model)).toEqual(expect.arrayContaining(['wte.weight', 'wpe.weight', 'h.0.ln_1.bias', 'ln_f.weight']));
  });

  test('GPT learns to count, and continues', async () => {
    const model = new models.GPT({ vocabSize: 5, blockSize: 8, nLayer: 1, nHead: 2, nEmbd: 16, dropout: 0 });
    const optimizer = new optim.Adam(model.parameters(), { lr: 0.02 });
    const row = Int32Array.from({ length: 40 }, (_, i) => (i + Math.floor(i / 8)) % 5);
    const tokens = tensor(row, { shape: [5, 8] });
    const next = tensor(row.map((token) => (token + 1) % 5));
    for (let step = 0; step < 40; step++) {
      optimizer.zeroGrad();
      F.crossEntropy(model.forward(tokens).reshape([40, 5]), next).backward();
      await optimizer.step();
    }
    model.eval();
    expect(await model.generate([3], 9, { temperature: 0 })).toEqual([3, 4, 0, 1, 2, 3, 4, 0, 1, 2]);
    const sampled = await model.generate([3, 4], 20, { temperature: 5, topK: 2 });
    expect(sampled).toHaveLength(22);
    expect(sampled.every((token) => token >= 0 && token < 5)).toBe(true);
  });
});

describe('what models refuse', () => {
  test.each([
    ['an mlp without layers', () => models.mlp([3])],
    ['a width of 0', () => models.mlp([3, 0])],
    ['a depth between two', () => new models.CifarNet(21)],
    ['a depth of 2', () => new models.CifarNet(2)],
    ['another stem', () => models.resnet18({ stem: 'tree' as 'cifar' })],
    ['another depth', () => new models.VGG(12 as 11)],
    ['a width of 0 times', () => models.mobilenetV2({ widthMult: 0 })],
    ['tiny images', () => new models.LeNet({ imageShape: [1, 7, 8] })],
    ['heads that do not divide', () => new models.GPT({ vocabSize: 4, nHead: 5, nEmbd: 16 })],
    ['no vocabulary', () => new models.GPT({ vocabSize: 0 })],
  ])('%s', (_what, make) => expect(make).toThrow(ValueError));

  test('longer sequences than the block', async () => {
    const model = new models.GPT({ vocabSize: 4, blockSize: 3, nLayer: 1, nHead: 1, nEmbd: 4 });
    expect(() => model.forward(zeros([1, 4], { dtype: 'int32' }))).toThrow(ShapeError);
    expect(() => model.forward(zeros([4], { dtype: 'int32' }))).toThrow(ShapeError);
    await expect(model.generate([], 1)).rejects.toThrow(ValueError);
    await expect(model.generate([1], 1, { temperature: -1 })).rejects.toThrow(ValueError);
    await expect(model.generate([1], 1, { topK: 0 })).rejects.toThrow(ValueError);
  });
});
