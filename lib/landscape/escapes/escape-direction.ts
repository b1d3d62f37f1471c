import { ValueError } from '../../errors';
import type { AbortOptions } from '../../graph/abort';
import type { Completion } from '../../graph/completion';
import { noGrad } from '../../graph/modes';
import { mul } from '../../ops/elementwise';
import type { Generator } from '../../ops/random';
import { checkNumber } from '../../optim/options';
import type { Tensor, Variable } from '../../tensor/tensor';
import type { Loss } from '../curvature';
import { lossAt } from '../record-at';
import { hessianSpectrum, type SpectrumProgress } from '../spectrum';

export interface EscapeDirectionOptions extends AbortOptions {
  /** The first distance that the line search tries, over all parameters together. Default: 0.01. */
  readonly initialStep?: number;
  /** The largest. Default: 10. */
  readonly maxStep?: number;
  readonly maxProducts?: number;
  readonly tolerance?: number;
  readonly generator?: Generator;
  readonly onProgress?: (progress: SpectrumProgress) => void;
}

export interface EscapeDirection {
  /** The smallest eigenvalue of the Hessian. */
  readonly eigenvalue: number;
  /** Its unit vector, one tensor for each parameter, pointing to where the loss falls. */
  readonly direction: readonly Tensor[];
  /** How far to go: 0 where the loss curves up everywhere, or no lower one was found. */
  readonly step: number;
  readonly lossBefore: number;
  readonly lossAfter: number;
}

/** Halvings of the first step at most. */
const HALVINGS = 12;

/**
 * The direction of the most negative curvature, by Lanczos, and how far to follow it: a line search that doubles the step
 * while the loss falls. The parameters stay where they are. Throws as `hessianSpectrum` does.
 *
 *     const { direction, step } = await escapeDirection(loss, params);
 *     params.forEach((p, i) => p.assign(p.add(direction[i].mul(step))));
 */
export async function escapeDirection(
  loss: Loss,
  params: Iterable<Variable>,
  options: EscapeDirectionOptions = {},
): Promise<EscapeDirection> {
  const { initialStep = 0.01, maxStep = 10 } = options;
  checkNumber('escapeDirection', 'initialStep', initialStep, Number.MIN_VALUE);
  if (!(maxStep >= initialStep))
    throw new ValueError(`escapeDirection: maxStep is at least initialStep, got ${maxStep}`);
  const given = [...params];
  const { smallest, bound } = await hessianSpectrum(loss, given, { ...options, k: 0, smallest: 1 });
  const [{ value: eigenvalue, vector }] = smallest as [(typeof smallest)[0]];
  const { signal } = options;
  const here = given.map((parameter) => parameter.capture());
  const at = (step: number): Completion<number> => lossAt(loss, given, here, vector, step, { signal });
  const lossBefore = await at(0);
  // What rounding may have made negative leads nowhere.
  if (eigenvalue >= -bound) return { eigenvalue, direction: vector, step: 0, lossBefore, lossAfter: lossBefore };
  let step = initialStep;
  let best = { step: 0, loss: lossBefore };
  for (let halvings = 0; halvings <= HALVINGS && best.step === 0; halvings++, step /= 2)
    for (const signed of [step, -step]) {
      const value = await at(signed);
      // Armijo's condition for ½ λ t², the fall that the curvature promises.
      const promised = 0.5 * eigenvalue * signed ** 2;
      if (value < best.loss && value <= lossBefore + 0.1 * promised) best = { step: signed, loss: value };
    }
  while (best.step !== 0 && 2 * Math.abs(best.step) <= maxStep) {
    const value = await at(2 * best.step);
    if (!(value < best.loss)) break;
    best = { step: 2 * best.step, loss: value };
  }
  const direction = best.step < 0 ? noGrad(() => vector.map((part) => mul(part, -1))) : vector;
  return { eigenvalue, direction, step: Math.abs(best.step), lossBefore, lossAfter: best.loss };
}
