import { ShapeError } from '../errors';
import { defineOp, type Apply } from '../graph/op';
import { checkInteger, formatShape, shapesEqual } from '../tensor/shape';
import type { Tensor, TensorBase } from '../tensor/tensor';
import { cast } from './cast';
import { ones } from './create';
import { add, div, eq, mul, ne, sub, where } from './elementwise';
import { gather, indexOf, oneHot } from './indexing';
import { asFloat, asTensor } from './operands';
import { logSumExp, sum } from './reduce';
import { reshape } from './shape';
import { softmax } from './softmax';

export interface SoftmaxCrossEntropyAttrs {
  /** Samples with this label give 0. */
  readonly ignoreIndex: number;
  /** Every loss is divided by the number of samples that count, so that their sum is the mean. */
  readonly mean: boolean;
}

const attributesOf = ({ ignoreIndex, mean }: SoftmaxCrossEntropyAttrs): number[] => [ignoreIndex, Number(mean)];

/** For each row of logits [N, C] and label: log Σ e^x - x[label], or 0. */
const lossOp: Apply<SoftmaxCrossEntropyAttrs> = defineOp('softmaxCrossEntropy', {
  shape: ([logits, labels]) => {
    checkShapes('softmaxCrossEntropy', logits!, labels!);
    return labels!.shape;
  },
  attributes: attributesOf,
  lower: { kernel: 'softmaxCrossEntropy' },
  checksData: true,
  vjp: (g, [logits, labels], _output, attrs) => [gradOp([withoutExpand(g), logits!, labels!], attrs), null],
  jvp: ([dx], [logits, labels], _output, attrs) => rowSum(mul(gradientOf(logits!, labels!, attrs), dx!)),
  decompose: ([logits, labels], attrs) => {
    const ignored = eq(labels!, attrs.ignoreIndex);
    const column = reshape(where(ignored, 0, labels!), [labels!.size, 1]);
    const losses = sub(logSumExp(logits!, { dim: 1 }), reshape(gather(logits!, 1, column), labels!.shape));
    const counted = where(ignored, 0, losses);
    return attrs.mean ? div(counted, countOf(logits!, labels!, attrs)) : counted;
  },
});

/**
 * g (softmax(logits) - onehot(labels)), row by row, 0 where ignored, divided as the losses are: [N, C]. g is [N], or [1] for
 * all rows.
 */
const gradOp: Apply<SoftmaxCrossEntropyAttrs> = defineOp('softmaxCrossEntropyGrad', {
  shape: ([g, logits, labels]) => {
    checkShapes('softmaxCrossEntropyGrad', logits!, labels!);
    if (g!.rank !== 1 || (g!.size !== 1 && g!.size !== labels!.size))
      throw new ShapeError(
        `softmaxCrossEntropyGrad: g is [1] or ${formatShape(labels!.shape)}, got ${formatShape(g!.shape)}`,
      );
    return logits!.shape;
  },
  dtype: ([, logits]) => logits!.dtype,
  attributes: attributesOf,
  lower: { kernel: 'softmaxCrossEntropyGrad' },
  checksData: true,
  vjp: (u, [g, logits, labels], _output, attrs) => {
    const rows = rowSum(mul(gradientOf(logits!, labels!, attrs), u));
    return [g!.size === 1 ? reshape(sum(rows), [1]) : rows, curvature(u, g!, logits!, labels!, attrs), null];
  },
  jvp: ([dg, dx], [g, logits, labels], _output, attrs) => {
    const first = dg && gradOp([dg, logits!, labels!], attrs);
    const second = dx && curvature(dx, g!, logits!, labels!, attrs);
    return first && second ? add(first, second) : (first ?? second)!;
  },
  decompose: ([g, logits, labels], attrs) => {
    const ignored = eq(labels!, attrs.ignoreIndex);
    const classes = oneHot(where(ignored, 0, labels!), logits!.shape[1]!, { dtype: logits!.dtype });
    return mul(sub(softmax(logits!, 1), classes), weightsOf(g!, logits!, labels!, attrs));
  },
});

const rowSum = (x: Tensor): Tensor => sum(x, { dim: 1 });

/** The gradient of every loss with respect to its own row. */
function gradientOf(logits: Tensor, labels: Tensor, attrs: SoftmaxCrossEntropyAttrs): Tensor {
  return gradOp([ones([1], { dtype: logits.dtype }), logits, labels], attrs);
}

/** The symmetric matrix of second derivatives times u, row by row: g p (u - Σ p u). */
function curvature(u: Tensor, g: Tensor, logits: Tensor, labels: Tensor, attrs: SoftmaxCrossEntropyAttrs): Tensor {
  const p = softmax(logits, 1);
  const centred = sub(u, sum(mul(p, u), { dim: 1, keepdim: true }));
  return mul(mul(p, centred), weightsOf(g, logits, labels, attrs));
}

/** What each row's share of the loss is multiplied by, [N, 1]. */
function weightsOf(g: Tensor, logits: Tensor, labels: Tensor, attrs: SoftmaxCrossEntropyAttrs): Tensor {
  const scaled = attrs.mean ? div(g, countOf(logits, labels, attrs)) : g;
  const weights = where(ne(labels, attrs.ignoreIndex), scaled, 0);
  return reshape(weights, [labels.size, 1]);
}

function countOf(logits: Tensor, labels: Tensor, { ignoreIndex }: SoftmaxCrossEntropyAttrs): Tensor {
  return sum(cast(ne(labels, ignoreIndex), logits.dtype));
}

/** The one number that a cotangent of a sum repeats. */
function withoutExpand(g: Tensor): Tensor {
  const source = g.op?.name === 'expand' ? g.inputs[0] : undefined;
  return source?.size === 1 && source.rank === 1 ? source : g;
}

function checkShapes(op: string, logits: Tensor, labels: Tensor): void {
  if (logits.rank !== 2 || logits.shape[1] === 0 || !shapesEqual(labels.shape, logits.shape.slice(0, 1)))
    throw new ShapeError(
      `${op}: takes logits [N, C] and labels [N], got ${formatShape(logits.shape)} and ${formatShape(labels.shape)}`,
    );
}

export interface SoftmaxCrossEntropyOptions {
  /** Samples with this label give 0; -100 where not given. */
  ignoreIndex?: number;
  /** Whether each loss is divided by the number of samples that count, so that their sum is the mean. */
  mean?: boolean;
}

function attrsOf(
  op: string,
  { ignoreIndex = -100, mean = false }: SoftmaxCrossEntropyOptions,
): SoftmaxCrossEntropyAttrs {
  checkInteger(op, 'ignoreIndex', ignoreIndex, -(2 ** 31));
  return { ignoreIndex, mean };
}

/**
 * The cross-entropy -log softmax(logits)[label] of each row, in one pass: logits [N, C] (float), labels [N] (integers);
 * gives [N]. Nothing overflows, whatever the logits. This is what `crossEntropy` of the losses is made of.
 * Throws ShapeError and DTypeError for what does not fit; a label that is no class is a ValueError when computed.
 * Formula: https://pytorch.org/docs/1.13/generated/torch.nn.CrossEntropyLoss.html
 *
 *     softmaxCrossEntropy(logits, labels); // as logSumExp(logits) - logits[label]
 *     sum(softmaxCrossEntropy(logits, labels, { mean: true }));
 */
export function softmaxCrossEntropy(
  logits: TensorBase,
  labels: TensorBase,
  options: SoftmaxCrossEntropyOptions = {},
): Tensor {
  const op = 'softmaxCrossEntropy';
  return lossOp([asFloat(op, logits), indexOf(op, labels)], attrsOf(op, options));
}

/**
 * g (softmax(logits) - onehot(label)), row by row: what a cotangent g ([N], or [1] for all rows) of `softmaxCrossEntropy` is to
 * its logits, [N, C]. Throws as that does.
 *
 *     softmaxCrossEntropyGrad(ones([1]), logits, labels);
 */
export function softmaxCrossEntropyGrad(
  g: TensorBase,
  logits: TensorBase,
  labels: TensorBase,
  options: SoftmaxCrossEntropyOptions = {},
): Tensor {
  const op = 'softmaxCrossEntropyGrad';
  const x = asFloat(op, logits);
  return gradOp([cast(asTensor(op, g), x.dtype), x, indexOf(op, labels)], attrsOf(op, options));
}
