import type { Tensor, TensorBase } from '../../tensor/tensor';
import { Module } from '../module';
import {
  binaryCrossEntropyWithLogits,
  crossEntropy,
  mseLoss,
  nllLoss,
  type BCEWithLogitsOptions,
  type CrossEntropyOptions,
  type LossOptions,
  type NLLLossOptions,
} from './functional';

/** `crossEntropy` as a module. */
export class CrossEntropyLoss extends Module {
  constructor(readonly options: CrossEntropyOptions = {}) {
    super();
  }

  forward(input: TensorBase, target: TensorBase): Tensor {
    return crossEntropy(input, target, this.options);
  }
}

/** `nllLoss` as a module. */
export class NLLLoss extends Module {
  constructor(readonly options: NLLLossOptions = {}) {
    super();
  }

  forward(input: TensorBase, target: TensorBase): Tensor {
    return nllLoss(input, target, this.options);
  }
}

/** `mseLoss` as a module. */
export class MSELoss extends Module {
  constructor(readonly options: LossOptions = {}) {
    super();
  }

  forward(input: TensorBase, target: TensorBase): Tensor {
    return mseLoss(input, target, this.options);
  }
}

/** `binaryCrossEntropyWithLogits` as a module. */
export class BCEWithLogitsLoss extends Module {
  constructor(readonly options: BCEWithLogitsOptions = {}) {
    super();
  }

  forward(input: TensorBase, target: TensorBase): Tensor {
    return binaryCrossEntropyWithLogits(input, target, this.options);
  }
}
