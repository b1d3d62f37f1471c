import { ShapeError, ValueError } from '../errors';
import { maxPool2d, relu } from '../nn/functional';
import { Conv2d } from '../nn/layers/conv';
import { Linear } from '../nn/layers/linear';
import { Module } from '../nn/module';
import { flatten } from '../ops/shape';
import { formatShape, shapesEqual } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { checkImages, checkSizes } from './check';

export interface LeNetOptions {
  /** [channels, height, width]: [1, 28, 28] where not given. */
  imageShape?: readonly [channels: number, height: number, width: number];
  /** 10 where not given. */
  numClasses?: number;
}

/**
 * LeNet-5 (LeCun et al. 1998) as it is written today: ReLU, maximum pooling, logits [N, numClasses]. The first convolution
 * pads its images by 2, as 28 x 28 digits were once put into 32 x 32; images below 12 x 12 are pooled only once.
 * Throws ValueError for images below 8 x 8 and sizes that are no integers of at least 1, `forward` ShapeError for others
 * than [N, ...imageShape].
 *
 *     const model = new LeNet({ imageShape: [1, 28, 28] });
 *     model.forward(images); // [N, 1, 28, 28] to [N, 10]
 */
export class LeNet extends Module {
  readonly conv1: Conv2d;
  readonly conv2: Conv2d;
  readonly fc1: Linear;
  readonly fc2: Linear;
  readonly fc3: Linear;
  readonly #imageShape: readonly [number, number, number];
  readonly #isSmall: boolean;

  constructor({ imageShape = [1, 28, 28], numClasses = 10 }: LeNetOptions = {}) {
    super();
    if (!Array.isArray(imageShape) || imageShape.length !== 3)
      throw new ValueError(`LeNet: imageShape is [channels, height, width], got ${String(imageShape)}`);
    const [channels, height, width] = imageShape as readonly [number, number, number];
    checkSizes('LeNet', { channels, height, width, numClasses });
    if (!(Math.min(height, width) >= 8))
      throw new ValueError(`LeNet: images are at least 8 x 8, got ${height} x ${width}`);
    this.#imageShape = [channels, height, width];
    this.#isSmall = Math.min(height, width) < 12;
    const size = this.#isSmall
      ? (length: number): number => Math.floor(length / 2)
      : (length: number): number => Math.floor((Math.floor(length / 2) - 4) / 2);
    this.conv1 = new Conv2d(channels, 6, 5, { padding: 2 });
    this.conv2 = new Conv2d(6, 16, 5, { padding: this.#isSmall ? 2 : 0 });
    this.fc1 = new Linear(16 * size(height) * size(width), 120);
    this.fc2 = new Linear(120, 84);
    this.fc3 = new Linear(84, numClasses);
  }

  forward(x: TensorBase): Tensor {
    checkImages('LeNet', x, this.#imageShape[0]);
    if (!shapesEqual(x.shape.slice(1), this.#imageShape))
      throw new ShapeError(`LeNet: takes images of ${formatShape(this.#imageShape)}, got ${formatShape(x.shape)}`);
    const first = maxPool2d(relu(this.conv1.forward(x)), 2);
    const second = relu(this.conv2.forward(first));
    const features = flatten(this.#isSmall ? second : maxPool2d(second, 2), { startDim: 1 });
    return this.fc3.forward(relu(this.fc2.forward(relu(this.fc1.forward(features)))));
  }
}
