import { ValueError } from '../errors';
import { checkNumber } from '../nn/check';
import * as init from '../nn/init';
import { ReLU } from '../nn/layers/activation';
import { Sequential } from '../nn/layers/containers';
import { Conv2d } from '../nn/layers/conv';
import { Dropout } from '../nn/layers/dropout';
import { Linear } from '../nn/layers/linear';
import { BatchNorm2d } from '../nn/layers/norm';
import { AdaptiveAvgPool2d, MaxPool2d } from '../nn/layers/pool';
import { Module, type Layer } from '../nn/module';
import { flatten } from '../ops/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { checkImages, checkSizes } from './check';

export interface VGGOptions {
  /** 1000 where not given. */
  numClasses?: number;
  /** Whether every convolution is followed by batch normalisation; false where not given. */
  batchNorm?: boolean;
  /** In front of the last layers: 0.5 where not given. */
  dropout?: number;
  /** Channels of the images: 3 where not given. */
  inChannels?: number;
}

/** How many convolutions each of the five stages has, by depth (table 1 of the paper: A, B, D, E). */
const convolutions = { 11: [1, 1, 2, 2, 2], 13: [2, 2, 2, 2, 2], 16: [2, 2, 3, 3, 3], 19: [2, 2, 4, 4, 4] } as const;
const CHANNELS = [64, 128, 256, 512, 512] as const;

export type VGGDepth = keyof typeof convolutions;

/**
 * VGG of 11, 13, 16 or 19 layers (Simonyan and Zisserman 2015) with the names of torchvision's
 * (https://pytorch.org/vision/0.14/models/vgg.html): images [N, inChannels, H, W] of at least 32 x 32 to logits
 * [N, numClasses]. Throws ValueError for another depth, sizes that are no integers of at least 1 and a dropout outside
 * [0, 1]; `forward` throws ShapeError for other images.
 *
 *     const model = new VGG(16, { batchNorm: true, numClasses: 10 });
 */
export class VGG extends Module {
  readonly features: Sequential;
  readonly avgpool = new AdaptiveAvgPool2d(7);
  readonly classifier: Sequential;
  readonly #inChannels: number;

  constructor(
    readonly depth: VGGDepth,
    options: VGGOptions = {},
  ) {
    super();
    const { numClasses = 1000, batchNorm = false, dropout = 0.5, inChannels = 3 } = options;
    if (!Object.hasOwn(convolutions, depth))
      throw new ValueError(`VGG: depth is ${Object.keys(convolutions).join(', ')}, got ${String(depth)}`);
    checkSizes('VGG', { numClasses, inChannels });
    checkNumber('VGG', 'dropout', dropout, { least: 0, most: 1 });
    const layers: Layer[] = [];
    let inputs = inChannels;
    CHANNELS.forEach((outputs, stage) => {
      for (let i = 0; i < convolutions[depth][stage]!; i++) {
        layers.push(new Conv2d(inputs, outputs, 3, { padding: 1 }));
        if (batchNorm) layers.push(new BatchNorm2d(outputs));
        layers.push(new ReLU());
        inputs = outputs;
      }
      layers.push(new MaxPool2d(2));
    });
    this.#inChannels = inChannels;
    this.features = new Sequential(...layers);
    const hidden = (width: number): Layer[] => [new Linear(width, 4096), new ReLU(), new Dropout({ p: dropout })];
    this.classifier = new Sequential(...hidden(512 * 7 * 7), ...hidden(4096), new Linear(4096, numClasses));
    initialize(this);
  }

  forward(x: TensorBase): Tensor {
    checkImages('VGG', x, this.#inChannels, 32);
    return this.classifier.forward(flatten(this.avgpool.forward(this.features.forward(x)), { startDim: 1 }));
  }
}

/** As torchvision: He's normal distribution by outputs for convolutions, 0.01 for linear layers, no bias at first. */
function initialize(model: Module): void {
  for (const module of model.modules()) {
    if (module instanceof Conv2d) init.kaimingNormal(module.weight, { mode: 'fanOut', nonlinearity: 'relu' });
    if (module instanceof Linear) init.normal(module.weight, { std: 0.01 });
    if ((module instanceof Conv2d || module instanceof Linear) && module.bias !== null) init.zeros(module.bias);
  }
}

/**
 * VGG-11: 132,863,336 parameters for 1000 classes. Throws as `VGG`.
 *
 *     const model = vgg11({ batchNorm: true });
 */
export const vgg11 = (options?: VGGOptions): VGG => new VGG(11, options);
/**
 * VGG-13: 133,047,848 parameters for 1000 classes. Throws as `VGG`.
 *
 *     const model = vgg13();
 */
export const vgg13 = (options?: VGGOptions): VGG => new VGG(13, options);
/**
 * VGG-16: 138,357,544 parameters for 1000 classes. Throws as `VGG`.
 *
 *     const model = vgg16();
 *     model.forward(images); // [N, 3, 224, 224] to [N, 1000]
 */
export const vgg16 = (options?: VGGOptions): VGG => new VGG(16, options);
/**
 * VGG-19: 143,667,240 parameters for 1000 classes. Throws as `VGG`.
 *
 *     const model = vgg19({ numClasses: 10 });
 */
export const vgg19 = (options?: VGGOptions): VGG => new VGG(19, options);
