import '../backend';

export { CifarNet, type CifarNetOptions } from './cifar';
export { GPT, type GenerateOptions, type GPTOptions } from './gpt';
export { LeNet, type LeNetOptions } from './lenet';
export { mlp, type MLPOptions } from './mlp';
export { MobileNetV2, mobilenetV2, type MobileNetV2Options } from './mobilenet-v2';
export { BasicBlock, Bottleneck } from './residual-blocks';
export { ResNet, resnet18, resnet34, resnet50, type ResNetOptions } from './resnet';
export { VGG, vgg11, vgg13, vgg16, vgg19, type VGGDepth, type VGGOptions } from './vgg';
