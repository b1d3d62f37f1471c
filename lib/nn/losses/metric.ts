import { ShapeError, ValueError } from '../../errors';
import { labelled } from '../../graph/modes';
import { clamp } from '../../ops/activations';
import { add, div, eq, minimum, mul, sqrt, square, sub, where } from '../../ops/elementwise';
import { sum } from '../../ops/reduce';
import { formatShape, shapesEqual } from '../../tensor/shape';
import { TensorBase, type Tensor } from '../../tensor/tensor';
import { checkNumber } from '../check';
import { pairwiseDistance } from '../distance';
import type { MarginOptions } from './margin';
import { checkFloat, checkReduction, checkReductionName, checkSameShape, checkTensor, reduce } from './reduction';

export interface TripletMarginOptions extends MarginOptions {
  /** Exponent of the norm. */
  p?: number;
  /** Added to every difference before the norm. */
  eps?: number;
  /** Whether the distance of positive and negative counts, where it is the smaller one. */
  swap?: boolean;
}

/** A distance of vectors, by pairs: [N, ...] and [N, ...] to [N]. */
export type DistanceFunction = (x1: TensorBase, x2: TensorBase) => Tensor;

export interface TripletMarginWithDistanceOptions extends MarginOptions {
  /** pairwiseDistance where not given. */
  distanceFunction?: DistanceFunction | null;
  /** Whether the distance of positive and negative counts, where it is the smaller one. */
  swap?: boolean;
}

/** Keeps the norm of a zero vector from being 0, as PyTorch has it here. */
const EPSILON = 1e-12;

/**
 * For pairs of vectors: 1 - cos(x1, x2) where y = 1 (alike), max(0, cos(x1, x2) - margin) where y = -1 (different); 0 for
 * any other y. Both inputs are [N, D] with a target [N], or [D] with []; reduction 'none' gives the target's shape,
 * otherwise []. The margin, from -1 to 1, is 0 where not given.
 *
 * Throws ShapeError for shapes that do not fit, DTypeError unless both inputs are float, ValueError for a margin that is no
 * number or the mean of nothing.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.CosineEmbeddingLoss.html
 *
 *     cosineEmbeddingLoss(a, b, tensor([1, -1, -1]));
 *     cosineEmbeddingLoss(a, b, alike, { margin: 0.5 });
 */
export function cosineEmbeddingLoss(
  input1: TensorBase,
  input2: TensorBase,
  target: TensorBase,
  options: MarginOptions = {},
): Tensor {
  const name = 'cosineEmbeddingLoss';
  const { margin = 0, reduction = 'mean' } = options;
  checkNumber(name, 'margin', margin);
  checkFloat(name, { input1, input2 });
  checkSameShape(name, { input1, input2 });
  checkTensor(name, 'target', target);
  const expected = input1.shape.slice(0, -1);
  if ((input1.rank !== 1 && input1.rank !== 2) || !shapesEqual(target.shape, expected))
    throw new ShapeError(
      `${name}: takes [N, D], [N, D] and a target [N], or [D], [D] and [], got ${formatShape(input1.shape)} and a target ${formatShape(target.shape)}`,
    );
  checkReduction(name, reduction, target.size);
  return labelled(name, () => {
    const squares = (x: TensorBase): Tensor => add(sum(square(x), { dim: -1 }), EPSILON);
    const cosine = div(sum(mul(input1, input2), { dim: -1 }), sqrt(mul(squares(input1), squares(input2))));
    const alike = where(eq(target, 1), sub(1, cosine), 0);
    const different = where(eq(target, -1), clamp(sub(cosine, margin), { min: 0 }), 0);
    return reduce(name, add(alike, different), reduction);
  });
}

/**
 * max(0, d(a, p) - d(a, n) + margin): the anchor should be nearer to the positive sample than to the negative one, by the
 * margin, 1 where not given; d is `pairwiseDistance`. With `swap` the negative distance is the smaller one of d(a, n) and
 * d(p, n) (Balntas et al. 2016). All three are [N, D] or [D]; reduction 'none' gives [N] or [], otherwise [].
 *
 * Throws ShapeError unless all shapes are equal, DTypeError unless all are float, ValueError for options that are no
 * numbers or the mean of nothing.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.TripletMarginLoss.html
 *
 *     tripletMarginLoss(embed(image), embed(samePerson), embed(otherPerson));
 *     tripletMarginLoss(a, p, n, { margin: 0.2, swap: true });
 */
export function tripletMarginLoss(
  anchor: TensorBase,
  positive: TensorBase,
  negative: TensorBase,
  options: TripletMarginOptions = {},
): Tensor {
  const name = 'tripletMarginLoss';
  const { p = 2, eps = 1e-6, ...others } = options;
  const distanceFunction: DistanceFunction = (x1, x2) => pairwiseDistance(x1, x2, { p, eps });
  return triplet(name, anchor, positive, negative, { ...others, distanceFunction });
}

/**
 * `tripletMarginLoss` under any distance: a function of two batches that gives one number, at least 0, for each pair.
 * Shapes as the function takes them, but equal among all three. Errors as there, and ShapeError if the distances of both
 * pairs differ in shape.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.TripletMarginWithDistanceLoss.html
 *
 *     const distanceFunction = (a: TensorBase, b: TensorBase) => sub(1, cosineSimilarity(a, b));
 *     tripletMarginWithDistanceLoss(a, p, n, { distanceFunction, margin: 0.2 });
 */
export function tripletMarginWithDistanceLoss(
  anchor: TensorBase,
  positive: TensorBase,
  negative: TensorBase,
  options: TripletMarginWithDistanceOptions = {},
): Tensor {
  return triplet('tripletMarginWithDistanceLoss', anchor, positive, negative, options);
}

function triplet(
  name: string,
  anchor: TensorBase,
  positive: TensorBase,
  negative: TensorBase,
  options: TripletMarginWithDistanceOptions,
): Tensor {
  const { margin = 1, swap = false, reduction = 'mean' } = options;
  checkNumber(name, 'margin', margin);
  checkReductionName(name, reduction);
  checkFloat(name, { anchor, positive, negative });
  checkSameShape(name, { anchor, positive, negative });
  const distance = checkedDistance(name, options.distanceFunction);
  return labelled(name, () => {
    const near = distance(anchor, positive);
    const toAnchor = distance(anchor, negative);
    const far = swap ? minimum(toAnchor, distance(positive, negative)) : toAnchor;
    checkSameShape(name, { 'the distance to positive': near, 'the distance to negative': far });
    return reduce(name, clamp(add(sub(near, far), margin), { min: 0 }), reduction);
  });
}

function checkedDistance(name: string, given: DistanceFunction | null | undefined): DistanceFunction {
  const distance = given ?? ((x1, x2) => pairwiseDistance(x1, x2));
  checkDistanceFunction(name, distance);
  return (x1, x2) => {
    const result: unknown = distance(x1, x2);
    if (!(result instanceof TensorBase))
      throw new ValueError(`${name}: distanceFunction returns a tensor, got ${typeof result}`);
    return result.capture();
  };
}

export function checkDistanceFunction(name: string, value: unknown): void {
  if (typeof value !== 'function')
    throw new ValueError(`${name}: distanceFunction is a function of two tensors, got ${typeof value}`);
}
