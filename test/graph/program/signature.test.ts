import fc from 'fast-check';
import { Signature } from '../../../lib/graph/program/signature';

function signatureOf(values: readonly number[]): Signature {
  const signature = new Signature();
  signature.addAll(values);
  return signature;
}

const lists = fc.array(fc.oneof(fc.integer(), fc.double(), fc.constantFrom(0, -0, NaN, Infinity, -(2 ** 31), 2 ** 31)));

describe('Signature', () => {
  test('equal for the same numbers, bit for bit, and only for them', () => {
    fc.assert(
      fc.property(lists, lists, (a, b) => {
        const same = a.length === b.length && a.every((x, i) => Object.is(x, b[i]));
        expect(signatureOf(a).equals(signatureOf(b).copy())).toBe(same);
        expect(signatureOf(a).equals(signatureOf([...a]).copy())).toBe(true);
        expect(signatureOf(a).hash).toBe(signatureOf([...a]).hash);
      }),
    );
    expect(signatureOf([0]).equals(signatureOf([-0]).copy())).toBe(false);
    expect(signatureOf([NaN]).equals(signatureOf([NaN]).copy())).toBe(true);
  });

  test('grows, and a cleared one starts anew', () => {
    const long = Array.from({ length: 10_000 }, (_, i) => i / 2);
    const signature = signatureOf(long);
    expect(signature.equals(signatureOf(long).copy())).toBe(true);
    signature.clear();
    signature.add(7);
    expect(signature.copy()).toEqual(Int32Array.of(7));
  });
});
