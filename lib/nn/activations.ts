import { ShapeError, ValueError } from '../errors';
import { labelled } from '../graph/modes';
import {
  abs,
  add,
  div,
  eq,
  gt,
  le,
  log,
  lt,
  maximum,
  mul,
  neg,
  sigmoid,
  softplus as logOnePlusExp,
  sub,
  tanh,
  where,
} from '../ops/elementwise';
import { elu } from '../ops/activations';
import { cast } from '../ops/cast';
import { arange } from '../ops/create';
import { detach } from '../ops/identity';
import { argmax } from '../ops/reduce';
import { split } from '../ops/join';
import { asFloat } from '../ops/operands';
import { rand, uniform, type GeneratorOptions } from '../ops/random';
import { reshape, unsqueeze } from '../ops/shape';
import { softmax } from '../ops/softmax';
import { formatShape, normalizeDim, type Shape } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { checkNumber } from './check';

/** The activations that take more than one formula of lib/ops/activations.ts; x is of any shape, float32 or float64. */
function activation(name: string, x: TensorBase, formula: (x: Tensor) => Tensor): Tensor {
  return labelled(name, () => formula(asFloat(name, x)));
}

/**
 * x above 0, alpha (e^(x / alpha) - 1) below: an elu whose derivative is continuous for every alpha (Barron 2017).
 * Throws ValueError unless alpha is a finite number other than 0.
 *
 *     celu(tensor([-1, 2]), { alpha: 0.5 }); // [-0.43, 2]
 */
export function celu(x: TensorBase, options: { alpha?: number } = {}): Tensor {
  const { alpha = 1 } = options;
  checkNumber('celu', 'alpha', alpha);
  if (alpha === 0) throw new ValueError('celu: alpha is a finite number other than 0, got 0');
  return activation('celu', x, (v) => where(gt(v, 0), v, mul(elu(div(where(gt(v, 0), 0, v), alpha)), alpha)));
}

/**
 * The first half of a dim times sigmoid of the second (Dauphin et al. 2017): [..., 2 n, ...] to [..., n, ...].
 * Throws ShapeError unless the dim, the last where not given, has an even size.
 *
 *     glu(zeros([8, 6])).shape; // [8, 3]
 */
export function glu(x: TensorBase, options: { dim?: number } = {}): Tensor {
  const dim = normalizeDim('glu', options.dim ?? -1, x.rank);
  const size = x.shape[dim];
  if (size === undefined || size % 2 !== 0)
    throw new ShapeError(`glu: dim ${dim} is to be of even size, got ${formatShape(x.shape)}`);
  return activation('glu', x, (v) => {
    const [value, gate] = split(v, [size / 2, size / 2], { dim }) as [Tensor, Tensor];
    return mul(value, sigmoid(gate));
  });
}

function checkLambda(name: string, lambda: number): void {
  checkNumber(name, 'lambda', lambda, { least: 0 });
}

/**
 * x where |x| is above lambda (0.5 where not given), else 0. Throws ValueError for a lambda below 0.
 *
 *     hardshrink(tensor([-1, 0.2])); // [-1, 0]
 */
export function hardshrink(x: TensorBase, options: { lambda?: number } = {}): Tensor {
  const { lambda = 0.5 } = options;
  checkLambda('hardshrink', lambda);
  return activation('hardshrink', x, (v) => where(le(abs(v), lambda), 0, v));
}

/**
 * x moved by lambda (0.5 where not given) towards 0, and 0 where |x| is below. Throws ValueError for a lambda below 0.
 *
 *     softshrink(tensor([-1, 0.2])); // [-0.5, 0]
 */
export function softshrink(x: TensorBase, options: { lambda?: number } = {}): Tensor {
  const { lambda = 0.5 } = options;
  checkLambda('softshrink', lambda);
  return activation('softshrink', x, (v) =>
    where(gt(v, lambda), sub(v, lambda), where(lt(v, -lambda), add(v, lambda), mul(v, 0))),
  );
}

/**
 * x - tanh(x).
 *
 *     tanhshrink(tensor([0, 3])); // [0, 2.005]
 */
export const tanhshrink = (x: TensorBase): Tensor => activation('tanhshrink', x, (v) => sub(v, tanh(v)));

/**
 * x above the threshold, `value` elsewhere. Throws ValueError unless both are finite.
 *
 *     threshold(tensor([0.5, 2]), 1, -7); // [-7, 2]
 */
export function threshold(x: TensorBase, limit: number, value: number): Tensor {
  checkNumber('threshold', 'threshold', limit);
  checkNumber('threshold', 'value', value);
  return activation('threshold', x, (v) => where(le(v, limit), value, v));
}

export interface SoftplusOptions {
  /** How steep: 1 where not given. */
  beta?: number;
  /** Where beta x is above this, the function is x itself: 20 where not given. */
  threshold?: number;
}

/**
 * log(1 + e^(beta x)) / beta, a smooth max(x, 0); x itself where beta x is above the threshold, as in PyTorch.
 * Throws ValueError unless both are finite and beta is not 0.
 *
 *     softplus(tensor([0, 30]), { beta: 2 }); // [0.35, 30]
 */
export function softplus(x: TensorBase, options: SoftplusOptions = {}): Tensor {
  const { beta = 1, threshold: limit = 20 } = options;
  checkNumber('softplus', 'beta', beta);
  checkNumber('softplus', 'threshold', limit);
  if (beta === 0) throw new ValueError('softplus: beta is a finite number other than 0, got 0');
  return activation('softplus', x, (v) => {
    const scaled = beta === 1 ? v : mul(v, beta);
    const soft = logOnePlusExp(scaled);
    return where(gt(scaled, limit), v, beta === 1 ? soft : div(soft, beta));
  });
}

/**
 * softmax(-x): the smallest gets the most.
 *
 *     softmin(tensor([0, 1]), 0); // [0.73, 0.27]
 */
export const softmin = (x: TensorBase, dim: number): Tensor => activation('softmin', x, (v) => softmax(neg(v), dim));

/**
 * x above 0, weight · x below (He et al. 2015). The weight has one number, or one for each channel: dim 1 of x.
 * Throws ShapeError for another count.
 *
 *     prelu(tensor([-4, 1]), tensor([0.25])); // [-1, 1]
 */
export function prelu(x: TensorBase, weight: TensorBase): Tensor {
  const channels = x.rank > 1 ? x.shape[1]! : 1;
  if (weight.rank > 1 || (weight.size !== 1 && weight.size !== channels))
    throw new ShapeError(
      `prelu: weight is [1] or [${channels}] for x ${formatShape(x.shape)}, got ${formatShape(weight.shape)}`,
    );
  return activation('prelu', x, (v) => {
    const slope = reshape(weight, weight.size === 1 ? [] : [channels, ...v.shape.slice(2).fill(1)]);
    return where(gt(v, 0), v, mul(v, slope));
  });
}

export interface RReLUOptions extends GeneratorOptions {
  /** Smallest slope: 1/8 where not given. */
  lower?: number;
  /** Largest slope: 1/3 where not given. */
  upper?: number;
  /** Whether slopes are drawn; otherwise their mean is taken, the default. */
  training?: boolean;
}

/**
 * x above 0, below it x times a slope: in training drawn for each element, uniform in [lower, upper], else the mean of
 * both (Xu et al. 2015). Throws ValueError unless both are finite and lower is at most upper.
 *
 *     rrelu(tensor([-1, 1]), { lower: 0.1, upper: 0.3 }); // [-0.2, 1]
 */
export function rrelu(x: TensorBase, options: RReLUOptions = {}): Tensor {
  const { lower = 1 / 8, upper = 1 / 3, training = false, generator } = options;
  checkNumber('rrelu', 'upper', upper);
  checkNumber('rrelu', 'lower', lower, { most: upper });
  return activation('rrelu', x, (v) => {
    const slope = training ? uniform(v.shape, lower, upper, { dtype: v.dtype, generator }) : (lower + upper) / 2;
    return where(gt(v, 0), v, mul(v, slope));
  });
}

export interface GumbelSoftmaxOptions extends GeneratorOptions {
  /** Temperature: 1 where not given; near 0 the result is nearly a single class. */
  tau?: number;
  /** Whether the result is exactly one class, with the gradient of the soft one: false where not given. */
  hard?: boolean;
  /** The classes: the last dim where not given. */
  dim?: number;
}

/**
 * softmax((x + g) / tau) with g = -log(-log u) drawn for each logit: samples of a class that have a gradient (Jang et al.
 * 2017). Throws ValueError for a tau that is not above 0.
 *
 *     gumbelSoftmax(logits, { tau: 0.5, hard: true }); // one 1 in each row
 */
export function gumbelSoftmax(x: TensorBase, options: GumbelSoftmaxOptions = {}): Tensor {
  const { tau = 1, hard = false, generator } = options;
  checkNumber('gumbelSoftmax', 'tau', tau, { least: Number.MIN_VALUE });
  const dim = normalizeDim('gumbelSoftmax', options.dim ?? -1, x.rank);
  return activation('gumbelSoftmax', x, (v) => {
    // 1 - u is never 0; its logarithm may be, hence the smallest normal number.
    const exponential = maximum(neg(log(sub(1, rand(v.shape, { dtype: v.dtype, generator })))), 2 ** -126);
    const soft = softmax(div(sub(v, log(exponential)), tau), dim);
    if (!hard) return soft;
    const chosen = cast(eq(unsqueeze(argmax(soft, { dim }), dim), classes(v.shape, dim)), v.dtype);
    return add(sub(chosen, detach(soft)), soft);
  });
}

/** The index of each class, to be compared along a dim. */
const classes = (shape: Shape, dim: number): Tensor =>
  reshape(
    arange(shape[dim] ?? 1),
    shape.map((size, d) => (d === dim ? size : 1)),
  );
