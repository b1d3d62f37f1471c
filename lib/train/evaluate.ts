import { DataLoader } from '../data/loader';
import type { Dataset } from '../data/dataset';
import { submit } from '../graph/evaluate';
import { noGrad } from '../graph/modes';
import { inEvaluationMode } from '../nn/evaluation-mode';
import { crossEntropy } from '../nn/losses/functional';
import type { Layer } from '../nn/module';
import { eq } from '../ops/elementwise';
import { argmax, sum } from '../ops/reduce';
import { readItem } from '../graph/reading';
import type { Tensor } from '../tensor/tensor';
import { Pipeline } from './pipeline';

export interface Evaluation {
  /** Share of the images whose class has the largest logit. */
  readonly accuracy: number;
  /** Mean cross-entropy. */
  readonly loss: number;
}

export interface EvaluateOptions {
  /** Which images; the dataset's test images where not given. */
  indices?: Int32Array;
  batchSize?: number;
}

/**
 * How well a classifier does, in evaluation mode and without gradients. The model's mode is as before afterwards.
 *
 *     const { accuracy } = await evaluateClassifier(model, loadDigits());
 */
export async function evaluateClassifier(
  model: Layer,
  dataset: Dataset,
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const { indices = dataset.test, batchSize = 256 } = options;
  const loader = new DataLoader(dataset, { indices, batchSize });
  const results: { correct: Tensor; loss: Tensor }[] = [];
  const pipeline = new Pipeline();
  for (const { images, labels } of loader) {
    const result = noGrad(() => {
      const logits = inEvaluationMode(model, () => model.forward(images));
      return {
        correct: sum(eq(argmax(logits, { dim: 1 }), labels)),
        loss: crossEntropy(logits, labels, { reduction: 'sum' }),
      };
    });
    results.push(result);
    await pipeline.push(submit([result.correct, result.loss]));
  }
  await pipeline.drain();
  let correct = 0;
  let loss = 0;
  for (const result of results) {
    correct += await readItem(result.correct);
    loss += await readItem(result.loss);
  }
  return { accuracy: correct / indices.length, loss: loss / indices.length };
}
