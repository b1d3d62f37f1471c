import { ValueError } from '../errors';
import { signalOf, type AbortOptions } from '../graph/abort';
import { submit } from '../graph/evaluate';
import { noGrad } from '../graph/modes';
import { readItem } from '../graph/reading';
import { abs, add, div, gt, mul, where } from '../ops/elementwise';
import { max } from '../ops/reduce';
import { normOf } from '../optim/clip';
import { checkInteger } from '../tensor/shape';
import type { Tensor, Variable } from '../tensor/tensor';
import { Curvature, type Loss } from './curvature';
import { recordAt } from './record-at';

export interface SharpnessOptions extends AbortOptions {
  /** Of the ball, over all parameters together. Default: 0.05. */
  readonly radius?: number;
  /** Ascent steps. Default: 5; the first alone is what SAM takes. */
  readonly steps?: number;
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
}

export interface Sharpness {
  /** How far the loss rises within the ball: the highest that was found less the loss in the middle. */
  readonly sharpness: number;
  readonly loss: number;
  readonly highest: number;
}

/**
 * How sharp a minimum is: max of L(w + e) - L(w) over |e| at most the radius, by gradient ascent that ends on the sphere after
 * its first step (Foret et al., "Sharpness-Aware Minimization", 2021, equation 2) and goes on along it. A lower bound. Throws as
 * `hessianSpectrum` does.
 *
 *     const { sharpness } = await sharpness(loss, model.parameters(), { radius: 0.05 });
 */
export async function sharpness(
  loss: Loss,
  params: Iterable<Variable>,
  options: SharpnessOptions = {},
): Promise<Sharpness> {
  const op = 'sharpness';
  const curvature = new Curvature(op, loss, params);
  const { vector } = curvature;
  const { radius = 0.05, steps = 5 } = options;
  if (!(radius > 0) || !Number.isFinite(radius)) throw new ValueError(`${op}: radius is positive, got ${radius}`);
  checkInteger(op, 'steps', steps, 1);
  const signal = signalOf(op, options) ?? undefined;
  const here = noGrad(() => vector.flatten(vector.params));
  await submit([here], { signal });
  let offset: Tensor | null = null;
  let [start, highest] = [0, -Infinity];
  for (let step = 0; step <= steps; step++) {
    const point: Tensor[] = noGrad(() => vector.unflatten(offset === null ? here : add(here, offset)));
    const { loss: value, gradient } = recordAt(vector.params, point, () => curvature.gradient());
    const before: Tensor | null = offset;
    const next: Tensor = noGrad(() =>
      ofLength(before === null ? gradient : add(before, ofLength(gradient, radius)), radius),
    );
    await submit([value, next], { signal });
    const reached = await readItem(value);
    if (step === 0) start = reached;
    highest = Math.max(highest, reached);
    offset = next;
    options.onProgress?.({ done: step + 1, total: steps + 1 });
  }
  return { sharpness: highest - start, loss: start, highest };
}

/** In this direction; zero stays zero. Squares of tiny elements would vanish, so the largest is made 1 first. */
function ofLength(x: Tensor, length: number): Tensor {
  const largest = max(abs(x));
  const unit = where(gt(largest, 0), div(x, largest), x);
  const norm = normOf([unit]);
  return where(gt(norm, 0), mul(unit, div(length, norm)), unit);
}
