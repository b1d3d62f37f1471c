import { checkNumber } from '../nn/check';
import * as init from '../nn/init';
import { ReLU6 } from '../nn/layers/activation';
import { Sequential } from '../nn/layers/containers';
import { Conv2d } from '../nn/layers/conv';
import { Dropout } from '../nn/layers/dropout';
import { Linear } from '../nn/layers/linear';
import { BatchNorm2d } from '../nn/layers/norm';
import { Module, type Layer } from '../nn/module';
import { add } from '../ops/elementwise';
import { mean } from '../ops/reduce';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { checkImages, checkSizes } from './check';

export interface MobileNetV2Options {
  /** 1000 where not given. */
  numClasses?: number;
  /** Multiplies the channels: 1 where not given. */
  widthMult?: number;
  /** Channels are multiples of it: 8 where not given. */
  roundNearest?: number;
  /** In front of the last layer: 0.2 where not given. */
  dropout?: number;
  /** Channels of the images: 3 where not given. */
  inChannels?: number;
}

/** Expansion, channels, blocks and stride of the first of them (table 2 of the paper). */
const STAGES = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
] as const;

function convolution(inputs: number, outputs: number, kernelSize: number, stride = 1, groups = 1): Sequential {
  const padding = (kernelSize - 1) / 2;
  const conv = new Conv2d(inputs, outputs, kernelSize, { stride, padding, groups, bias: false });
  return new Sequential(conv, new BatchNorm2d(outputs), new ReLU6());
}

/** Wide inside, narrow outside, with a shortcut where sizes stay. */
class InvertedResidual extends Module {
  readonly conv: Sequential;
  readonly #hasShortcut: boolean;

  constructor(inputs: number, outputs: number, stride: number, expansion: number) {
    super();
    const hidden = Math.round(inputs * expansion);
    this.#hasShortcut = stride === 1 && inputs === outputs;
    const layers: Layer[] = expansion === 1 ? [] : [convolution(inputs, hidden, 1)];
    layers.push(
      convolution(hidden, hidden, 3, stride, hidden),
      new Conv2d(hidden, outputs, 1, { bias: false }),
      new BatchNorm2d(outputs),
    );
    this.conv = new Sequential(...layers);
  }

  forward(x: TensorBase): Tensor {
    const y = this.conv.forward(x);
    return this.#hasShortcut ? add(x, y) : y;
  }
}

/** The nearest multiple, at least one, and not more than a tenth below `value`. */
function multiple(value: number, divisor: number): number {
  const nearest = Math.max(divisor, Math.floor((value + divisor / 2) / divisor) * divisor);
  return nearest < 0.9 * value ? nearest + divisor : nearest;
}

/**
 * MobileNetV2 (Sandler et al. 2018) with the names of torchvision's
 * (https://pytorch.org/vision/0.14/models/mobilenetv2.html): images [N, inChannels, H, W] to logits [N, numClasses];
 * 3,504,872 parameters for 1000 classes. Throws ValueError for sizes that are no integers of at least 1, a widthMult not
 * above 0 and a dropout outside [0, 1]; `forward` throws ShapeError for other images.
 *
 *     const model = new MobileNetV2({ numClasses: 10, widthMult: 0.5 });
 */
export class MobileNetV2 extends Module {
  readonly features: Sequential;
  readonly classifier: Sequential;
  readonly #inChannels: number;

  constructor(options: MobileNetV2Options = {}) {
    super();
    const { numClasses = 1000, widthMult = 1, roundNearest = 8, dropout = 0.2, inChannels = 3 } = options;
    checkSizes('MobileNetV2', { numClasses, roundNearest, inChannels });
    checkNumber('MobileNetV2', 'dropout', dropout, { least: 0, most: 1 });
    checkNumber('MobileNetV2', 'widthMult', widthMult, { least: Number.MIN_VALUE });
    this.#inChannels = inChannels;
    let inputs = multiple(32 * widthMult, roundNearest);
    const last = multiple(1280 * Math.max(1, widthMult), roundNearest);
    const layers: Layer[] = [convolution(inChannels, inputs, 3, 2)];
    for (const [expansion, channels, blocks, stride] of STAGES) {
      const outputs = multiple(channels * widthMult, roundNearest);
      for (let i = 0; i < blocks; i++) {
        layers.push(new InvertedResidual(inputs, outputs, i === 0 ? stride : 1, expansion));
        inputs = outputs;
      }
    }
    layers.push(convolution(inputs, last, 1));
    this.features = new Sequential(...layers);
    this.classifier = new Sequential(new Dropout({ p: dropout }), new Linear(last, numClasses));
    // As torchvision.
    for (const module of this.modules()) {
      if (module instanceof Conv2d) init.kaimingNormal(module.weight, { mode: 'fanOut' });
      if (module instanceof Linear) {
        init.normal(module.weight, { std: 0.01 });
        init.zeros(module.bias!);
      }
    }
  }

  forward(x: TensorBase): Tensor {
    checkImages('MobileNetV2', x, this.#inChannels);
    return this.classifier.forward(mean(this.features.forward(x), { dim: [2, 3] }));
  }
}

/**
 * MobileNetV2, of the paper's sizes unless told otherwise. Throws as `MobileNetV2`.
 *
 *     const model = mobilenetV2();
 *     model.forward(images); // [N, 3, 224, 224] to [N, 1000]
 */
export const mobilenetV2 = (options?: MobileNetV2Options): MobileNetV2 => new MobileNetV2(options);
