import { checkInteger } from '../../tensor/shape';
import type { Tensor, TensorBase, Variable } from '../../tensor/tensor';
import { checkNumber } from '../check';
import { ctcLoss, type CTCLossOptions, type Lengths } from './ctc';
import { Loss } from './loss';
import { checkMultiMargin, hingeEmbeddingLoss, marginRankingLoss, multiMarginLoss, softMarginLoss } from './margin';
import type { MarginOptions, MultiMarginOptions } from './margin';
import { checkDistanceFunction, cosineEmbeddingLoss, tripletMarginLoss, tripletMarginWithDistanceLoss } from './metric';
import type { TripletMarginOptions, TripletMarginWithDistanceOptions } from './metric';
import { multilabelMarginLoss, multilabelSoftMarginLoss, type MultiLabelSoftMarginOptions } from './multilabel';
import type { LossOptions } from './reduction';

/**
 * `hingeEmbeddingLoss` as a module; shapes and errors as there.
 *
 *     const loss = new HingeEmbeddingLoss({ margin: 2 });
 *     loss.forward(distances, alike);
 */
export class HingeEmbeddingLoss extends Loss<MarginOptions> {
  constructor(options: MarginOptions = {}) {
    super(options);
    checkNumber('HingeEmbeddingLoss', 'margin', options.margin ?? 1);
  }

  forward(input: TensorBase, target: TensorBase): Tensor {
    return hingeEmbeddingLoss(input, target, this.options);
  }
}

/**
 * `marginRankingLoss` as a module; shapes and errors as there.
 *
 *     const loss = new MarginRankingLoss({ margin: 0.5 });
 *     loss.forward(better, worse, ones([32]));
 */
export class MarginRankingLoss extends Loss<MarginOptions> {
  constructor(options: MarginOptions = {}) {
    super(options);
    checkNumber('MarginRankingLoss', 'margin', options.margin ?? 0);
  }

  forward(input1: TensorBase, input2: TensorBase, target: TensorBase): Tensor {
    return marginRankingLoss(input1, input2, target, this.options);
  }
}

/**
 * `softMarginLoss` as a module; shapes and errors as there.
 *
 *     const loss = new SoftMarginLoss();
 *     loss.forward(model.forward(x), signs);
 */
export class SoftMarginLoss extends Loss<LossOptions> {
  constructor(options: LossOptions = {}) {
    super(options);
  }

  forward(input: TensorBase, target: TensorBase): Tensor {
    return softMarginLoss(input, target, this.options);
  }
}

/**
 * `multiMarginLoss` as a module; shapes and errors as there. The weight is a buffer: state dicts hold it.
 *
 *     const loss = new MultiMarginLoss({ p: 2 });
 *     loss.forward(model.forward(x), labels);
 */
export class MultiMarginLoss extends Loss<MultiMarginOptions> {
  readonly weight: Variable | null;

  constructor(options: MultiMarginOptions = {}) {
    super(options);
    this.weight = this.buffer('weight', options.weight);
    checkMultiMargin('MultiMarginLoss', options.p ?? 1, options.margin ?? 1);
  }

  forward(input: TensorBase, target: TensorBase): Tensor {
    return multiMarginLoss(input, target, { ...this.options, weight: this.weight });
  }
}

/**
 * `multilabelMarginLoss` as a module; shapes and errors as there.
 *
 *     const loss = new MultiLabelMarginLoss();
 *     loss.forward(model.forward(x), tensor(Int32Array.of(3, 0, -1, -1), { shape: [1, 4] }));
 */
export class MultiLabelMarginLoss extends Loss<LossOptions> {
  constructor(options: LossOptions = {}) {
    super(options);
  }

  forward(input: TensorBase, target: TensorBase): Tensor {
    return multilabelMarginLoss(input, target, this.options);
  }
}

/**
 * `multilabelSoftMarginLoss` as a module; shapes and errors as there. The weight is a buffer: state dicts hold it.
 *
 *     const loss = new MultiLabelSoftMarginLoss();
 *     loss.forward(model.forward(x), labels);
 */
export class MultiLabelSoftMarginLoss extends Loss<MultiLabelSoftMarginOptions> {
  readonly weight: Variable | null;

  constructor(options: MultiLabelSoftMarginOptions = {}) {
    super(options);
    this.weight = this.buffer('weight', options.weight);
  }

  forward(input: TensorBase, target: TensorBase): Tensor {
    return multilabelSoftMarginLoss(input, target, { ...this.options, weight: this.weight });
  }
}

/**
 * `cosineEmbeddingLoss` as a module; shapes and errors as there.
 *
 *     const loss = new CosineEmbeddingLoss({ margin: 0.5 });
 *     loss.forward(a, b, alike);
 */
export class CosineEmbeddingLoss extends Loss<MarginOptions> {
  constructor(options: MarginOptions = {}) {
    super(options);
    checkNumber('CosineEmbeddingLoss', 'margin', options.margin ?? 0);
  }

  forward(input1: TensorBase, input2: TensorBase, target: TensorBase): Tensor {
    return cosineEmbeddingLoss(input1, input2, target, this.options);
  }
}

/**
 * `tripletMarginLoss` as a module; shapes and errors as there.
 *
 *     const loss = new TripletMarginLoss({ margin: 0.2, swap: true });
 *     loss.forward(anchor, positive, negative);
 */
export class TripletMarginLoss extends Loss<TripletMarginOptions> {
  constructor(options: TripletMarginOptions = {}) {
    super(options);
    checkNumber('TripletMarginLoss', 'margin', options.margin ?? 1);
  }

  forward(anchor: TensorBase, positive: TensorBase, negative: TensorBase): Tensor {
    return tripletMarginLoss(anchor, positive, negative, this.options);
  }
}

/**
 * `tripletMarginWithDistanceLoss` as a module; shapes and errors as there.
 *
 *     const loss = new TripletMarginWithDistanceLoss({ distanceFunction: (a, b) => sub(1, cosineSimilarity(a, b)) });
 *     loss.forward(anchor, positive, negative);
 */
export class TripletMarginWithDistanceLoss extends Loss<TripletMarginWithDistanceOptions> {
  constructor(options: TripletMarginWithDistanceOptions = {}) {
    super(options);
    checkNumber('TripletMarginWithDistanceLoss', 'margin', options.margin ?? 1);
    if (options.distanceFunction) checkDistanceFunction('TripletMarginWithDistanceLoss', options.distanceFunction);
  }

  forward(anchor: TensorBase, positive: TensorBase, negative: TensorBase): Tensor {
    return tripletMarginWithDistanceLoss(anchor, positive, negative, this.options);
  }
}

/**
 * `ctcLoss` as a module; shapes and errors as there.
 *
 *     const loss = new CTCLoss({ zeroInfinity: true });
 *     loss.forward(logSoftmax(logits, 2), labels, [50, 42], [12, 9]);
 */
export class CTCLoss extends Loss<CTCLossOptions> {
  constructor(options: CTCLossOptions = {}) {
    super(options);
    checkInteger('CTCLoss', 'blank', options.blank ?? 0, 0);
  }

  forward(logProbs: TensorBase, targets: TensorBase, inputLengths: Lengths, targetLengths: Lengths): Tensor {
    return ctcLoss(logProbs, targets, inputLengths, targetLengths, this.options);
  }
}
