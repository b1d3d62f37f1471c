import fc from 'fast-check';
import { stratifiedSplit } from '../../lib/data/split';
import { ValueError } from '../../lib/errors';

const labelLists = fc.array(fc.nat(6), { minLength: 1, maxLength: 300 }).map((list) => Int32Array.from(list));
const fractions = fc.double({ min: 0.01, max: 0.99, noNaN: true });

test('every example is on one side, and each class gives its share to within one', () => {
  fc.assert(
    fc.property(labelLists, fractions, fc.nat(), (labels, fraction, seed) => {
      const { train, test } = stratifiedSplit(labels, fraction, seed);
      expect([...train, ...test].sort((a, b) => a - b)).toEqual([...labels.keys()]);
      expect([...test]).toEqual([...test].sort((a, b) => a - b));
      expect(test).toHaveLength(Math.round(labels.length * fraction));
      for (const label of new Set(labels)) {
        const all = labels.filter((other) => other === label).length;
        const heldOut = test.filter((index) => labels[index] === label).length;
        expect(Math.abs(heldOut - all * fraction)).toBeLessThanOrEqual(1 + 1e-9);
      }
    }),
  );
});

test('the seed alone decides', () => {
  const labels = Int32Array.from({ length: 100 }, (_, i) => i % 4);
  expect(stratifiedSplit(labels, 0.2, 7)).toEqual(stratifiedSplit(labels, 0.2, 7));
  expect(stratifiedSplit(labels, 0.2, 7)).not.toEqual(stratifiedSplit(labels, 0.2, 8));
});

test('an index is held out as often as any other', () => {
  const labels = new Int32Array(10);
  const counts = new Array<number>(10).fill(0);
  for (let seed = 0; seed < 2000; seed++) for (const index of stratifiedSplit(labels, 0.3, seed).test) counts[index]!++;
  // Binomial(2000, 0.3): mean 600, standard deviation 20.5; five of them.
  for (const count of counts) expect(Math.abs(count - 600)).toBeLessThan(103);
});

test.each([
  [0, 1],
  [1, 1],
  [NaN, 1],
  [-0.1, 1],
  [0.2, -1],
  [0.2, 0.5],
  [0.2, NaN],
])('refuses fraction %d with seed %d', (fraction, seed) => {
  expect(() => stratifiedSplit(Int32Array.of(0, 1), fraction, seed)).toThrow(ValueError);
});

test('refuses a negative label', () => {
  expect(() => stratifiedSplit(Int32Array.of(0, -1), 0.5, 0)).toThrow('label -1 at index 1 is negative');
});
