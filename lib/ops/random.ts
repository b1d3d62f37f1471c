import { DTypeError, ValueError } from '../errors';
import { labelled } from '../graph/modes';
import { defineOp } from '../graph/op';
import { isFloat, type DType } from '../tensor/dtype';
import { checkInteger, checkShape, type Shape } from '../tensor/shape';
import { Tensor, type TensorBase } from '../tensor/tensor';
import { currentTrace, refuseInTrace } from '../tensor/tracing';
import { cast } from './cast';
import { withGrad } from './create';
import { add, div, lt, mul, where } from './elementwise';
import { checkRange } from './identity';
import { asFloat } from './operands';

const MAX_SEED = Number.MAX_SAFE_INTEGER;

export interface GeneratorState {
  readonly seed: number;
  /** How many random nodes have been recorded since the seed was set. */
  readonly offset: number;
}

/**
 * A source of random numbers: counter-based (Philox), so seed and offset are all there is to it. Every random operation
 * takes the next offset when it is recorded; computing it again gives the same numbers.
 *
 *     const generator = new Generator(42);
 *     randn([2, 3], { generator });
 */
export class Generator {
  #seed = 0;
  #offset = 0;

  /** Throws ValueError unless the seed is an integer from 0 to 2^53 - 1. */
  constructor(seed = 0) {
    this.manualSeed(seed);
  }

  get seed(): number {
    return this.#seed;
  }

  get offset(): number {
    return this.#offset;
  }

  /** Starts anew from a seed. Throws ValueError unless it is an integer from 0 to 2^53 - 1. */
  manualSeed(seed: number): this {
    this.state = { seed, offset: 0 };
    return this;
  }

  /** What to keep for continuing later with the same numbers. */
  get state(): GeneratorState {
    return { seed: this.#seed, offset: this.#offset };
  }

  set state({ seed, offset }: GeneratorState) {
    refuseInTrace('a generator is given a state', 'seed it outside of the compiled function');
    for (const [name, value] of Object.entries({ seed, offset }))
      if (!Number.isInteger(value) || value < 0 || value > MAX_SEED)
        throw new ValueError(`Generator: ${name} is an integer from 0 to 2^53 - 1, got ${String(value)}`);
    this.#seed = seed;
    this.#offset = offset;
  }

  /** Takes the offsets of the next `count` random nodes; returns the first. */
  advance(count = 1): number {
    const first = this.#offset;
    this.#offset += count;
    return first;
  }
}

/** Used where no generator is given. Starts from seed 0, so that a script without a seed can be repeated too. */
export const defaultGenerator = new Generator();

/** Seeds the default generator: everything random that is recorded from now on is fixed. */
export function manualSeed(seed: number): Generator {
  return defaultGenerator.manualSeed(seed);
}

// ---- the operations: inputs are seed and offset

interface RandomAttrs {
  readonly shape: Shape;
  readonly dtype: DType;
}

function defineRandom(name: 'uniform' | 'normal' | 'permutation') {
  const apply = defineOp<RandomAttrs>(name, {
    shape: (_inputs, { shape }) => shape,
    dtype: (_inputs, { dtype }) => dtype,
    // Shape and dtype are the output's.
    attributes: () => [],
    lower: name === 'uniform' ? { elementwise: name } : { kernel: name },
    random: true,
    vjp: 'none',
  });
  return (shape: Shape, dtype: DType, generator: Generator = defaultGenerator): Tensor => {
    checkShape(name, shape);
    const seed = Tensor.ofScalar(generator.seed, 'float64');
    const offset = Tensor.ofScalar(generator.advance(), 'float64');
    currentTrace()?.draws(generator, seed, offset);
    return apply([seed, offset], { shape: [...shape], dtype });
  };
}

const uniformNode = defineRandom('uniform');
const normalNode = defineRandom('normal');
const permutationNode = defineRandom('permutation');

export interface GeneratorOptions {
  /** The default generator where not given. */
  generator?: Generator;
}

export interface RandomOptions extends GeneratorOptions {
  /** float32 where not given; or float64. */
  dtype?: DType;
  requiresGrad?: boolean;
}

function floatDType(op: string, dtype: DType = 'float32'): DType {
  if (!isFloat(dtype)) throw new DTypeError(`${op}: dtype is float32 or float64, got ${String(dtype)}`);
  return dtype;
}

/** Independent numbers, uniform in [0, 1). */
export function rand(shape: Shape, options: RandomOptions = {}): Tensor {
  return withGrad(
    'rand',
    uniformNode(shape, floatDType('rand', options.dtype), options.generator),
    options.requiresGrad,
  );
}

/**
 * Independent numbers from the standard normal distribution.
 *
 *     randn([2, 3], { generator: new Generator(1) });
 */
export function randn(shape: Shape, options: RandomOptions = {}): Tensor {
  return withGrad(
    'randn',
    normalNode(shape, floatDType('randn', options.dtype), options.generator),
    options.requiresGrad,
  );
}

/** Independent numbers, uniform from low to high. Throws ValueError unless both are finite and low <= high. */
export function uniform(shape: Shape, low: number, high: number, options: RandomOptions = {}): Tensor {
  if (!Number.isFinite(low) || !Number.isFinite(high) || low > high)
    throw new ValueError(`uniform: takes low <= high, both finite, got ${low} and ${high}`);
  return labelled('uniform', () => {
    const unit = uniformNode(shape, floatDType('uniform', options.dtype), options.generator);
    const scaled = low === 0 && high === 1 ? unit : add(mul(unit, high - low), low);
    return withGrad('uniform', scaled, options.requiresGrad);
  });
}

/** Independent numbers from the normal distribution. Throws ValueError for a standard deviation below 0. */
export function normal(shape: Shape, mean: number, std: number, options: RandomOptions = {}): Tensor {
  if (!Number.isFinite(mean) || !(Number.isFinite(std) && std >= 0))
    throw new ValueError(`normal: takes a finite mean and a finite std of at least 0, got ${mean} and ${std}`);
  return labelled('normal', () => {
    const standard = normalNode(shape, floatDType('normal', options.dtype), options.generator);
    return withGrad('normal', add(mul(standard, std), mean), options.requiresGrad);
  });
}

/** The integers from 0 to n - 1 in random order, as int32. */
export function randperm(n: number, options: GeneratorOptions = {}): Tensor {
  checkInteger('randperm', 'n', n, 0);
  return permutationNode([n], 'int32', options.generator);
}

/** 1 with the probability that p gives for each element, else 0, in p's shape and dtype. A p out of [0, 1] fails when it is computed. */
export function bernoulli(p: TensorBase, options: GeneratorOptions = {}): Tensor {
  return labelled('bernoulli', () => {
    const probabilities = checkRange(asFloat('bernoulli', p), 0, 1);
    return cast(
      lt(uniformNode(probabilities.shape, probabilities.dtype, options.generator), probabilities),
      probabilities.dtype,
    );
  });
}

export interface DropoutOptions extends GeneratorOptions {
  /** false passes x on as it is; true where not given. */
  training?: boolean;
}

/**
 * x with each element replaced by 0 with probability p, the others divided by 1 - p (Srivastava et al. 2014).
 * Throws ValueError unless p is from 0 to 1.
 *
 *     dropout(x, 0.1, { training: true });
 */
export function dropout(x: TensorBase, p: number, options: DropoutOptions = {}): Tensor {
  if (!(p >= 0 && p <= 1)) throw new ValueError(`dropout: p is a probability from 0 to 1, got ${String(p)}`);
  return labelled('dropout', () => {
    const tensor = asFloat('dropout', x);
    if (options.training === false || p === 0) return tensor;
    if (p === 1) return mul(tensor, 0);
    const dropped = lt(uniformNode(tensor.shape, 'float32', options.generator), p);
    return where(dropped, 0, div(tensor, 1 - p));
  });
}
