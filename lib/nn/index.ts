import '../backend';

export { CosineSimilarity, PairwiseDistance } from './distance';
export * as functional from './functional';
export * as init from './init';
export {
  CELU,
  ELU,
  GELU,
  GLU,
  Hardshrink,
  Hardsigmoid,
  Hardswish,
  Hardtanh,
  LeakyReLU,
  LogSigmoid,
  LogSoftmax,
  Mish,
  PReLU,
  ReLU,
  ReLU6,
  RReLU,
  SELU,
  Sigmoid,
  SiLU,
  Softmax,
  Softmax2d,
  Softmin,
  Softplus,
  Softshrink,
  Softsign,
  Tanh,
  Tanhshrink,
  Threshold,
} from './layers/activation';
export type { ForwardHook, ForwardPreHook, RemovableHandle } from './hooks';
export { MultiheadAttention, type MultiheadAttentionOptions } from './layers/attention';
export { Bilinear } from './layers/bilinear';
export { ModuleDict, ModuleList, ParameterDict, ParameterList } from './layers/collections';
export { Identity, Sequential } from './layers/containers';
export { Conv1d, Conv2d, Conv3d, type ConvOptions, type ConvPaddingMode } from './layers/conv';
export {
  ConvTranspose1d,
  ConvTranspose2d,
  ConvTranspose3d,
  type ConvTransposeLayerOptions,
} from './layers/conv-transpose';
export {
  AlphaDropout,
  Dropout,
  Dropout1d,
  Dropout2d,
  Dropout3d,
  FeatureAlphaDropout,
  type DropoutLayerOptions,
} from './layers/dropout';
export { Embedding, EmbeddingBag, type EmbeddingBagOptions, type EmbeddingOptions } from './layers/embedding';
export { Flatten, Unflatten } from './layers/flatten';
export { Fold, Unfold } from './layers/fold';
export { Linear, type LinearOptions } from './layers/linear';
export {
  BatchNorm1d,
  BatchNorm2d,
  BatchNorm3d,
  GroupNorm,
  LayerNorm,
  LocalResponseNorm,
  RMSNorm,
  type BatchNormOptions,
  type GroupNormLayerOptions,
  type LayerNormLayerOptions,
  type RMSNormLayerOptions,
} from './layers/norm';
export { InstanceNorm1d, InstanceNorm2d, InstanceNorm3d, type InstanceNormLayerOptions } from './layers/norm-instance';
export {
  ConstantPad1d,
  ConstantPad2d,
  ConstantPad3d,
  ZeroPad1d,
  ZeroPad2d,
  ZeroPad3d,
  ReflectionPad1d,
  ReflectionPad2d,
  ReflectionPad3d,
  ReplicationPad1d,
  ReplicationPad2d,
  ReplicationPad3d,
  type PaddingLike,
} from './layers/padding';
export { MaxPool1d, MaxPool2d, MaxPool3d, AvgPool1d, AvgPool2d, AvgPool3d, LPPool1d, LPPool2d } from './layers/pool';
export {
  AdaptiveAvgPool1d,
  AdaptiveAvgPool2d,
  AdaptiveAvgPool3d,
  AdaptiveMaxPool1d,
  AdaptiveMaxPool2d,
  AdaptiveMaxPool3d,
  FractionalMaxPool2d,
  FractionalMaxPool3d,
} from './layers/pool-adaptive';
export { MaxUnpool1d, MaxUnpool2d, MaxUnpool3d, type MaxUnpoolLayerOptions } from './layers/pool-unpool';
export { ChannelShuffle, PixelShuffle, PixelUnshuffle } from './layers/shuffle';
export { Upsample, UpsamplingBilinear2d, UpsamplingNearest2d, type UpsamplingOptions } from './layers/upsample';
export {
  BCELoss,
  BCEWithLogitsLoss,
  CrossEntropyLoss,
  FocalLoss,
  GaussianNLLLoss,
  HuberLoss,
  KLDivLoss,
  L1Loss,
  MSELoss,
  NLLLoss,
  PoissonNLLLoss,
  SmoothL1Loss,
} from './losses/losses';
export {
  CosineEmbeddingLoss,
  CTCLoss,
  HingeEmbeddingLoss,
  MarginRankingLoss,
  MultiLabelMarginLoss,
  MultiLabelSoftMarginLoss,
  MultiMarginLoss,
  SoftMarginLoss,
  TripletMarginLoss,
  TripletMarginWithDistanceLoss,
} from './losses/margin-losses';
export { GRU, LSTM, RNN, type LSTMOptions, type RecurrentOptions, type RNNOptions } from './layers/recurrent';
export { GRUCell, LSTMCell, RNNCell, type CellOptions } from './layers/recurrent-cells';
export {
  Transformer,
  TransformerDecoder,
  TransformerEncoder,
  type StackOptions,
  type TransformerMasks,
  type TransformerOptions,
} from './layers/transformer';
export {
  TransformerDecoderLayer,
  TransformerEncoderLayer,
  type DecoderMasks,
  type EncoderMasks,
  type TransformerActivation,
  type TransformerLayerOptions,
} from './layers/transformer-layers';
export { Module, type Layer } from './module';
export { Parameter } from './parameter';
export type { IncompatibleKeys, StateDict, StateDictLike } from './state-dict';
