import path from 'node:path';
import { F, manualSeed, models, nn, optim, randn, tensor, zeros, type Tensor, type TensorBase } from '../../lib';
import { DTypeError, ShapeError, ValueError } from '../../lib/errors';
import { loadWeights, saveWeights } from '../../lib/io/weights';
import { onEachBackend } from '../helpers/backends';
import { temporaryDirectory } from '../helpers/temporary-directory';

const directory = temporaryDirectory();

const keys = (model: nn.Module): string[] => [...model.stateDict().keys()];

describe('state dicts', () => {
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

describe('what models refuse, by their names', () => {
  const gpt = (options: Partial<models.GPTOptions>) => () => new models.GPT({ vocabSize: 4, nEmbd: 12, ...options });
  const blocks = (layers: unknown) => () => new models.ResNet(models.BasicBlock, layers as [1, 1, 1, 1]);

  test.each<[RegExp, () => unknown]>([
    [/^mlp: widths.*got 3$/, () => models.mlp([3])],
    [/^mlp: widths\[1\].*got 0$/, () => models.mlp([3, 0])],
    [/^mlp: dropout.*got -1$/, () => models.mlp([3, 2], { dropout: -1 })],
    [/^LeNet: images.*got 7 x 8$/, () => new models.LeNet({ imageShape: [1, 7, 8] })],
    [/^LeNet: channels.*got 0$/, () => new models.LeNet({ imageShape: [0, 8, 8] })],
    [/^LeNet: imageShape.*got 28,28$/, () => new models.LeNet({ imageShape: [28, 28] as never })],
    [/^LeNet: numClasses.*got 0$/, () => new models.LeNet({ numClasses: 0 })],
    [/^CifarNet: depth.*got 21$/, () => new models.CifarNet(21)],
    [/^CifarNet: depth.*got 2$/, () => new models.CifarNet(2)],
    [/^CifarNet: width.*got 1.5$/, () => new models.CifarNet(8, { width: 1.5 })],
    [/^ResNet: stem.*got tree$/, () => models.resnet18({ stem: 'tree' as 'cifar' })],
    [/^ResNet: numClasses.*got NaN$/, () => models.resnet50({ numClasses: NaN })],
    [/^ResNet: inChannels.*got 0$/, () => models.resnet34({ inChannels: 0 })],
    [/^ResNet: layers\[0\].*got 0$/, blocks([0, 1, 1, 1])],
    [/^ResNet: layers.*got 1,1,1$/, blocks([1, 1, 1])],
    [/^ResNet: block is/, () => new models.ResNet(nn.Linear as never, [1, 1, 1, 1])],
    [/^VGG: depth.*got 12$/, () => new models.VGG(12 as 11)],
    [/^VGG: dropout.*got 2$/, () => models.vgg11({ dropout: 2 })],
    [/^VGG: numClasses.*got -1$/, () => models.vgg16({ numClasses: -1 })],
    [/^MobileNetV2: widthMult.*got 0$/, () => models.mobilenetV2({ widthMult: 0 })],
    [/^MobileNetV2: roundNearest.*got 0$/, () => models.mobilenetV2({ roundNearest: 0 })],
    [/^MobileNetV2: dropout.*got NaN$/, () => models.mobilenetV2({ dropout: NaN })],
    [/^GPT: nHead divides nEmbd 12, got 5$/, gpt({ nHead: 5 })],
    [/^GPT: vocabSize.*got 0$/, gpt({ vocabSize: 0 })],
    [/^GPT: nLayer.*got 0$/, gpt({ nLayer: 0 })],
    [/^GPT: dropout.*got 1.1$/, gpt({ dropout: 1.1 })],
  ])('%s', (message, make) => {
    expect(make).toThrow(ValueError);
    expect(make).toThrow(message);
  });

  test.each<[string, nn.Layer, readonly number[]]>([
    ['LeNet', new models.LeNet(), [2, 1, 28, 27]],
    ['LeNet', new models.LeNet(), [2, 28, 28]],
    ['CifarNet', new models.CifarNet(8), [2, 1, 32, 32]],
    ['ResNet', models.resnet18(), [3, 32, 32]],
    ['ResNet', models.resnet18({ inChannels: 1 }), [1, 3, 32, 32]],
    ['VGG', models.vgg11(), [1, 3, 31, 32]],
    ['MobileNetV2', models.mobilenetV2(), [1, 3, 0, 32]],
  ])('%s: images of another shape', (name, model, shape) => {
    const forward = (): Tensor => model.forward(zeros([...shape]));
    expect(forward).toThrow(ShapeError);
    expect(forward).toThrow(new RegExp(`^${name}: .*got \\[${shape.join(', ')}\\]$`));
    expect(() => model.forward(3 as never)).toThrow(/: takes images .*, got number$/);
  });

  test('tokens that GPT cannot take', async () => {
    const model = new models.GPT({ vocabSize: 4, blockSize: 3, nLayer: 1, nHead: 1, nEmbd: 4 });
    expect(() => model.forward(zeros([1, 4], { dtype: 'int32' }))).toThrow(ShapeError);
    expect(() => model.forward(zeros([4], { dtype: 'int32' }))).toThrow(ShapeError);
    expect(() => model.forward(zeros([1, 2]))).toThrow(DTypeError);
    await expect(model.generate([], 1)).rejects.toThrow(/^GPT.generate: takes at least one token/);
    await expect(model.generate([4], 1)).rejects.toThrow(/^GPT.generate: tokens are integers from 0 to 3, got 4/);
    await expect(model.generate([1], -1)).rejects.toThrow(/^GPT.generate: count/);
    await expect(model.generate([1], 1, { temperature: -1 })).rejects.toThrow(/^GPT.generate: temperature/);
    await expect(model.generate([1], 1, { topK: 0 })).rejects.toThrow(/^GPT.generate: topK/);
  });
});

describe('how weights start', () => {
  const numbers = (variable: TensorBase): number[] => Array.from(variable.dataSync(), Number);
  /** Within five standard errors of a normal distribution's deviation. */
  function expectNormal(variable: TensorBase, std: number): void {
    const x = numbers(variable);
    const found = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / x.length);
    expect(Math.abs(found / std - 1)).toBeLessThan(5 / Math.sqrt(2 * x.length));
    // A uniform distribution has a kurtosis of 1.8, a normal one of 3.
    const kurtosis = x.reduce((sum, value) => sum + value ** 4, 0) / x.length / found ** 4;
    expect(Math.abs(kurtosis - 3)).toBeLessThan(5 * Math.sqrt(96 / x.length));
  }
  const parameterOf = (model: nn.Module, key: string): TensorBase =>
    new Map<string, TensorBase>(model.namedParameters()).get(key)!;

  beforeAll(() => void manualSeed(5));

  test('residual networks as in torchvision; blocks may start as identities', () => {
    const model = new models.ResNet(models.Bottleneck, [1, 1, 1, 1], { numClasses: 3, zeroInitResidual: true });
    expectNormal(model.conv1.weight, Math.sqrt(2 / (64 * 49)));
    expectNormal(parameterOf(model, 'layer2.0.conv3.weight'), Math.sqrt(2 / 512));
    expect(new Set(numbers(parameterOf(model, 'layer1.0.bn3.weight')))).toEqual(new Set([0]));
    expect(new Set(numbers(parameterOf(model, 'layer1.0.bn2.weight')))).toEqual(new Set([1]));
    const basic = new models.ResNet(models.BasicBlock, [1, 1, 1, 1], { zeroInitResidual: true });
    expect(new Set(numbers(parameterOf(basic, 'layer1.0.bn2.weight')))).toEqual(new Set([0]));
    expect(new Set(numbers(parameterOf(basic, 'layer1.0.bn1.weight')))).toEqual(new Set([1]));
  });

  test('networks for CIFAR as in He et al. 2015', () => {
    const model = new models.CifarNet(8);
    expectNormal(parameterOf(model, 'layer3.0.conv1.weight'), Math.sqrt(2 / (32 * 9)));
  });

  test('VGG as in torchvision', () => {
    const model = models.vgg11({ numClasses: 10 });
    expectNormal(parameterOf(model, 'features.3.weight'), Math.sqrt(2 / (128 * 9)));
    expect(new Set(numbers(parameterOf(model, 'features.3.bias')))).toEqual(new Set([0]));
    expectNormal(parameterOf(model, 'classifier.6.weight'), 0.01);
    expect(new Set(numbers(parameterOf(model, 'classifier.6.bias')))).toEqual(new Set([0]));
  });

  test('MobileNetV2 as in torchvision, where fan out counts a depthwise convolution as a full one', () => {
    const model = models.mobilenetV2({ numClasses: 10 });
    expectNormal(parameterOf(model, 'features.17.conv.1.0.weight'), Math.sqrt(2 / (960 * 9)));
    expectNormal(parameterOf(model, 'features.17.conv.2.weight'), Math.sqrt(2 / 320));
    expectNormal(parameterOf(model, 'classifier.1.weight'), 0.01);
    expect(new Set(numbers(parameterOf(model, 'classifier.1.bias')))).toEqual(new Set([0]));
  });

  test('GPT as GPT-2: what is added to the residual stream starts smaller, by the depth', () => {
    const model = new models.GPT({ vocabSize: 50, blockSize: 8, nLayer: 8, nHead: 2, nEmbd: 64 });
    expectNormal(model.wte.weight, 0.02);
    expectNormal(parameterOf(model, 'h.3.attn.c_attn.weight'), 0.02);
    for (const key of ['h.0.attn.c_proj.weight', 'h.7.mlp.c_proj.weight'])
      expectNormal(parameterOf(model, key), 0.02 / 4);
    expect(new Set(numbers(parameterOf(model, 'h.0.mlp.c_fc.bias')))).toEqual(new Set([0]));
    expect(new Set(numbers(parameterOf(model, 'ln_f.weight')))).toEqual(new Set([1]));
    const plain = new models.GPT({ vocabSize: 5, blockSize: 4, nLayer: 1, nHead: 1, nEmbd: 4, bias: false });
    expect(keys(plain).filter((key) => key.endsWith('bias'))).toEqual([]);
  });
});
