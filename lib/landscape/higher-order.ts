import { signalOf, type AbortOptions } from '../graph/abort';
import type { Completion } from '../graph/completion';
import { submit } from '../graph/evaluate';
import { noGrad } from '../graph/modes';
import { add, div, mul } from '../ops/elementwise';
import { Generator, randn } from '../ops/random';
import { normOf } from '../optim/clip';
import { epsilonOf } from '../tensor/dtype';
import type { Tensor } from '../tensor/tensor';
import type { Loss } from './curvature';
import type { ParameterVector } from './parameters';
import { lossAt } from './record-at';

/** Nearest first: the least distance at which a change shows tells what the lowest order does. */
const DISTANCES = Array.from({ length: 11 }, (_, i) => 2 ** (i - 10));
/** Rounding errors of the loss, in units of epsilon. */
const LOSS_ERROR = 64;

export interface SampleOptions extends AbortOptions {
  readonly samples: number;
  readonly gradientNorm: number;
  /** The curvature that cannot be told from none. */
  readonly tolerance: number;
  readonly generator?: Generator;
}

export interface Samples {
  /** The rise and the fall that were seen, 0 for none. */
  readonly rise: number;
  readonly fall: number;
  /** The largest distance of the two. */
  readonly distance: number;
}

/**
 * Leaves a point along random unit vectors of the span of `directions`, both ways, until the loss has been seen to rise and to
 * fall by more than its gradient and rounding explain.
 */
export async function sampleAlong(
  loss: Loss,
  vector: ParameterVector,
  directions: readonly (readonly Tensor[])[],
  options: SampleOptions,
): Promise<Samples> {
  const { samples, gradientNorm, tolerance, generator = new Generator(0) } = options;
  const signal = signalOf('classifyCriticalPoint', options) ?? undefined;
  const { params, dtype } = vector;
  const here = params.map((parameter) => parameter.capture());
  const at = (direction: readonly Tensor[], distance: number): Completion<number> =>
    lossAt(loss, params, here, direction, distance, { signal });
  const start = await at(here, 0);
  let [rise, fall, distance] = [0, 0, 0];
  for (let sample = 0; sample < samples && directions.length > 0 && (rise === 0 || fall === 0); sample++) {
    const direction = await randomIn(directions, dtype, generator, signal);
    for (const sign of [1, -1])
      for (const length of DISTANCES) {
        const change = (await at(direction, sign * length)) - start;
        // A change that is not a number tells nothing.
        const explained =
          gradientNorm * length + tolerance * length ** 2 + LOSS_ERROR * epsilonOf(dtype) * Math.abs(start);
        if (!(Math.abs(change) > explained)) continue;
        if (change > 0) rise ||= change;
        else fall ||= -change;
        distance = Math.max(distance, length);
        break;
      }
  }
  return { rise, fall, distance };
}

/** A unit vector of the span, in a direction drawn uniformly. */
async function randomIn(
  directions: readonly (readonly Tensor[])[],
  dtype: Tensor['dtype'],
  generator: Generator,
  signal: SampleOptions['signal'],
): Promise<Tensor[]> {
  const direction = noGrad(() => {
    const weights = directions.map(() => randn([], { dtype, generator }));
    const mixed = directions[0]!.map((_, p) =>
      directions.map((vector, i) => mul(vector[p]!, weights[i]!)).reduce((a, b) => add(a, b)),
    );
    const length = normOf(mixed);
    return mixed.map((part) => div(part, length));
  });
  await submit(direction, { signal });
  return direction;
}
