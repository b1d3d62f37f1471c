import { ValueError } from '../errors';
import { classifyCriticalPoint, type CriticalPointKind } from '../landscape';
import { evaluationMode } from '../nn/evaluation-mode';
import type { Tensor } from '../tensor/tensor';
import { lossFor } from './baselines/losses';
import type { Examination } from './examination';

/** Hessian-vector products for the extreme eigenvalues. */
const PRODUCTS = 40;

/** Where training has come to on the loss surface of one batch. */
export interface Standing {
  readonly kind: CriticalPointKind;
  readonly gradientNorm: number;
  readonly largestCurvature: number;
  readonly smallestCurvature: number;
  readonly explanation: string;
}

class OutOfTime extends Error {}

/** The kind of point at which the model stands; null without time for it, or where second derivatives are not finite. */
export async function standingOf(
  examination: Examination,
  { x, y }: { readonly x: Tensor; readonly y: Tensor },
): Promise<Standing | null> {
  const { model, task, signal } = examination;
  const onProgress = (): void => {
    if (examination.left(1) <= 0) throw new OutOfTime();
  };
  const loss = (): Tensor => lossFor(task)(model.forward(x), y);
  const params = [...model.parameters()].filter(({ requiresGrad }) => requiresGrad);
  examination.tell('looking at the loss surface');
  const restore = evaluationMode(model);
  try {
    onProgress();
    const options = { samples: 0, maxProducts: PRODUCTS, signal, onProgress };
    const { kind, gradientNorm, eigenvalues, explanation } = await classifyCriticalPoint(loss, params, options);
    const [smallestCurvature, largestCurvature] = [eigenvalues[0]!, eigenvalues.at(-1)!];
    return { kind, gradientNorm, smallestCurvature, largestCurvature, explanation };
  } catch (error) {
    if (error instanceof OutOfTime || error instanceof ValueError) return null;
    throw error;
  } finally {
    restore();
  }
}
