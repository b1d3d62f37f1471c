import type { Slices } from '../graph/program/slices';

/** Eigenvalues in ascending order, and their unit vectors. */
export interface Eigen {
  readonly values: Float64Array;
  /** vectors[i] belongs to values[i]. */
  readonly vectors: readonly Float64Array[];
}

const MAX_SWEEPS = 60;

/**
 * All eigenvalues and vectors of a symmetric matrix [n, n], row by row, in float64: Householder's reduction to tridiagonal
 * form, then implicit QL steps with Wilkinson's shift (Golub and Van Loan, "Matrix Computations", 8.3). Errors are a small
 * multiple of the machine epsilon times the largest |eigenvalue|. The matrix must be finite. Yields now and then.
 */
export function* symmetricEigen(matrix: Float64Array, n: number): Slices<Eigen> {
  // Elements are at most 1, so that no square overflows and what underflows is below rounding.
  const scale = matrix.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0) || 1;
  const { diagonal, off, basis } = yield* tridiagonalize(
    matrix.map((value) => value / scale),
    n,
  );
  yield* diagonalize(diagonal, off, basis, n);
  const order = Array.from({ length: n }, (_, i) => i).sort((a, b) => diagonal[a]! - diagonal[b]!);
  return {
    values: Float64Array.from(order, (i) => diagonal[i]! * scale),
    vectors: order.map((i) => basis.slice(i * n, (i + 1) * n)),
  };
}

/** a = Q T Qᵀ with a tridiagonal T; row i of `basis` is column i of Q. `off[i]` stands between i and i + 1. */
function* tridiagonalize(a: Float64Array, n: number) {
  const basis = new Float64Array(n * n);
  for (let i = 0; i < n; i++) basis[i * n + i] = 1;
  const v = new Float64Array(n);
  const p = new Float64Array(n);
  const q = new Float64Array(n);
  for (let k = 0; k + 2 < n; k++) {
    yield;
    // The reflection I - 2vvᵀ that clears column k below its first subdiagonal element.
    let largest = 0;
    for (let i = k + 1; i < n; i++) largest = Math.max(largest, Math.abs(a[i * n + k]!));
    if (largest === 0) continue;
    let square = 0;
    for (let i = k + 1; i < n; i++) square += (v[i] = a[i * n + k]! / largest) ** 2;
    const first = v[k + 1]!;
    const alpha = first > 0 ? -Math.sqrt(square) : Math.sqrt(square);
    v[k + 1] = first - alpha;
    const norm = Math.sqrt(square - first * first + v[k + 1]! ** 2);
    if (norm === 0) continue;
    for (let i = k + 1; i < n; i++) v[i]! /= norm;
    // a <- a - 2vwᵀ - 2wvᵀ with w = av - (vᵀav)v.
    let dot = 0;
    for (let i = k + 1; i < n; i++) {
      let sum = 0;
      for (let j = k + 1; j < n; j++) sum += a[i * n + j]! * v[j]!;
      p[i] = sum;
      dot += sum * v[i]!;
    }
    for (let i = k + 1; i < n; i++) q[i] = p[i]! - dot * v[i]!;
    for (let i = k + 1; i < n; i++)
      for (let j = k + 1; j < n; j++) a[i * n + j]! -= 2 * (v[i]! * q[j]! + q[i]! * v[j]!);
    a[(k + 1) * n + k] = a[k * n + k + 1] = alpha * largest;
    for (let i = k + 2; i < n; i++) a[i * n + k] = a[k * n + i] = 0;
    // Q <- Q (I - 2vvᵀ): its columns are the rows of `basis`.
    p.fill(0);
    for (let i = k + 1; i < n; i++) for (let j = 0; j < n; j++) p[j]! += v[i]! * basis[i * n + j]!;
    for (let i = k + 1; i < n; i++) for (let j = 0; j < n; j++) basis[i * n + j]! -= 2 * v[i]! * p[j]!;
  }
  const diagonal = Float64Array.from({ length: n }, (_, i) => a[i * n + i]!);
  const off = Float64Array.from({ length: n }, (_, i) => (i + 1 < n ? a[i * n + i + 1]! : 0));
  return { diagonal, off, basis };
}

/** Rotates a tridiagonal matrix until it is diagonal, in place, and the rows of `basis` with it. */
function* diagonalize(d: Float64Array, e: Float64Array, basis: Float64Array, n: number): Slices<void> {
  let end = n - 1;
  for (let sweeps = 0; end > 0;) {
    yield;
    if (isNegligible(d, e, end - 1)) {
      e[end - 1] = 0;
      end--;
      sweeps = 0;
      continue;
    }
    if (++sweeps > MAX_SWEEPS) throw new RangeError('symmetricEigen: the matrix is not finite');
    let start = end - 1;
    while (start > 0 && !isNegligible(d, e, start - 1)) start--;
    implicitStep(d, e, basis, n, start, end);
  }
}

/** Beside its neighbours on the diagonal, or, where these are zero, beside the whole matrix, whose elements are at most 1. */
function isNegligible(d: Float64Array, e: Float64Array, i: number): boolean {
  const size = Math.abs(e[i]!);
  return size <= Number.EPSILON * (Math.abs(d[i]!) + Math.abs(d[i + 1]!)) || size <= 2 ** -62;
}

/** One implicit QR step with Wilkinson's shift on the rows start to end: a bulge is chased from the top to the bottom. */
function implicitStep(
  d: Float64Array,
  e: Float64Array,
  basis: Float64Array,
  n: number,
  start: number,
  end: number,
): void {
  const half = (d[end - 1]! - d[end]!) / 2;
  const last = e[end - 1]!;
  const shift = d[end]! - (last / (half + (half < 0 ? -1 : 1) * Math.hypot(half, last))) * last;
  let x = d[start]! - shift;
  let z = e[start]!;
  for (let k = start; k < end; k++) {
    const r = Math.hypot(x, z);
    const [c, s] = r === 0 ? [1, 0] : [x / r, z / r];
    if (k > start) e[k - 1] = r;
    const [a, b, off] = [d[k]!, d[k + 1]!, e[k]!];
    d[k] = c * c * a + 2 * c * s * off + s * s * b;
    d[k + 1] = s * s * a - 2 * c * s * off + c * c * b;
    e[k] = c * s * (b - a) + (c * c - s * s) * off;
    if (k + 1 < end) {
      x = e[k]!;
      z = s * e[k + 1]!;
      e[k + 1]! *= c;
    }
    const [i, j] = [k * n, (k + 1) * n];
    for (let t = 0; t < n; t++) {
      const [u, w] = [basis[i + t]!, basis[j + t]!];
      basis[i + t] = c * u + s * w;
      basis[j + t] = c * w - s * u;
    }
  }
}
