/** One dim that gets another size. */
export interface Axis {
  readonly from: number;
  readonly to: number;
  /** The distance of two outputs, measured in inputs. */
  readonly step: number;
}

/** Where output i takes its number from. In float32, as PyTorch does: elsewhere rounding would pick another one. */
export function nearestIndices({ from, to, step }: Axis, isExact: boolean): Int32Array {
  const pace = Math.fround(step);
  return Int32Array.from({ length: to }, (_, i) => {
    const position = Math.fround((isExact ? i + 0.5 : i) * pace);
    return Math.min(Math.floor(position), from - 1);
  });
}

/** The distance of two outputs in inputs. */
function paceOf({ from, to, step }: Axis, alignCorners: boolean): number {
  if (!alignCorners) return step;
  return to > 1 ? (from - 1) / (to - 1) : 0;
}

/** Where the center of output i is, in inputs. */
const position = (axis: Axis, alignCorners: boolean, i: number): number => {
  const pace = paceOf(axis, alignCorners);
  return alignCorners ? i * pace : (i + 0.5) * pace - 0.5;
};

/** The matrix [from, to] whose column i holds the weights of output i: of both neighbours. */
export function linearWeights(axis: Axis, alignCorners: boolean): Float64Array {
  return matrixOf(axis, (i, put) => {
    const at = Math.max(0, position(axis, alignCorners, i));
    const first = Math.min(Math.floor(at), axis.from - 1);
    const share = Math.min(Math.max(at - first, 0), 1);
    put(first, 1 - share);
    put(first + 1, share);
  });
}

/** Keys' cubic convolution at distance t. */
function cubic(t: number, a: number): number {
  const d = Math.abs(t);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  if (d < 2) return ((d - 5) * d + 8) * d * a - 4 * a;
  return 0;
}

/** The same of four neighbours; those outside are the outermost. */
export function cubicWeights(axis: Axis, alignCorners: boolean): Float64Array {
  return matrixOf(axis, (i, put) => {
    const at = position(axis, alignCorners, i);
    const first = Math.floor(at);
    for (let j = first - 1; j <= first + 2; j++) put(j, cubic(j - at, -0.75));
  });
}

/** The same with a filter that is as wide as the distance of outputs, so that nothing is skipped: antialiasing. */
export function smoothWeights(axis: Axis, alignCorners: boolean, isCubic: boolean): Float64Array {
  const pace = paceOf(axis, alignCorners);
  const width = Math.max(pace, 1);
  const support = (isCubic ? 2 : 1) * width;
  const filter = (t: number): number => (isCubic ? cubic(t, -0.5) : Math.max(0, 1 - Math.abs(t)));
  return matrixOf(axis, (i, put) => {
    const center = pace * (i + 0.5);
    const start = Math.max(Math.trunc(center - support + 0.5), 0);
    const end = Math.min(Math.trunc(center + support + 0.5), axis.from);
    const weights = Array.from({ length: end - start }, (_, j) => filter((j + start - center + 0.5) / width));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    weights.forEach((weight, j) => put(start + j, total === 0 ? weight : weight / total));
  });
}

type Put = (input: number, weight: number) => void;

function matrixOf({ from, to }: Axis, fill: (i: number, put: Put) => void): Float64Array {
  const matrix = new Float64Array(from * to);
  for (let i = 0; i < to; i++)
    fill(i, (input, weight) => (matrix[Math.min(Math.max(input, 0), from - 1) * to + i]! += weight));
  return matrix;
}
