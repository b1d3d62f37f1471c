import type { Tensor } from '../tensor/tensor';
import type { Evaluations } from './evaluations';

/** The loss somewhere, its gradient, and the largest element of that. */
export interface Point {
  readonly loss: number;
  readonly gradient: Tensor;
  readonly largest: number;
}

/** One on the line: how far along it is, and the gradient's component along the line. */
export interface LinePoint extends Point {
  readonly t: number;
  readonly slope: number;
}

export interface LineSearch {
  /** The point at t. */
  readonly evaluate: (t: number) => Evaluations<LinePoint>;
  /** Where the line starts, at t = 0. */
  readonly start: LinePoint;
  /** The first t to try. */
  readonly first: number;
  /** The largest element of the direction: what t moves by. */
  readonly reach: number;
  /** A bracket that moves less than this ends the search. */
  readonly toleranceChange: number;
}

const SUFFICIENT_DECREASE = 1e-4;
const CURVATURE = 0.9;
const MAX_STEPS = 25;

/**
 * A point that satisfies the strong Wolfe conditions, or the best one found (Nocedal and Wright, algorithms 3.5 and 3.6, with
 * the safeguards of PyTorch's LBFGS): with φ(t) the loss along the line,
 *
 *     φ(t) ≤ φ(0) + 10⁻⁴ t φ'(0)      and      |φ'(t)| ≤ 0.9 |φ'(0)|
 */
export function* strongWolfe(search: LineSearch): Evaluations<LinePoint> {
  const { evaluate, start, first, reach, toleranceChange } = search;
  const tooHigh = ({ t, loss }: LinePoint): boolean => loss > start.loss + SUFFICIENT_DECREASE * t * start.slope;
  const isFlat = ({ slope }: LinePoint): boolean => Math.abs(slope) <= -CURVATURE * start.slope;
  let steps = 0;

  // First go on until a minimum must lie behind.
  let bracket: [LinePoint, LinePoint] | null = null;
  let previous = start;
  let point = yield* evaluate(first);
  for (; steps < MAX_STEPS && bracket === null;) {
    if (tooHigh(point) || (steps > 1 && point.loss >= previous.loss)) bracket = [previous, point];
    else if (isFlat(point)) return point;
    else if (point.slope >= 0) bracket = [previous, point];
    else {
      const next = cubicMinimum(previous, point, point.t + 0.01 * (point.t - previous.t), point.t * 10);
      previous = point;
      point = yield* evaluate(next);
      steps++;
    }
  }
  bracket ??= [start, point];

  // Then narrow the bracket.
  let low = bracket[0].loss <= bracket[1].loss ? 0 : 1;
  let wasNearEnd = false;
  while (steps < MAX_STEPS && Math.abs(bracket[1].t - bracket[0].t) * reach >= toleranceChange) {
    const left = Math.min(bracket[0].t, bracket[1].t);
    const right = Math.max(bracket[0].t, bracket[1].t);
    let t = cubicMinimum(bracket[0], bracket[1], left, right);
    const margin = 0.1 * (right - left);
    const isNearEnd = Math.min(right - t, t - left) < margin;
    const isStuck: boolean = isNearEnd && (wasNearEnd || t >= right || t <= left);
    if (isStuck) t = Math.abs(t - right) < Math.abs(t - left) ? right - margin : left + margin;
    wasNearEnd = isNearEnd && !isStuck;

    point = yield* evaluate(t);
    steps++;
    const high = 1 - low;
    if (tooHigh(point) || point.loss >= bracket[low]!.loss) {
      bracket[high] = point;
      low = bracket[0].loss <= bracket[1].loss ? 0 : 1;
    } else {
      if (isFlat(point)) return point;
      if (point.slope * (bracket[high]!.t - bracket[low]!.t) >= 0) bracket[high] = bracket[low]!;
      bracket[low] = point;
    }
  }
  return bracket[low]!;
}

/** Where the cubic through both points, with their slopes, is least, within bounds; the middle where it has no minimum. */
function cubicMinimum(a: LinePoint, b: LinePoint, least: number, most: number): number {
  const [left, right] = a.t <= b.t ? [a, b] : [b, a];
  const d1 = a.slope + b.slope - (3 * (a.loss - b.loss)) / (a.t - b.t);
  const square = d1 * d1 - a.slope * b.slope;
  if (!(square >= 0)) return (least + most) / 2;
  const d2 = Math.sqrt(square);
  const minimum = right.t - (right.t - left.t) * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2));
  return Math.min(Math.max(minimum, least), most);
}
