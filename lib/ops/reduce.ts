import { DTypeError, ShapeError, ValueError } from '../errors';
import { labelled } from '../graph/modes';
import { defineOp, type Layout, type Lowering, type Apply } from '../graph/op';
import type { KernelName } from '../graph/program/kernels';
import { formatShape, normalizeDims, sizeOf, type Shape } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { cast } from './cast';
import { div, eq, exp, logicalNot, mul, ne, sqrt, sub, where } from './elementwise';
import { permuteLayout } from './layouts';
import { asFloat, asTensor } from './operands';
import { expand, reshape } from './shape';

export interface ReduceOptions {
  /** One or several; all of them where not given. */
  dim?: number | readonly number[];
  /** Whether reduced dims stay, with size 1. */
  keepdim?: boolean;
}

interface ReduceAttrs {
  /** Ascending. */
  readonly dims: readonly number[];
  readonly keepdim: boolean;
}

function reducedShape(shape: Shape, { dims, keepdim }: ReduceAttrs): number[] {
  if (keepdim) return shape.map((size, dim) => (dims.includes(dim) ? 1 : size));
  return shape.filter((_, dim) => !dims.includes(dim));
}

const attributesOf = ({ dims, keepdim }: ReduceAttrs): number[] => [Number(keepdim), ...dims];

/** Kernels reduce the last dims: the window shows the kept ones first. */
function lowering<A extends ReduceAttrs>(kernel: KernelName, extra: (attrs: A) => number[] = () => []): Lowering<A> {
  const keptDims = ({ shape }: Layout, { dims }: A): number[] =>
    shape.map((_, dim) => dim).filter((dim) => !dims.includes(dim));
  return {
    kernel,
    kernelAttributes: (attrs, [input]) => [input!.shape.length - attrs.dims.length, ...extra(attrs)],
    arrange: ([input], attrs) => [permuteLayout(input!, [...keptDims(input!, attrs), ...attrs.dims])],
    output: (_shape, [input], attrs) => keptDims(input!, attrs).map((dim) => input!.shape[dim]!),
  };
}

/** A reduced tensor with its dims back, of size 1 or repeated to the shape it came from. */
function restored(y: Tensor, shape: Shape, dims: readonly number[]): Tensor {
  return reshape(y, reducedShape(shape, { dims, keepdim: true }));
}

function attrsOf(op: string, x: Tensor, options: ReduceOptions): ReduceAttrs {
  return { dims: normalizeDims(op, options.dim, x.rank), keepdim: options.keepdim ?? false };
}

const countOf = (shape: Shape, dims: readonly number[]): number => sizeOf(dims.map((dim) => shape[dim]!));

function numbers(op: string, x: TensorBase): Tensor {
  const tensor = asTensor(op, x);
  if (tensor.dtype === 'int64') throw new DTypeError(`${op}: int64 is for interchange; cast to int32 or float64 first`);
  return tensor.dtype === 'bool' ? cast(tensor, 'int32') : tensor;
}

// ---- sum and mean

const sumOp: Apply<ReduceAttrs> = defineOp('sum', {
  shape: ([x], attrs) => reducedShape(x!.shape, attrs),
  attributes: attributesOf,
  lower: lowering('sum'),
  vjp: (g, [x], _output, { dims }) => [expand(restored(g, x!.shape, dims), x!.shape)],
  jvp: ([dx], _inputs, _output, attrs) => sumOp([dx!], attrs),
});

/**
 * The sum over the dims; of nothing 0; bools and int32 give int32.
 *
 *     sum(tensor([[1, 2], [3, 4]]), { dim: 1 }); // [3, 7]
 */
export function sum(x: TensorBase, options: ReduceOptions = {}): Tensor {
  const tensor = numbers('sum', x);
  const attrs = attrsOf('sum', tensor, options);
  if (attrs.dims.length === 0) return tensor;
  return sumOp([tensor], attrs);
}

/** The mean over the dims; of nothing NaN; integers give float32. */
export function mean(x: TensorBase, options: ReduceOptions = {}): Tensor {
  return labelled('mean', () => {
    const tensor = asFloat('mean', numbers('mean', x));
    const { dims } = attrsOf('mean', tensor, options);
    return div(sum(tensor, options), countOf(tensor.shape, dims));
  });
}

// ---- extremes

function defineExtreme(name: 'max' | 'min') {
  const apply = defineOp<ReduceAttrs>(name, {
    shape: ([x], attrs) => {
      checkNotEmpty(name, x!.shape, attrs.dims);
      return reducedShape(x!.shape, attrs);
    },
    attributes: attributesOf,
    lower: lowering(name),
    vjp: (g, [x], y, { dims }) => [mul(restored(g, x!.shape, dims), shareOf(x!, y, dims))],
    jvp: ([dx], [x], y, attrs) =>
      sum(mul(dx!, shareOf(x!, y, attrs.dims)), { dim: attrs.dims, keepdim: attrs.keepdim }),
  });
  return (x: TensorBase, options: ReduceOptions = {}): Tensor => {
    const tensor = numbers(name, x);
    const attrs = attrsOf(name, tensor, options);
    return attrs.dims.length === 0 ? tensor : apply([tensor], attrs);
  };
}

/** The gradient's share of each element: equal among those that are the extreme, as in PyTorch's amax. */
function shareOf(x: Tensor, y: Tensor, dims: readonly number[]): Tensor {
  const chosen = eq(x, restored(y, x.shape, dims));
  return div(cast(chosen, x.dtype), cast(sum(chosen, { dim: dims, keepdim: true }), x.dtype));
}

function checkNotEmpty(op: string, shape: Shape, dims: readonly number[]): void {
  if (countOf(shape, dims) === 0)
    throw new ShapeError(`${op}: nothing to choose from: dims [${dims.join(', ')}] of ${formatShape(shape)} are empty`);
}

/** The largest element over the dims; NaN wins. Throws ShapeError if there is none. */
export const max = defineExtreme('max');
/** The smallest element over the dims; NaN wins. Throws ShapeError if there is none. */
export const min = defineExtreme('min');

function defineArgument(name: 'argmax' | 'argmin') {
  const apply = defineOp<ReduceAttrs>(name, {
    shape: ([x], attrs) => {
      checkNotEmpty(name, x!.shape, attrs.dims);
      return reducedShape(x!.shape, attrs);
    },
    dtype: () => 'int32',
    attributes: attributesOf,
    lower: lowering(name),
    vjp: 'none',
  });
  return (x: TensorBase, options: ReduceOptions = {}): Tensor => {
    const tensor = numbers(name, x);
    return apply([tensor], attrsOf(name, tensor, options));
  };
}

/** Where the largest element is, as int32: its index in the dim, or in the dims flattened. First of ties; NaN wins. */
export const argmax = defineArgument('argmax');
/** Where the smallest element is, as int32: its index in the dim, or in the dims flattened. First of ties; NaN wins. */
export const argmin = defineArgument('argmin');

// ---- logSumExp and variance

const logSumExpOp = defineOp<ReduceAttrs>('logSumExp', {
  shape: ([x], attrs) => reducedShape(x!.shape, attrs),
  attributes: attributesOf,
  lower: lowering('logSumExp'),
  vjp: (g, [x], y, { dims }) => [mul(restored(g, x!.shape, dims), softmaxFrom(x!, y, dims))],
  jvp: ([dx], [x], y, attrs) =>
    sum(mul(dx!, softmaxFrom(x!, y, attrs.dims)), { dim: attrs.dims, keepdim: attrs.keepdim }),
});

function softmaxFrom(x: Tensor, y: Tensor, dims: readonly number[]): Tensor {
  const total = restored(y, x.shape, dims);
  // Where all are -Infinity, each weighs 0 rather than NaN.
  return exp(sub(x, where(eq(total, -Infinity), 0, total)));
}

/** log Σ e^x over the dims, without overflow; of nothing -Infinity. */
export function logSumExp(x: TensorBase, options: ReduceOptions = {}): Tensor {
  const tensor = asFloat('logSumExp', numbers('logSumExp', x));
  const attrs = attrsOf('logSumExp', tensor, options);
  return attrs.dims.length === 0 ? tensor : logSumExpOp([tensor], attrs);
}

export interface VarianceOptions extends ReduceOptions {
  /** What is taken off the number of elements: 1 (Bessel) where not given; 0 gives the biased variance. */
  correction?: number;
}

interface VarianceAttrs extends ReduceAttrs {
  readonly correction: number;
}

const varianceOp = defineOp<VarianceAttrs>('variance', {
  shape: ([x], attrs) => reducedShape(x!.shape, attrs),
  attributes: (attrs) => [attrs.correction, ...attributesOf(attrs)],
  lower: lowering('variance', ({ correction }) => [correction]),
  vjp: (g, [x], _output, attrs) => [mul(restored(g, x!.shape, attrs.dims), deviations(x!, attrs))],
  jvp: ([dx], [x], _output, attrs) => sum(mul(dx!, deviations(x!, attrs)), { dim: attrs.dims, keepdim: attrs.keepdim }),
});

/** The derivative: 2 (x - mean) / (n - correction). */
function deviations(x: Tensor, { dims, correction }: VarianceAttrs): Tensor {
  const freedom = Math.max(0, countOf(x.shape, dims) - correction);
  return mul(sub(x, mean(x, { dim: dims, keepdim: true })), 2 / freedom);
}

/** The variance over the dims: squared deviations over n - correction; NaN where that leaves nothing. */
export function variance(x: TensorBase, options: VarianceOptions = {}): Tensor {
  const tensor = asFloat('variance', numbers('variance', x));
  const { correction = 1 } = options;
  if (!Number.isFinite(correction) || correction < 0)
    throw new ValueError(`variance: correction is a number of at least 0, got ${String(correction)}`);
  return varianceOp([tensor], { ...attrsOf('variance', tensor, options), correction });
}

/** The standard deviation: the square root of the variance. */
export function std(x: TensorBase, options: VarianceOptions = {}): Tensor {
  return labelled('std', () => sqrt(variance(x, options)));
}

// ---- over bools

/** Whether any element over the dims is not 0. */
export function any(x: TensorBase, options: ReduceOptions = {}): Tensor {
  return labelled('any', () => ne(sum(asBool(x), options), 0));
}

/** Whether all elements over the dims are not 0. */
export function all(x: TensorBase, options: ReduceOptions = {}): Tensor {
  return labelled('all', () => eq(sum(logicalNot(asBool(x)), options), 0));
}

const asBool = (x: TensorBase): Tensor => cast(x, 'bool');
