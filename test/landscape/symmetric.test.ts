import fc from 'fast-check';
import { runSlices } from '../../lib/graph/program/slices';
import { symmetricEigen } from '../../lib/landscape/symmetric';

/** The largest element of A - V Λ Vᵀ and of VᵀV - 1. */
function defects(a: Float64Array, n: number): { residual: number; orthogonality: number; norm: number } {
  const { values, vectors } = runSlices(symmetricEigen(a, n));
  let [residual, orthogonality, norm] = [0, 0, 0];
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      let [product, dot] = [0, 0];
      for (let k = 0; k < n; k++) {
        product += values[k]! * vectors[k]![i]! * vectors[k]![j]!;
        dot += vectors[i]![k]! * vectors[j]![k]!;
      }
      residual = Math.max(residual, Math.abs(product - a[i * n + j]!));
      orthogonality = Math.max(orthogonality, Math.abs(dot - (i === j ? 1 : 0)));
      norm = Math.max(norm, Math.abs(a[i * n + j]!));
    }
  expect([...values]).toEqual([...values].sort((x, y) => x - y));
  return { residual, orthogonality, norm };
}

function symmetric(entries: readonly number[], n: number): Float64Array {
  const a = new Float64Array(n * n);
  for (let i = 0, next = 0; i < n; i++) for (let j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = entries[next++]!;
  return a;
}

test('eigenvalues of the second difference are 2 - 2 cos(k pi / (n + 1))', () => {
  const n = 40;
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    a[i * n + i] = 2;
    if (i > 0) a[i * n + i - 1] = a[(i - 1) * n + i] = -1;
  }
  const { values } = runSlices(symmetricEigen(a, n));
  for (let k = 1; k <= n; k++)
    expect(Math.abs(values[k - 1]! - (2 - 2 * Math.cos((k * Math.PI) / (n + 1))))).toBeLessThan(n * 4 * Number.EPSILON);
});

test('known small matrices, repeated values and rows of zeros', () => {
  expect(
    [...runSlices(symmetricEigen(new Float64Array([2, 1, 1, 2]), 2)).values].map((x) => Math.round(x * 1e12) / 1e12),
  ).toEqual([1, 3]);
  expect([...runSlices(symmetricEigen(new Float64Array(9), 3)).values]).toEqual([0, 0, 0]);
  expect([...runSlices(symmetricEigen(new Float64Array([5]), 1)).values]).toEqual([5]);
  expect([...runSlices(symmetricEigen(new Float64Array(0), 0)).values]).toEqual([]);
  const identity = new Float64Array(25);
  for (let i = 0; i < 5; i++) identity[i * 6] = 1;
  expect([...runSlices(symmetricEigen(identity, 5)).values]).toEqual([1, 1, 1, 1, 1]);
});

test('any symmetric matrix is put together again by its eigenvectors', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 24 }).chain((n) =>
        fc.tuple(
          fc.constant(n),
          fc.array(fc.oneof(fc.double({ min: -1e3, max: 1e3, noNaN: true }), fc.constant(0)), {
            minLength: (n * (n + 1)) / 2,
            maxLength: (n * (n + 1)) / 2,
          }),
          fc.constantFrom(1e-200, 1, 1e150),
        ),
      ),
      ([n, entries, scale]) => {
        const { residual, orthogonality, norm } = defects(
          symmetric(
            entries.map((x) => x * scale),
            n,
          ),
          n,
        );
        // Backward errors of orthogonal similarity: a small multiple of n eps |A|.
        expect(residual).toBeLessThanOrEqual(40 * n * Number.EPSILON * norm * n + 1e-300);
        expect(orthogonality).toBeLessThanOrEqual(40 * n * Number.EPSILON);
      },
    ),
  );
});
