import { backends } from './backends';
import { broadcast, dense, elements, type Operand, permuted, runKernel, sizeOf } from './builder';
import { expectEqual, expectWithin, Numbers, roundoff } from './numbers';

type Float = 'float32' | 'float64';

/** Operands [2, length, heads' width], as heads have them: each row lies beside the next head's. */
const heads = (numbers: Numbers, dtype: Float, length: number, width: number): Operand =>
  permuted(numbers.reals(dtype, [length, 2, width]), [1, 0, 2]);

const scale = 0.3;

/** By loops over plain numbers: the output, and the three gradients one behind the other for each of the batch. */
function reference(
  [g, q, k, v]: readonly Operand[],
  score: (value: number, b: number, l: number, s: number) => number,
): { output: number[]; packed: number[] } {
  const [batch, queries, width] = q!.shape as [number, number, number];
  const [keys, valueWidth] = v!.shape.slice(1) as [number, number];
  const [gs, qs, ks, vs] = [g!, q!, k!, v!].map((x) => Float64Array.from(elements(x))) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const output = new Array<number>(batch * queries * valueWidth).fill(0);
  const packed: number[] = [];
  for (let b = 0; b < batch; b++) {
    const ofQuery = new Array<number>(queries * width).fill(0);
    const ofKey = new Array<number>(keys * width).fill(0);
    const ofValue = new Array<number>(keys * valueWidth).fill(0);
    for (let l = 0; l < queries; l++) {
      const scores = Array.from({ length: keys }, (_, s) => {
        let dot = 0;
        for (let e = 0; e < width; e++) dot += qs[(b * queries + l) * width + e]! * ks[(b * keys + s) * width + e]!;
        return score(dot * scale, b, l, s);
      });
      const most = scores.reduce((a, x) => (x > a ? x : a), -Infinity);
      const terms = scores.map((x) => Math.exp(x - most));
      const total = terms.reduce((a, x) => a + x, 0);
      const slopes = terms.map((_, s) => {
        let dot = 0;
        for (let j = 0; j < valueWidth; j++)
          dot += gs[(b * queries + l) * valueWidth + j]! * vs[(b * keys + s) * valueWidth + j]!;
        return dot;
      });
      const mean = slopes.reduce((a, x, s) => a + (x * terms[s]!) / total, 0);
      for (let s = 0; s < keys; s++) {
        const weight = terms[s]! / total;
        const slope = scale * weight * (slopes[s]! - mean);
        for (let j = 0; j < valueWidth; j++) {
          output[(b * queries + l) * valueWidth + j]! += weight * vs[(b * keys + s) * valueWidth + j]!;
          ofValue[s * valueWidth + j]! += weight * gs[(b * queries + l) * valueWidth + j]!;
        }
        for (let e = 0; e < width; e++) {
          ofQuery[l * width + e]! += slope * ks[(b * keys + s) * width + e]!;
          ofKey[s * width + e]! += slope * qs[(b * queries + l) * width + e]!;
        }
      }
    }
    packed.push(...ofQuery, ...ofKey, ...ofValue);
  }
  return { output, packed };
}

describe.each(backends)('attention on %s', (_name, backend) => {
  function run(inputs: readonly Operand[], masks: readonly Operand[], isCausal: boolean): [number[], number[]] {
    const [g, q, k, v] = inputs as [Operand, Operand, Operand, Operand];
    const attributes = [scale, isCausal ? 1 : 0];
    const { dtype } = q;
    const length = [q, k, v].reduce((sum, x) => sum + sizeOf(x.shape.slice(1)), 0);
    const one = (kernel: 'attention' | 'attentionGrad', from: readonly Operand[], shape: readonly number[]): number[] =>
      runKernel(backend, { kernel, inputs: [...from, ...masks], outputs: [{ dtype, shape }], attributes })[0]!;
    return [
      one('attention', [q, k, v], [...q.shape.slice(0, -1), v.shape.at(-1)!]),
      one('attentionGrad', [g, q, k, v], [q.shape[0]!, length]),
    ];
  }

  describe.each(['float32', 'float64'] as const)('%s', (dtype) => {
    const make = (queries: number, keys: number, width: number, valueWidth: number): Operand[] => {
      const numbers = new Numbers(queries + 7 * keys);
      return [
        heads(numbers, dtype, queries, valueWidth),
        heads(numbers, dtype, queries, width),
        heads(numbers, dtype, keys, width),
        heads(numbers, dtype, keys, valueWidth),
      ];
    };
    /** A score of at most 4 · 0.3 · E is off by E + 3 roundings of that; the weights pass it on, sums add their length. */
    const check = (
      inputs: readonly Operand[],
      masks: readonly Operand[],
      isCausal: boolean,
      score: (value: number, b: number, l: number, s: number) => number,
    ): void => {
      const [, q, , v] = inputs;
      const [, queries, width] = q!.shape as [number, number, number];
      const [keys, valueWidth] = v!.shape.slice(1) as [number, number];
      const [output, packed] = run(inputs, masks, isCausal);
      const expected = reference(inputs, score);
      const bound = 2 * roundoff[dtype] * (1.2 * width * (width + 3) + keys + 60);
      expectWithin(output, expected.output, () => bound);
      expectWithin(packed, expected.packed, () => bound * (queries + 4) * 4 * (valueWidth + 1));
    };

    it.each([
      [1, 1, 1, 1],
      [5, 3, 2, 4],
      [33, 129, 16, 5],
      [2, 300, 33, 17],
      [130, 20, 3, 40],
    ])('%i queries, %i keys, widths %i and %i', (queries, keys, width, valueWidth) => {
      const inputs = make(queries, keys, width, valueWidth);
      check(inputs, [], false, (x) => x);
      check(inputs, [], true, (x, _b, l, s) => (s > l ? -Infinity : x));
    });

    it('takes masks through any strides', () => {
      const inputs = make(9, 140, 4, 3);
      const numbers = new Numbers(3);
      const added = broadcast(numbers.reals(dtype, [1, 9, 140]), [2, 9, 140]);
      const table = elements(added);
      check(inputs, [added], false, (x, b, l, s) => x + table[(b * 9 + l) * 140 + s]!);
      const seen = broadcast(
        dense(
          'bool',
          [2, 1, 140],
          Array.from({ length: 280 }, (_, i) => (i % 140 === 0 ? 1 : numbers.integer(0, 1))),
        ),
        [2, 9, 140],
      );
      const isSeen = elements(seen);
      check(inputs, [seen], false, (x, b, l, s) => (isSeen[(b * 9 + l) * 140 + s] === 1 ? x : -Infinity));
    });

    it('gives an item the same bits in any batch', () => {
      const [g, q, k, v] = make(40, 150, 8, 6).map((x) => dense(dtype, x.shape, elements(x))) as [
        Operand,
        Operand,
        Operand,
        Operand,
      ];
      const all = run([g, q, k, v], [], true);
      const second = [g, q, k, v].map((x) =>
        dense(dtype, [1, ...x.shape.slice(1)], x.values.slice(sizeOf(x.shape) / 2)),
      );
      const alone = run(second, [], true);
      all.forEach((numbers, i) => expectEqual(numbers.slice(numbers.length / 2), alone[i]!));
    });

    it('is NaN for a query that sees nothing, and only there', () => {
      const inputs = make(3, 2, 2, 1);
      const mask = dense('bool', [2, 3, 2], [1, 1, 0, 0, 0, 1]);
      const [output] = run(inputs, [mask], false);
      expect(output.map(Number.isNaN)).toEqual([false, true, false, false, true, false]);
    });
  });

  it('refuses what does not fit', () => {
    const x = dense('float32', [2, 3], [1]);
    const call = (inputs: readonly Operand[], attributes: readonly number[]) => () =>
      runKernel(backend, { kernel: 'attention', inputs, outputs: [{ dtype: 'float32', shape: [2, 3] }], attributes });
    expect(call([x, x, x], [1, 0])).not.toThrow();
    expect(call([x, x], [1, 0])).toThrow(/inputs/);
    expect(call([x, x, x], [NaN, 0])).toThrow();
    expect(call([x, x, x], [1, 2])).toThrow();
    expect(call([x, dense('float32', [2, 2], [1]), x], [1, 0])).toThrow();
    expect(call([x, x, x, dense('int32', [2, 2], [1])], [1, 0])).toThrow(/mask/);
    expect(call([x, x, x, dense('bool', [2, 3], [1])], [1, 0])).toThrow(/mask/);
  });
});
