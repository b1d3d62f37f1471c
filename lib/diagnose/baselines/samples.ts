import { DTypeError, ShapeError, ValueError } from '../../errors';
import { abortErrorOf, signalOf } from '../../graph/abort';
import { readData } from '../../graph/reading';
import { checkNames, checkChoice } from '../../optim/options';
import { isFloat, type TypedArray } from '../../tensor/dtype';
import { checkInteger, formatShape } from '../../tensor/shape';
import { Tensor } from '../../tensor/tensor';
import { standardise, type Scaling } from './standardise';
import type { BaselineData, BaselineOptions, Task } from './types';

/** Training data as the solvers want it: checked, in float64, with standardised features. */
export interface Samples {
  readonly task: Task;
  readonly count: number;
  readonly features: number;
  /** Columns of scores: targets, labels or classes. */
  readonly outputs: number;
  /** [count, features], standardised. */
  readonly x: Float64Array;
  /** For multiclass, the label of each sample; else [count, outputs]. */
  readonly y: Float64Array;
  readonly scaling: Scaling;
  /** Scores have one dim, as y. */
  readonly flat: boolean;
}

const tasks: readonly Task[] = ['regression', 'binary', 'multiclass', 'multilabel'];

/** Checks everything about a fit that does not depend on numbers, and then the numbers. */
export async function samplesOf(
  op: string,
  data: BaselineData,
  task: Task,
  options: BaselineOptions,
  names: object = {},
): Promise<Samples> {
  checkNames(op, options, { signal: 0, onProgress: 0, classes: 0, ...names });
  checkChoice(op, 'task', task, tasks);
  const signal = signalOf(op, options);
  if (options.onProgress !== undefined && typeof options.onProgress !== 'function')
    throw new ValueError(`${op}: onProgress is a function, got ${typeof options.onProgress}`);
  if (options.classes !== undefined) {
    if (task !== 'multiclass') throw new ValueError(`${op}: classes is an option of multiclass, got task ${task}`);
    checkInteger(op, 'classes', options.classes, 2);
  }
  const { x, y } = checkTensors(op, data, task);
  if (signal?.aborted === true) throw abortErrorOf(signal);
  const values = toFloat64(await readData(x));
  const targets = toFloat64(await readData(y));
  const count = x.shape[0]!;
  const features = values.length / count;
  checkFinite(op, 'x', values);
  checkFinite(op, 'y', targets);
  if (task === 'binary' || task === 'multilabel') checkZeroOrOne(op, targets, task);
  const classes = task === 'multiclass' ? classesOf(op, targets, options.classes) : targets.length / count;
  const scaling = standardise(values, count, features);
  return {
    task,
    count,
    features,
    outputs: classes,
    x: values,
    y: targets,
    scaling,
    flat: task !== 'multiclass' && y.shape.length === 1,
  };
}

export function toFloat64(values: TypedArray): Float64Array {
  return values instanceof BigInt64Array ? Float64Array.from(values, Number) : new Float64Array(values);
}

function checkTensors(op: string, data: BaselineData, task: Task): BaselineData {
  const { x, y } = data ?? {};
  if (!(x instanceof Tensor) || !(y instanceof Tensor))
    throw new ValueError(
      `${op}: the data are { x, y }, two tensors, got ${x instanceof Tensor ? 'another y' : 'another x'}`,
    );
  if (x.shape.length < 2 || x.shape.includes(0))
    throw new ShapeError(`${op}: x is [n, features] with at least one of each, got ${formatShape(x.shape)}`);
  const ranks = { regression: [1, 2], binary: [1, 2], multiclass: [1], multilabel: [2] }[task];
  const fits = ranks.includes(y.shape.length) && y.shape[0] === x.shape[0] && !y.shape.includes(0);
  if (!fits || (task === 'binary' && y.shape.length === 2 && y.shape[1] !== 1)) {
    const possible = { regression: '[n] or [n, m]', binary: '[n] or [n, 1]', multiclass: '[n]', multilabel: '[n, k]' }[
      task
    ];
    throw new ShapeError(
      `${op}: y is ${possible} for ${task}, with the n of x, got ${formatShape(y.shape)} for x ${formatShape(x.shape)}`,
    );
  }
  if (task === 'regression' && !isFloat(y.dtype))
    throw new DTypeError(`${op}: targets of a regression are float32 or float64, got ${y.dtype}; cast them`);
  if (task === 'multiclass' && (isFloat(y.dtype) || y.dtype === 'bool'))
    throw new DTypeError(`${op}: labels are int32 or int64, got ${y.dtype}`);
  return { x, y };
}

function checkFinite(op: string, name: string, values: Float64Array): void {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at >= 0) throw new ValueError(`${op}: ${name} holds finite numbers, got ${values[at]} as element ${at}`);
}

function checkZeroOrOne(op: string, values: Float64Array, task: Task): void {
  const at = values.findIndex((value) => value !== 0 && value !== 1);
  if (at >= 0) throw new ValueError(`${op}: y is 0 or 1 for ${task}, got ${values[at]} as element ${at}`);
}

function classesOf(op: string, labels: Float64Array, given: number | undefined): number {
  const least = labels.reduce((a, b) => Math.min(a, b), Infinity);
  const most = labels.reduce((a, b) => Math.max(a, b), -Infinity);
  if (least < 0) throw new ValueError(`${op}: labels are at least 0, got ${least}`);
  if (given !== undefined && most >= given)
    throw new ValueError(`${op}: labels are below classes = ${given}, got ${most}`);
  return given ?? Math.max(2, most + 1);
}
