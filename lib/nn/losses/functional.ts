export {
  binaryCrossEntropy,
  binaryCrossEntropyWithLogits,
  focalLoss,
  type BCEOptions,
  type BCEWithLogitsOptions,
  type FocalLossOptions,
} from './binary';
export { crossEntropy, nllLoss, type CrossEntropyOptions, type NLLLossOptions } from './cross-entropy';
export { ctcLoss, type CTCLossOptions, type Lengths } from './ctc';
export {
  gaussianNllLoss,
  klDiv,
  poissonNllLoss,
  type GaussianNLLOptions,
  type KLDivOptions,
  type PoissonNLLOptions,
} from './likelihood';
export {
  hingeEmbeddingLoss,
  marginRankingLoss,
  multiMarginLoss,
  softMarginLoss,
  type MarginOptions,
  type MultiMarginOptions,
} from './margin';
export {
  cosineEmbeddingLoss,
  tripletMarginLoss,
  tripletMarginWithDistanceLoss,
  type DistanceFunction,
  type TripletMarginOptions,
  type TripletMarginWithDistanceOptions,
} from './metric';
export { multilabelMarginLoss, multilabelSoftMarginLoss, type MultiLabelSoftMarginOptions } from './multilabel';
export type { LossOptions, Reduction } from './reduction';
export { huberLoss, l1Loss, mseLoss, smoothL1Loss, type HuberOptions, type SmoothL1Options } from './regression';
