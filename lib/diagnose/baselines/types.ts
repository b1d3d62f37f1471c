import type { AbortOptions } from '../../graph/abort';
import type { Tensor } from '../../tensor/tensor';

/** What is predicted: numbers, one of two classes, one of several, or any of several. */
export type Task = 'regression' | 'binary' | 'multiclass' | 'multilabel';

/**
 * Training data. `x` is [n, features] (further dims are flattened). `y` is, for regression, floats [n] or [n, m]; for
 * binary, 0 or 1 in [n] or [n, 1]; for multiclass, integer labels [n]; for multilabel, 0 or 1 in [n, k].
 */
export interface BaselineData {
  readonly x: Tensor;
  readonly y: Tensor;
}

export interface BaselineProgress {
  readonly name: string;
  readonly iteration: number;
  /** What is minimised, as far as it has come. */
  readonly objective: number;
}

export interface BaselineOptions extends AbortOptions {
  /** Called now and then while the baseline is fitted. */
  readonly onProgress?: ((progress: BaselineProgress) => void) | undefined;
  /** Classes of a multiclass task; one more than the largest label where not given. */
  readonly classes?: number | undefined;
}

/** Mean over all samples and outputs; the hinge loss is no bound that a cross-entropy can be compared with. */
export type BaselineLoss = 'meanSquareError' | 'binaryCrossEntropy' | 'crossEntropy' | 'hinge';

export interface Baseline {
  readonly name: string;
  readonly task: Task;
  readonly loss: BaselineLoss;
  /** The loss on the training data, in float64, without any penalty. */
  readonly trainLoss: number;
  /** Share of right decisions on the training data (for multilabel, over all samples and labels); null for regression. */
  readonly trainAccuracy: number | null;
  /** What was minimised, the penalty included. */
  readonly objective: number;
  /** The optimum was reached within the tolerance; false also where there is none. */
  readonly converged: boolean;
  /** Some direction lowers the loss for ever: the loss has an infimum, but no optimum. Only of logistic regression without penalty. */
  readonly separable: boolean;
  readonly iterations: number;
  /** Values or logits in float64 for features that are not standardised: [n, k], or in y's shape where that is [n]. */
  readonly predict: (x: Tensor) => Tensor;
  /** float64; weights are those for features that are not standardised, unless they are named otherwise. */
  readonly parameters: Readonly<Record<string, Tensor>>;
}
