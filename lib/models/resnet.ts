import { ValueError } from '../errors';
import { ReLU } from '../nn/layers/activation';
import { Identity, Sequential } from '../nn/layers/containers';
import { Conv2d } from '../nn/layers/conv';
import { Linear } from '../nn/layers/linear';
import { BatchNorm2d } from '../nn/layers/norm';
import { AdaptiveAvgPool2d, MaxPool2d } from '../nn/layers/pool';
import * as init from '../nn/init';
import { Module, type Layer } from '../nn/module';
import { flatten } from '../ops/shape';
import { checkInteger } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { checkImages, checkSizes } from './check';
import { BasicBlock, Bottleneck, conv3x3, downsampling } from './residual-blocks';

export interface ResNetOptions {
  /** 1000 where not given. */
  numClasses?: number;
  /** 'imagenet': a 7 x 7 convolution of stride 2 and pooling first; 'cifar': one 3 x 3 convolution, for small images. */
  stem?: 'imagenet' | 'cifar';
  /** Channels of the images: 3 where not given. */
  inChannels?: number;
  /** Whether the last normalisation of every block starts with weight 0, so that blocks start as identities. */
  zeroInitResidual?: boolean;
}

type Block = typeof BasicBlock | typeof Bottleneck;

/**
 * A residual network (He et al. 2016) with the names of torchvision's (https://pytorch.org/vision/0.14/models/resnet.html):
 * images [N, inChannels, H, W] to logits [N, numClasses]. `layers` says how many blocks each of the four stages has.
 * Throws ValueError for another block or stem, unless there are four stages of at least one block, and for sizes that are
 * no integers of at least 1; `forward` throws ShapeError for other images.
 *
 *     const model = new ResNet(BasicBlock, [2, 2, 2, 2], { numClasses: 10, stem: 'cifar' });
 */
export class ResNet extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly relu = new ReLU();
  readonly maxpool: Layer;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  readonly avgpool = new AdaptiveAvgPool2d(1);
  readonly fc: Linear;

  constructor(block: Block, layers: readonly [number, number, number, number], options: ResNetOptions = {}) {
    super();
    const { numClasses = 1000, stem = 'imagenet', inChannels = 3, zeroInitResidual = false } = options;
    if (stem !== 'imagenet' && stem !== 'cifar')
      throw new ValueError(`ResNet: stem is imagenet or cifar, got ${String(stem)}`);
    if (block !== BasicBlock && block !== Bottleneck)
      throw new ValueError(`ResNet: block is BasicBlock or Bottleneck, got ${String(block)}`);
    if (!Array.isArray(layers) || layers.length !== 4)
      throw new ValueError(`ResNet: layers are the numbers of blocks of four stages, got ${String(layers)}`);
    layers.forEach((blocks, stage) => checkInteger('ResNet', `layers[${stage}]`, blocks, 1));
    checkSizes('ResNet', { numClasses, inChannels });
    const isLarge = stem === 'imagenet';
    this.conv1 = isLarge
      ? new Conv2d(inChannels, 64, 7, { stride: 2, padding: 3, bias: false })
      : conv3x3(inChannels, 64);
    this.bn1 = new BatchNorm2d(64);
    this.maxpool = isLarge ? new MaxPool2d(3, { stride: 2, padding: 1 }) : new Identity();
    this.layer1 = stage(block, 64, 64, layers[0], 1);
    this.layer2 = stage(block, 64 * block.expansion, 128, layers[1], 2);
    this.layer3 = stage(block, 128 * block.expansion, 256, layers[2], 2);
    this.layer4 = stage(block, 256 * block.expansion, 512, layers[3], 2);
    this.fc = new Linear(512 * block.expansion, numClasses);
    initialize(this);
    if (zeroInitResidual)
      for (const module of this.modules())
        if (module instanceof BasicBlock || module instanceof Bottleneck) init.zeros(module.lastNorm.weight!);
  }

  forward(x: TensorBase): Tensor {
    checkImages('ResNet', x, this.conv1.inChannels);
    const small = this.maxpool.forward(this.relu.forward(this.bn1.forward(this.conv1.forward(x))));
    const features = [this.layer1, this.layer2, this.layer3, this.layer4].reduce((y, layer) => layer.forward(y), small);
    return this.fc.forward(flatten(this.avgpool.forward(features), { startDim: 1 }));
  }
}

function stage(block: Block, inputs: number, planes: number, blocks: number, stride: number): Sequential {
  const outputs = planes * block.expansion;
  const first = new block(inputs, planes, stride, downsampling(inputs, outputs, stride));
  const others = Array.from({ length: blocks - 1 }, () => new block(outputs, planes, 1, null));
  return new Sequential(first, ...others);
}

/** As torchvision: He's normal distribution by outputs for convolutions. */
function initialize(model: Module): void {
  for (const module of model.modules())
    if (module instanceof Conv2d) init.kaimingNormal(module.weight, { mode: 'fanOut', nonlinearity: 'relu' });
}

/**
 * ResNet-18: 11,689,512 parameters for 1000 classes. Throws as `ResNet`.
 *
 *     const model = resnet18({ stem: 'cifar', numClasses: 10 });
 *     model.forward(images); // [N, 3, 32, 32] to [N, 10]
 */
export const resnet18 = (options?: ResNetOptions): ResNet => new ResNet(BasicBlock, [2, 2, 2, 2], options);
/**
 * ResNet-34: 21,797,672 parameters for 1000 classes. Throws as `ResNet`.
 *
 *     const model = resnet34({ zeroInitResidual: true });
 */
export const resnet34 = (options?: ResNetOptions): ResNet => new ResNet(BasicBlock, [3, 4, 6, 3], options);
/**
 * ResNet-50, of bottlenecks: 25,557,032 parameters for 1000 classes. Throws as `ResNet`.
 *
 *     const model = resnet50();
 *     model.forward(images); // [N, 3, 224, 224] to [N, 1000]
 */
export const resnet50 = (options?: ResNetOptions): ResNet => new ResNet(Bottleneck, [3, 4, 6, 3], options);
