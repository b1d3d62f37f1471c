import { ShapeError } from '../errors';
import type { AbortSignalLike } from '../graph/abort';
import { noGrad } from '../graph/modes';
import { readData } from '../graph/reading';
import { inEvaluationMode } from '../nn/evaluation-mode';
import type { Layer } from '../nn/module';
import { slice } from '../ops/shape';
import { formatShape } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { accuracyOf, lossOf, meanLoss } from './baselines/losses';
import { samplesOf, toFloat64, type Samples } from './baselines/samples';
import type { BaselineData, BaselineLoss, Task } from './baselines/types';

const BATCH = 256;

/** What a predictor does on data. */
export interface Measured {
  /** In the loss of the task; null for a machine whose scores mean something else. */
  readonly loss: number | null;
  /** Null for regression. */
  readonly accuracy: number | null;
}

/** The model's values or logits for x, in evaluation mode; every module is in its mode again afterwards. */
export async function predictionsOf(model: Layer, x: Tensor, signal?: AbortSignalLike): Promise<Float64Array> {
  const parts: Float64Array[] = [];
  const outside = x.shape.slice(1).map((dim): [number, number] => [0, dim]);
  for (let start = 0; start < x.shape[0]!; start += BATCH) {
    const batch = noGrad(() => slice(x, [[start, Math.min(start + BATCH, x.shape[0]!)], ...outside]));
    const output = noGrad(() => inEvaluationMode(model, () => model.forward(batch)));
    parts.push(toFloat64(await readData(output, { signal })));
  }
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** Data as they are measured: read once. */
export interface MeasuredData extends BaselineData {
  readonly samples: Samples;
}

export async function readSamples(op: string, data: BaselineData, task: Task, classes?: number): Promise<MeasuredData> {
  return { ...data, samples: await samplesOf(op, data, task, classes === undefined ? {} : { classes }) };
}

export async function measureModel(
  model: Layer,
  data: MeasuredData,
  signal?: AbortSignalLike,
): Promise<Measured & { readonly loss: number }> {
  const predictions = await predictionsOf(model, data.x, signal);
  return {
    loss: meanLoss(predictions, data.samples, lossOf(data.samples)),
    accuracy: accuracyOf(predictions, data.samples),
  };
}

/** Throws ShapeError unless there are as many predictions as the task has. */
export function checkPredictions(op: string, model: Layer, { x, samples }: MeasuredData): void {
  const { count, outputs } = samples;
  const { size } = noGrad(() => inEvaluationMode(model, () => model.forward(x)));
  if (size !== count * outputs)
    throw new ShapeError(
      `${op}: the model gives ${size} numbers for ${count} samples; the task needs ${formatShape([count, outputs])}`,
    );
}

/** Predictions that were made to minimise `loss`. */
export function measured(predictions: Float64Array, { samples }: MeasuredData, loss: BaselineLoss): Measured {
  return {
    loss: loss === 'hinge' ? null : meanLoss(predictions, samples, loss),
    accuracy: accuracyOf(predictions, samples),
  };
}
