import { ValueError } from '../errors';
import { CifarNet, LeNet, mlp } from '../models';
import { Flatten } from '../nn/layers/flatten';
import { Sequential } from '../nn/layers/containers';
import type { Layer, Module } from '../nn/module';
import { convolutionalNetwork } from '../train';

type ImageShape = readonly [channels: number, height: number, width: number];

/** The three stages of a network for CIFAR halve the image twice. */
const LEAST_SIDE = 4;

const models: { readonly [name: string]: (imageShape: ImageShape, classes: number) => Module & Layer } = {
  cnn: convolutionalNetwork,
  mlp: ([channels, height, width], classes) =>
    new Sequential(new Flatten(), ...mlp([channels * height * width, 128, 64, classes])),
  lenet: (imageShape, numClasses) => new LeNet({ imageShape, numClasses }),
  resnet8: cifar(8, true),
  resnet20: cifar(20, true),
  plain8: cifar(8, false),
  plain20: cifar(20, false),
};

export const modelNames: readonly string[] = Object.keys(models);

/**
 * The named network for images of this shape. Throws ValueError for images that it does not take.
 *
 *     const model = createModel('resnet20', digits.imageShape, digits.classes);
 */
export function createModel(name: string, imageShape: ImageShape, classes: number): Module & Layer {
  const create = Object.hasOwn(models, name) ? models[name] : undefined;
  if (create === undefined) throw new ValueError(`--model ${name}: unknown; possible are ${modelNames.join(', ')}`);
  return create(imageShape, classes);
}

function cifar(depth: number, residual: boolean): (imageShape: ImageShape, classes: number) => CifarNet {
  return ([inChannels, height, width], numClasses) => {
    if (Math.min(height, width) < LEAST_SIDE)
      throw new ValueError(`CifarNet: images are at least ${LEAST_SIDE} x ${LEAST_SIDE}, got ${height} x ${width}`);
    return new CifarNet(depth, { inChannels, numClasses, residual });
  };
}
