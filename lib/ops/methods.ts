import type { AbortOptions } from '../graph/abort';
import type { Completion } from '../graph/completion';
import { readData, readDataSync, readItem, readItemSync } from '../graph/reading';
import type { DType, TypedArray } from '../tensor/dtype';
import { formatTensor } from '../tensor/print';
import type { Shape } from '../tensor/shape';
import { Tensor, TensorBase, type Operand } from '../tensor/tensor';
import * as activations from './activations';
import { cast } from './cast';
import * as elementwise from './elementwise';
import { detach } from './identity';
import * as indexing from './indexing';
import { chunk, split, unstack, type DimOptions } from './join';
import { matmul } from './matmul';
import { pad } from './place';
import * as reduce from './reduce';
import type { ReduceOptions, VarianceOptions } from './reduce';
import * as shape from './shape';
import { logSoftmax, softmax } from './softmax';

/** Functions of one tensor and nothing else. */
type UnaryName =
  | 'neg'
  | 'abs'
  | 'sign'
  | 'square'
  | 'reciprocal'
  | 'exp'
  | 'expm1'
  | 'log'
  | 'log1p'
  | 'sqrt'
  | 'rsqrt'
  | 'sin'
  | 'cos'
  | 'tanh'
  | 'sigmoid'
  | 'softplus'
  | 'erf'
  | 'floor'
  | 'ceil'
  | 'round'
  | 'trunc'
  | 'relu'
  | 'logicalNot'
  | 'isNaN'
  | 'silu'
  | 'detach'
  | 't';

const unary: { readonly [Name in UnaryName]: (x: TensorBase) => Tensor } = {
  neg: elementwise.neg,
  abs: elementwise.abs,
  sign: elementwise.sign,
  square: elementwise.square,
  reciprocal: elementwise.reciprocal,
  exp: elementwise.exp,
  expm1: elementwise.expm1,
  log: elementwise.log,
  log1p: elementwise.log1p,
  sqrt: elementwise.sqrt,
  rsqrt: elementwise.rsqrt,
  sin: elementwise.sin,
  cos: elementwise.cos,
  tanh: elementwise.tanh,
  sigmoid: elementwise.sigmoid,
  softplus: elementwise.softplus,
  erf: elementwise.erf,
  floor: elementwise.floor,
  ceil: elementwise.ceil,
  round: elementwise.round,
  trunc: elementwise.trunc,
  relu: elementwise.relu,
  logicalNot: elementwise.logicalNot,
  isNaN: elementwise.isNaN,
  silu: activations.silu,
  detach,
  t: shape.t,
};

/** Functions of two. */
type BinaryName =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'pow'
  | 'maximum'
  | 'minimum'
  | 'eq'
  | 'ne'
  | 'lt'
  | 'le'
  | 'gt'
  | 'ge'
  | 'logicalAnd'
  | 'logicalOr';

const binary: { readonly [Name in BinaryName]: (a: TensorBase, b: Operand) => Tensor } = {
  add: elementwise.add,
  sub: elementwise.sub,
  mul: elementwise.mul,
  div: elementwise.div,
  pow: elementwise.pow,
  maximum: elementwise.maximum,
  minimum: elementwise.minimum,
  eq: elementwise.eq,
  ne: elementwise.ne,
  lt: elementwise.lt,
  le: elementwise.le,
  gt: elementwise.gt,
  ge: elementwise.ge,
  logicalAnd: elementwise.logicalAnd,
  logicalOr: elementwise.logicalOr,
};

/** Reductions. */
type ReductionName = 'sum' | 'mean' | 'max' | 'min' | 'argmax' | 'argmin' | 'logSumExp' | 'any' | 'all';

const reductions: { readonly [Name in ReductionName]: (x: TensorBase, options?: ReduceOptions) => Tensor } = {
  sum: reduce.sum,
  mean: reduce.mean,
  max: reduce.max,
  min: reduce.min,
  argmax: reduce.argmax,
  argmin: reduce.argmin,
  logSumExp: reduce.logSumExp,
  any: reduce.any,
  all: reduce.all,
};

type Unary = { [Name in UnaryName]: () => Tensor };
type Binary = { [Name in BinaryName]: (other: Operand) => Tensor };
type Reductions = { [Name in ReductionName]: (options?: ReduceOptions) => Tensor };

/** The other operations and how values are read. Each is the function of its name with the tensor as first argument. */
interface Others {
  variance(options?: VarianceOptions): Tensor;
  std(options?: VarianceOptions): Tensor;
  softmax(dim: number | readonly number[]): Tensor;
  logSoftmax(dim: number | readonly number[]): Tensor;
  leakyRelu(options?: { negativeSlope?: number }): Tensor;
  gelu(options?: { approximate?: 'none' | 'tanh' }): Tensor;
  clamp(options: activations.ClampOptions): Tensor;
  matmul(other: TensorBase): Tensor;
  reshape(shape: Shape): Tensor;
  flatten(options?: { startDim?: number; endDim?: number }): Tensor;
  squeeze(options?: { dim?: number | readonly number[] }): Tensor;
  unsqueeze(dim: number): Tensor;
  permute(dims: readonly number[]): Tensor;
  transpose(dim0: number, dim1: number): Tensor;
  expand(shape: Shape): Tensor;
  slice(ranges: readonly shape.Range[]): Tensor;
  narrow(dim: number, start: number, length: number): Tensor;
  select(dim: number, index: number): Tensor;
  pad(padding: readonly number[], options?: { value?: number }): Tensor;
  split(sizes: number | readonly number[], options?: DimOptions): Tensor[];
  chunk(chunks: number, options?: DimOptions): Tensor[];
  unstack(options?: DimOptions): Tensor[];
  gather(dim: number, index: TensorBase): Tensor;
  scatterAdd(dim: number, index: TensorBase, src: TensorBase): Tensor;
  /** The numbers, once they are computed: a copy that the caller owns. Rejects with the error of the computation. */
  data(options?: AbortOptions): Completion<TypedArray>;
  /** `data()` that waits: for scripts. */
  dataSync(): TypedArray;
  /** The only number. Throws ShapeError if there are more. */
  item(options?: AbortOptions): Completion<number>;
  /** `item()` that waits: for scripts. */
  itemSync(): number;
  toString(): string;
}

const others: Others & ThisType<TensorBase> = {
  variance(options) {
    return reduce.variance(this, options);
  },
  std(options) {
    return reduce.std(this, options);
  },
  softmax(dim) {
    return softmax(this, dim);
  },
  logSoftmax(dim) {
    return logSoftmax(this, dim);
  },
  leakyRelu(options) {
    return activations.leakyRelu(this, options);
  },
  gelu(options) {
    return activations.gelu(this, options);
  },
  clamp(options) {
    return activations.clamp(this, options);
  },
  matmul(other) {
    return matmul(this, other);
  },
  reshape(sizes) {
    return shape.reshape(this, sizes);
  },
  flatten(options) {
    return shape.flatten(this, options);
  },
  squeeze(options) {
    return shape.squeeze(this, options);
  },
  unsqueeze(dim) {
    return shape.unsqueeze(this, dim);
  },
  permute(dims) {
    return shape.permute(this, dims);
  },
  transpose(dim0, dim1) {
    return shape.transpose(this, dim0, dim1);
  },
  expand(sizes) {
    return shape.expand(this, sizes);
  },
  slice(ranges) {
    return shape.slice(this, ranges);
  },
  narrow(dim, start, length) {
    return shape.narrow(this, dim, start, length);
  },
  select(dim, index) {
    return shape.select(this, dim, index);
  },
  pad(padding, options) {
    return pad(this, padding, options);
  },
  split(sizes, options) {
    return split(this, sizes, options);
  },
  chunk(chunks, options) {
    return chunk(this, chunks, options);
  },
  unstack(options) {
    return unstack(this, options);
  },
  gather(dim, index) {
    return indexing.gather(this, dim, index);
  },
  scatterAdd(dim, index, src) {
    return indexing.scatterAdd(this, dim, index, src);
  },
  data(options) {
    return readData(this.capture(), options);
  },
  dataSync() {
    return readDataSync(this.capture());
  },
  item(options) {
    return readItem(this.capture(), options);
  },
  itemSync() {
    return readItemSync(this.capture());
  },
  toString() {
    return formatTensor(printable(this));
  },
};

/** What is there is shown; nothing is computed, and no version counts as seen. */
function printable(x: TensorBase) {
  const tensor = x instanceof Tensor ? x : (x as unknown as { readonly current: Tensor }).current;
  const { shape: sizes, dtype, requiresGrad } = tensor;
  const isReady = tensor.storage !== null && tensor.run === 0 && tensor.failure === null;
  const data = isReady ? tensor.storage!.data : tensor.isScalar ? readDataSync(tensor) : null;
  return { shape: sizes, dtype, requiresGrad, data };
}

declare module '../tensor/tensor' {
  interface TensorBase extends Unary, Binary, Reductions, Others {
    /** The same numbers in another dtype; see `cast`. */
    to(dtype: DType): Tensor;
  }
}

const methods: Record<string | symbol, (this: TensorBase, ...args: never[]) => unknown> = {
  to(this: TensorBase, dtype: DType) {
    return cast(this, dtype);
  },
  [Symbol.for('nodejs.util.inspect.custom')](this: TensorBase) {
    return this.toString();
  },
};
for (const [name, apply] of Object.entries(unary))
  methods[name] = function (this: TensorBase) {
    return apply(this);
  };
for (const [name, apply] of Object.entries(binary))
  methods[name] = function (this: TensorBase, other: Operand) {
    return apply(this, other);
  };
for (const [name, apply] of Object.entries(reductions))
  methods[name] = function (this: TensorBase, options?: ReduceOptions) {
    return apply(this, options);
  };
Object.assign(methods, others);
for (const name of Reflect.ownKeys(methods))
  Object.defineProperty(TensorBase.prototype, name, { value: methods[name], writable: true, configurable: true });
