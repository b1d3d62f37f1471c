import '../backend';

export * as functional from './functional';
export * as init from './init';
export { GELU, LeakyReLU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh } from './layers/activation';
export { Identity, Sequential } from './layers/containers';
export { Conv2d, type Conv2dOptions } from './layers/conv';
export { Dropout } from './layers/dropout';
export { Flatten } from './layers/flatten';
export { Linear, type LinearOptions } from './layers/linear';
export { BatchNorm1d, BatchNorm2d, type BatchNormOptions } from './layers/norm';
export { AdaptiveAvgPool2d, AvgPool2d, MaxPool2d, type AvgPool2dOptions, type MaxPool2dOptions } from './layers/pool';
export { BCEWithLogitsLoss, CrossEntropyLoss, MSELoss, NLLLoss } from './losses/losses';
export { Module, type Layer } from './module';
export { Parameter } from './parameter';
export type { IncompatibleKeys, StateDict, StateDictLike } from './state-dict';
