import { ValueError } from '../errors';
import * as init from '../nn/init';
import { ReLU } from '../nn/layers/activation';
import { Sequential } from '../nn/layers/containers';
import { Conv2d } from '../nn/layers/conv';
import { Linear } from '../nn/layers/linear';
import { BatchNorm2d } from '../nn/layers/norm';
import { AdaptiveAvgPool2d } from '../nn/layers/pool';
import { Module, type Layer } from '../nn/module';
import { flatten, slice } from '../ops/shape';
import { pad } from '../ops/place';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { checkImages, checkSizes } from './check';
import { BasicBlock, conv3x3 } from './residual-blocks';

export interface CifarNetOptions {
  /** 10 where not given. */
  numClasses?: number;
  /** Channels of the images: 3 where not given. */
  inChannels?: number;
  /** Channels of the first stage, which the second and third double: 16 where not given. */
  width?: number;
  /** Whether blocks have a shortcut; true where not given. */
  residual?: boolean;
}

/** The shortcut without parameters (He et al. 2016, option A): every second pixel, and zeros for the new channels. */
class PaddedShortcut extends Module {
  constructor(readonly channels: number) {
    super();
  }

  forward(x: TensorBase): Tensor {
    const before = Math.floor(this.channels / 2);
    return pad(slice(x, [null, null, [0, null, 2], [0, null, 2]]), [0, 0, 0, 0, before, this.channels - before]);
  }
}

/** The block without its shortcut: what residual networks are compared with. */
class PlainBlock extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly relu = new ReLU();
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;

  constructor(inplanes: number, planes: number, stride: number) {
    super();
    this.conv1 = conv3x3(inplanes, planes, stride);
    this.bn1 = new BatchNorm2d(planes);
    this.conv2 = conv3x3(planes, planes);
    this.bn2 = new BatchNorm2d(planes);
  }

  forward(x: TensorBase): Tensor {
    const y = this.relu.forward(this.bn1.forward(this.conv1.forward(x)));
    return this.relu.forward(this.bn2.forward(this.conv2.forward(y)));
  }
}

/**
 * The networks of section 4.2 of He et al. 2016, for images of 32 x 32: one convolution, three stages of
 * (depth - 2) / 6 blocks with width, 2 width and 4 width channels, the mean, one linear layer; [N, inChannels, H, W] to
 * logits [N, numClasses]. Without shortcuts (`residual: false`) it is the plain network of the same depth.
 * Convolutions start as in He et al. 2015. Throws ValueError unless depth is 6 n + 2 with n of at least 1 and all sizes are
 * integers of at least 1, `forward` ShapeError for other images.
 *
 *     const model = new CifarNet(20);
 *     const plain = new CifarNet(56, { residual: false });
 */
export class CifarNet extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly relu = new ReLU();
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly avgpool = new AdaptiveAvgPool2d(1);
  readonly fc: Linear;

  constructor(
    readonly depth: number,
    options: CifarNetOptions = {},
  ) {
    super();
    const { numClasses = 10, inChannels = 3, width = 16, residual = true } = options;
    const blocks = (depth - 2) / 6;
    if (!Number.isInteger(blocks) || blocks < 1)
      throw new ValueError(`CifarNet: depth is 6 n + 2, as 8, 20, 32, 44, 56 or 110, got ${String(depth)}`);
    checkSizes('CifarNet', { numClasses, inChannels, width });
    const stage = (inputs: number, outputs: number): Sequential =>
      new Sequential(
        ...Array.from({ length: blocks }, (_, i) =>
          block(i === 0 ? inputs : outputs, outputs, i === 0 && inputs !== outputs ? 2 : 1, residual),
        ),
      );
    this.conv1 = conv3x3(inChannels, width);
    this.bn1 = new BatchNorm2d(width);
    this.layer1 = stage(width, width);
    this.layer2 = stage(width, 2 * width);
    this.layer3 = stage(2 * width, 4 * width);
    this.fc = new Linear(4 * width, numClasses);
    for (const module of this.modules()) if (module instanceof Conv2d) init.kaimingNormal(module.weight);
  }

  forward(x: TensorBase): Tensor {
    checkImages('CifarNet', x, this.conv1.inChannels);
    const first = this.relu.forward(this.bn1.forward(this.conv1.forward(x)));
    const features = this.layer3.forward(this.layer2.forward(this.layer1.forward(first)));
    return this.fc.forward(flatten(this.avgpool.forward(features), { startDim: 1 }));
  }
}

function block(inputs: number, outputs: number, stride: number, residual: boolean): Layer {
  if (!residual) return new PlainBlock(inputs, outputs, stride);
  return new BasicBlock(inputs, outputs, stride, stride === 1 ? null : new PaddedShortcut(outputs - inputs));
}
