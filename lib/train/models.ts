import { BatchNorm2d } from '../nn/layers/norm';
import { Conv2d } from '../nn/layers/conv';
import { Dropout } from '../nn/layers/dropout';
import { Flatten } from '../nn/layers/flatten';
import { Linear } from '../nn/layers/linear';
import { MaxPool2d } from '../nn/layers/pool';
import { ReLU } from '../nn/layers/activation';
import { Sequential } from '../nn/layers/containers';
import type { Layer } from '../nn/module';

/** Images with more rows are halved once more, right after the first convolution. */
const LARGE_IMAGE = 16;

/**
 * A small convolutional network for images [N, channels, height, width]: three convolutions, each with batch
 * normalisation and ReLU, pooling between them, dropout, and one linear layer that gives logits [N, classes].
 *
 *     const model = convolutionalNetwork(digits.imageShape, digits.classes);
 */
export function convolutionalNetwork(
  [channels, height, width]: readonly [number, number, number],
  classes: number,
): Sequential {
  const isLarge = Math.min(height, width) > LARGE_IMAGE;
  const scale = isLarge ? 4 : 2;
  const features = 64 * Math.floor(height / scale) * Math.floor(width / scale);
  return new Sequential(
    ...convolution(channels, 16),
    ...(isLarge ? [new MaxPool2d(2)] : []),
    ...convolution(16, 32),
    new MaxPool2d(2),
    ...convolution(32, 64),
    new Flatten(),
    new Dropout({ p: 0.3 }),
    new Linear(features, classes),
  );
}

/** Without a bias: batch normalisation would take it away again. */
function convolution(inputs: number, outputs: number): Layer[] {
  return [new Conv2d(inputs, outputs, 3, { padding: 1, bias: false }), new BatchNorm2d(outputs), new ReLU()];
}
