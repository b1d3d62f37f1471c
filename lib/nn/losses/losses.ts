import type { Tensor, TensorBase, Variable } from '../../tensor/tensor';
import { checkNumber } from '../check';
import { binaryCrossEntropy, binaryCrossEntropyWithLogits, checkFocal, focalLoss } from './binary';
import type { BCEOptions, BCEWithLogitsOptions, FocalLossOptions } from './binary';
import { crossEntropy, nllLoss, type CrossEntropyOptions, type NLLLossOptions } from './cross-entropy';
import { checkEps, checkKLDivReduction, gaussianNllLoss, klDiv, poissonNllLoss } from './likelihood';
import type { GaussianNLLOptions, KLDivOptions, PoissonNLLOptions } from './likelihood';
import { Loss } from './loss';
import type { LossOptions } from './reduction';
import { checkBeta, checkDelta, huberLoss, l1Loss, mseLoss, smoothL1Loss } from './regression';
import type { HuberOptions, SmoothL1Options } from './regression';

/**
 * `l1Loss` as a module; shapes and errors as there.
 *
 *     const loss = new L1Loss();
 *     loss.forward(model.forward(x), y);
 */
export class L1Loss extends Loss<LossOptions> {
  constructor(options: LossOptions = {}) {
    super(options);
  }

  forward(input: TensorBase, target: TensorBase): Tensor {
    return l1Loss(input, target, this.options);
  }
}

/**
 * `mseLoss` as a module; shapes and errors as there.
 *
 *     const loss = new MSELoss({ reduction: 'sum' });
 *     loss.forward(model.forward(x), y);
 */
export class MSELoss extends Loss<LossOptions> {
  constructor(options: LossOptions = {}) {
    super(options);
  }

  forward(input: TensorBase, target: TensorBase): Tensor {
    return mseLoss(input, target, this.options);
  }
}

/**
 * `smoothL1Loss` as a module; shapes and errors as there.
 *
 *     const loss = new SmoothL1Loss({ beta: 0.5 });
 *     loss.forward(model.forward(x), y);
 */
export class SmoothL1Loss extends Loss<SmoothL1Options> {
  constructor(options: SmoothL1Options = {}) {
    super(options);
    checkBeta('SmoothL1Loss', options.beta ?? 1);
  }

  forward(input: TensorBase, target: TensorBase): Tensor {
    return smoothL1Loss(input, target, this.options);
  }
}

/**
 * `huberLoss` as a module; shapes and errors as there.
 *
 *     const loss = new HuberLoss({ delta: 2 });
 *     loss.forward(model.forward(x), y);
 */
export class HuberLoss extends Loss<HuberOptions> {
  constructor(options: HuberOptions = {}) {
    super(options);
    checkDelta('HuberLoss', options.delta ?? 1);
  }

  forward(input: TensorBase, target: TensorBase): Tensor {
    return huberLoss(input, target, this.options);
  }
}

/**
 * `crossEntropy` as a module, for multi-class; shapes and errors as there. The weight is a buffer: state dicts hold it.
 *
 *     const loss = new CrossEntropyLoss({ labelSmoothing: 0.1 });
 *     loss.forward(model.forward(images), labels);
 */
export class CrossEntropyLoss extends Loss<CrossEntropyOptions> {
  readonly weight: Variable | null;

  constructor(options: CrossEntropyOptions = {}) {
    super(options);
    this.weight = this.buffer('weight', options.weight);
    checkNumber('CrossEntropyLoss', 'labelSmoothing', options.labelSmoothing ?? 0, { least: 0, most: 1 });
  }

  forward(input: TensorBase, target: TensorBase): Tensor {
    return crossEntropy(input, target, { ...this.options, weight: this.weight });
  }
}

/**
 * `nllLoss` as a module; shapes and errors as there. The weight is a buffer: state dicts hold it.
 *
 *     const loss = new NLLLoss({ ignoreIndex: 0 });
 *     loss.forward(logSoftmax(logits, 1), labels);
 */
export class NLLLoss extends Loss<NLLLossOptions> {
  readonly weight: Variable | null;

  constructor(options: NLLLossOptions = {}) {
    super(options);
    this.weight = this.buffer('weight', options.weight);
  }

  forward(input: TensorBase, target: TensorBase): Tensor {
    return nllLoss(input, target, { ...this.options, weight: this.weight });
  }
}

/**
 * `binaryCrossEntropy` as a module; shapes and errors as there. The weight is a buffer: state dicts hold it.
 *
 *     const loss = new BCELoss();
 *     loss.forward(sigmoid(logits), labels);
 */
export class BCELoss extends Loss<BCEOptions> {
  readonly weight: Variable | null;

  constructor(options: BCEOptions = {}) {
    super(options);
    this.weight = this.buffer('weight', options.weight);
  }

  forward(input: TensorBase, target: TensorBase): Tensor {
    return binaryCrossEntropy(input, target, { ...this.options, weight: this.weight });
  }
}

/**
 * `binaryCrossEntropyWithLogits` as a module, for multi-label; shapes and errors as there. The weights are buffers: state
 * dicts hold them, as `weight` and `pos_weight`.
 *
 *     const loss = new BCEWithLogitsLoss({ posWeight: tensor([9, 1, 4]) });
 *     loss.forward(model.forward(x), labels);
 */
export class BCEWithLogitsLoss extends Loss<BCEWithLogitsOptions> {
  readonly weight: Variable | null;
  readonly posWeight: Variable | null;

  constructor(options: BCEWithLogitsOptions = {}) {
    super(options);
    this.weight = this.buffer('weight', options.weight);
    this.posWeight = this.buffer('posWeight', options.posWeight);
  }

  forward(input: TensorBase, target: TensorBase): Tensor {
    return binaryCrossEntropyWithLogits(input, target, {
      ...this.options,
      weight: this.weight,
      posWeight: this.posWeight,
    });
  }
}

/**
 * `focalLoss` as a module; shapes and errors as there.
 *
 *     const loss = new FocalLoss({ gamma: 5 });
 *     loss.forward(model.forward(x), labels);
 */
export class FocalLoss extends Loss<FocalLossOptions> {
  constructor(options: FocalLossOptions = {}) {
    super(options);
    checkFocal('FocalLoss', options.alpha ?? null, options.gamma ?? 2);
  }

  forward(input: TensorBase, target: TensorBase): Tensor {
    return focalLoss(input, target, this.options);
  }
}

/**
 * `klDiv` as a module; shapes and errors as there.
 *
 *     const loss = new KLDivLoss({ reduction: 'batchmean' });
 *     loss.forward(logSoftmax(student, 1), softmax(teacher, 1));
 */
export class KLDivLoss extends Loss<KLDivOptions> {
  constructor(options: KLDivOptions = {}) {
    super(options);
  }

  forward(input: TensorBase, target: TensorBase): Tensor {
    return klDiv(input, target, this.options);
  }

  protected override checkReduction(reduction: unknown): void {
    checkKLDivReduction('KLDivLoss', reduction);
  }
}

/**
 * `poissonNllLoss` as a module; shapes and errors as there.
 *
 *     const loss = new PoissonNLLLoss({ full: true });
 *     loss.forward(model.forward(x), counts);
 */
export class PoissonNLLLoss extends Loss<PoissonNLLOptions> {
  constructor(options: PoissonNLLOptions = {}) {
    super(options);
    checkEps('PoissonNLLLoss', options.eps ?? 1e-8);
  }

  forward(input: TensorBase, target: TensorBase): Tensor {
    return poissonNllLoss(input, target, this.options);
  }
}

/**
 * `gaussianNllLoss` as a module; shapes and errors as there.
 *
 *     const loss = new GaussianNLLLoss();
 *     loss.forward(mean, y, variance);
 */
export class GaussianNLLLoss extends Loss<GaussianNLLOptions> {
  constructor(options: GaussianNLLOptions = {}) {
    super(options);
    checkEps('GaussianNLLLoss', options.eps ?? 1e-6);
  }

  forward(input: TensorBase, target: TensorBase, variance: TensorBase): Tensor {
    return gaussianNllLoss(input, target, variance, this.options);
  }
}
