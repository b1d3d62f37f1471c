import { ReLU } from '../nn/layers/activation';
import { Sequential } from '../nn/layers/containers';
import { Conv2d } from '../nn/layers/conv';
import { BatchNorm2d } from '../nn/layers/norm';
import { Module, type Layer } from '../nn/module';
import { add } from '../ops/elementwise';
import type { Tensor, TensorBase } from '../tensor/tensor';

export const conv3x3 = (inputs: number, outputs: number, stride = 1): Conv2d =>
  new Conv2d(inputs, outputs, 3, { stride, padding: 1, bias: false });
export const conv1x1 = (inputs: number, outputs: number, stride = 1): Conv2d =>
  new Conv2d(inputs, outputs, 1, { stride, bias: false });

/** What a shortcut needs where sizes change; null where x itself fits. */
export function downsampling(inputs: number, outputs: number, stride: number): Sequential | null {
  if (stride === 1 && inputs === outputs) return null;
  return new Sequential(conv1x1(inputs, outputs, stride), new BatchNorm2d(outputs));
}

/**
 * Two 3 x 3 convolutions and a shortcut (He et al. 2016): [N, inplanes, H, W] to [N, planes, H / stride, W / stride], rounded
 * up. `downsample` maps x to the shape of the result, null takes x itself. Throws ValueError for sizes that are not possible.
 *
 *     const block = new BasicBlock(64, 64, 1, null);
 */
export class BasicBlock extends Module {
  static readonly expansion = 1;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly relu = new ReLU();
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  /** Null takes x itself. */
  readonly downsample: Layer | null;

  constructor(inplanes: number, planes: number, stride: number, downsample: Layer | null) {
    super();
    this.conv1 = conv3x3(inplanes, planes, stride);
    this.bn1 = new BatchNorm2d(planes);
    this.conv2 = conv3x3(planes, planes);
    this.bn2 = new BatchNorm2d(planes);
    this.downsample = downsample;
  }

  get lastNorm(): BatchNorm2d {
    return this.bn2;
  }

  forward(x: TensorBase): Tensor {
    const y = this.relu.forward(this.bn1.forward(this.conv1.forward(x)));
    const shortcut = this.downsample === null ? x : this.downsample.forward(x);
    return this.relu.forward(add(this.bn2.forward(this.conv2.forward(y)), shortcut));
  }
}

/**
 * 1 x 1, 3 x 3 and 1 x 1 convolutions and a shortcut (He et al. 2016); the 3 x 3 one has the stride, as in torchvision:
 * [N, inplanes, H, W] to [N, 4 planes, H / stride, W / stride], rounded up. `downsample` maps x to the shape of the result, null
 * takes x itself. Throws ValueError for sizes that are not possible.
 *
 *     const block = new Bottleneck(256, 64, 1, null);
 */
export class Bottleneck extends Module {
  static readonly expansion = 4;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly relu = new ReLU();
  /** Null takes x itself. */
  readonly downsample: Layer | null;

  constructor(inplanes: number, planes: number, stride: number, downsample: Layer | null) {
    super();
    this.conv1 = conv1x1(inplanes, planes);
    this.bn1 = new BatchNorm2d(planes);
    this.conv2 = conv3x3(planes, planes, stride);
    this.bn2 = new BatchNorm2d(planes);
    this.conv3 = conv1x1(planes, planes * Bottleneck.expansion);
    this.bn3 = new BatchNorm2d(planes * Bottleneck.expansion);
    this.downsample = downsample;
  }

  get lastNorm(): BatchNorm2d {
    return this.bn3;
  }

  forward(x: TensorBase): Tensor {
    const narrow = this.relu.forward(this.bn1.forward(this.conv1.forward(x)));
    const y = this.relu.forward(this.bn2.forward(this.conv2.forward(narrow)));
    const shortcut = this.downsample === null ? x : this.downsample.forward(x);
    return this.relu.forward(add(this.bn3.forward(this.conv3.forward(y)), shortcut));
  }
}
