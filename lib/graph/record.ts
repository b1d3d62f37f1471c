import { isFloat } from '../tensor/dtype';
import { checkLimits } from '../tensor/shape';
import { Tensor } from '../tensor/tensor';
import { currentTrace } from '../tensor/tracing';
import { currentLabel, currentSite, isGradEnabled } from './modes';
import type { Op } from './op';

const NONE: readonly number[] = [];

/** Called with every recorded tensor: evaluate.ts evaluates at once (SADDLEPOINT_EAGER) or submits what grew too long. */
let onRecord: (tensor: Tensor) => void = () => undefined;

export function setOnRecord(f: (tensor: Tensor) => void): void {
  onRecord = f;
}

/** Takes operations in place of the graph: a formula's recorder. */
interface Recorder {
  record(op: Op, inputs: readonly Tensor[], attrs: unknown): Tensor;
}

let recorder: Recorder | null = null;

/** Runs `fn` with its operations going to a recorder; with null to the graph again. */
export function withRecorder<T>(other: Recorder | null, fn: () => T): T {
  const before = recorder;
  recorder = other;
  try {
    return fn();
  } finally {
    recorder = before;
  }
}

/** Records an operation: checks shapes and dtypes now, computes nothing. */
export function record(op: Op, inputs: readonly Tensor[], attrs: unknown): Tensor {
  if (recorder !== null) return recorder.record(op, inputs, attrs);
  const tensor = recordNode(op, inputs, attrs);
  const trace = currentTrace();
  if (trace === null) onRecord(tensor);
  else trace.recorded(tensor);
  return tensor;
}

export function recordNode(op: Op, inputs: readonly Tensor[], attrs: unknown): Tensor {
  const shape = op.shape(inputs, attrs);
  checkLimits(op.name, shape);
  const dtype = op.dtype === undefined ? inputs[0]!.dtype : op.dtype(inputs, attrs);
  const tensor = new Tensor(shape, dtype);
  tensor.op = op;
  tensor.inputs = inputs;
  tensor.attrs = attrs;
  tensor.attributes = op.attributes === undefined ? NONE : op.attributes(attrs, inputs);
  tensor.label = currentLabel() ?? op.name;
  if (op.checksData === true) tensor.site = currentSite(tensor.label);
  for (let i = 0; i < inputs.length; i++) {
    const input = inputs[i]!;
    if (input.pending && input.oldest < tensor.oldest) tensor.oldest = input.oldest;
  }
  if (op.vjp !== 'none' && isFloat(dtype) && isGradEnabled())
    for (let i = 0; i < inputs.length; i++)
      if (inputs[i]!.requiresGrad) {
        tensor.requiresGrad = true;
        break;
      }
  return tensor;
}
