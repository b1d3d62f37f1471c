import { logSoftmax, mul, nn, optim, tensor, type Tensor } from '../../lib';
import { gradients } from '../../lib/autodiff';
import { ValueError } from '../../lib/errors';
import * as F from '../../lib/nn/functional';
import { onEachBackend } from '../helpers/backends';
import { gradcheck, gradgradcheck, jvpcheck, numbersOf, type Primal } from '../helpers/gradcheck';
import { distinctArray, randomArray, type NDArray } from '../helpers/ndarray';

// What PyTorch 1.13 has no second derivative of, or has not at all; the rest is in losses-reference.

const float = ({ shape, data }: NDArray): Primal => ({ shape, data, dtype: 'float64' });
const integers = (data: readonly number[], shape: readonly number[] = [data.length]): Primal => ({
  shape,
  data,
  dtype: 'int32',
});
const x64 = (data: readonly number[], shape: readonly number[] = [data.length]): Tensor =>
  tensor(Float64Array.from(data), { shape: [...shape] });
const int = (data: readonly number[], shape: readonly number[] = [data.length]): Tensor =>
  tensor(Int32Array.from(data), { shape: [...shape] });

/** log of the sum, over all ways to align `labels` with the frames, of their probabilities: one by one. */
function likelihood(logProbs: readonly (readonly number[])[], labels: readonly number[], blank: number): number {
  const classes = logProbs[0]!.length;
  let total = 0;
  const path = logProbs.map(() => 0);
  for (let code = 0; code < classes ** path.length; code++) {
    path.forEach((_, t) => (path[t] = Math.floor(code / classes ** t) % classes));
    const collapsed = path.filter((label, t) => label !== path[t - 1]).filter((label) => label !== blank);
    if (collapsed.join() === labels.join())
      total += Math.exp(path.reduce((sum, label, t) => sum + logProbs[t]![label]!, 0));
  }
  return Math.log(total);
}

/** Where a number decides whether there is a loss at all. */
const ofProbability = (...x: number[]): Tensor => F.binaryCrossEntropy(x64(x), x64(x.map(() => 1)));
const ofVariance = (variance: number): Tensor => F.gaussianNllLoss(x64([1, 2]), x64([1, 2]), x64([1, variance]));

onEachBackend('formulas of losses', () => {
  describe('ctcLoss', () => {
    const rows = (data: readonly number[]): number[][] =>
      Array.from({ length: data.length / 3 }, (_, t) => {
        const row = data.slice(3 * t, 3 * t + 3);
        const total = Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0));
        return row.map((value) => value - total);
      });

    test.each([
      [[1, 2], 0, 4],
      [[1, 1], 0, 5],
      [[0, 1, 0], 2, 5],
      [[], 0, 3],
      [[2], 1, 1],
    ])('is the sum over all alignments of %j, blank %d, in %d frames', (labels, blank, frames) => {
      const { data } = randomArray([frames, 3], 5);
      const logProbs = rows(data);
      const loss = F.ctcLoss(x64(logProbs.flat(), [frames, 3]), int(labels), frames, labels.length, {
        blank,
        reduction: 'sum',
      });
      expect(loss.itemSync()).toBeCloseTo(-likelihood(logProbs, labels, blank), 11);
    });

    test('has first and second derivatives', () => {
      const inputs = [float(randomArray([4, 2, 3], 9)), integers([1, 2, 2, 0], [2, 2])];
      const loss = (logits: Tensor, labels: Tensor): Tensor =>
        F.ctcLoss(logSoftmax(logits, 2), labels, [4, 3], [2, 1], { reduction: 'none' });
      gradcheck(loss, inputs);
      gradgradcheck(loss, inputs, { tolerance: 1e-6 });
    });

    test('of what is impossible is infinite, or 0 without gradient where that is wanted', () => {
      const logits = tensor(Float64Array.from(randomArray([3, 2, 3], 4).data), {
        shape: [3, 2, 3],
        requiresGrad: true,
      });
      const labels = int([1, 1, 1, 2], [2, 2]);
      const lengths: [number[], number[]] = [
        [2, 3],
        [2, 2],
      ];
      const infinite = numbersOf(F.ctcLoss(logSoftmax(logits, 2), labels, ...lengths, { reduction: 'none' }));
      expect(infinite[0]).toBe(Infinity);
      expect(infinite[1]).toBeGreaterThan(0);
      const kept = F.ctcLoss(logSoftmax(logits, 2), labels, ...lengths, { reduction: 'none', zeroInfinity: true });
      expect(numbersOf(kept)).toEqual([0, infinite[1]]);
      const [g] = gradients([kept.sum()], [logits]);
      numbersOf(g!).forEach((value, i) =>
        Math.floor(i / 3) % 2 === 0 ? expect(value + 0).toBe(0) : expect(Number.isFinite(value)).toBe(true),
      );
    });

    test('of no frames is 0 for the empty target, infinite for others', () => {
      const losses = F.ctcLoss(x64(new Array(12).fill(-1), [2, 2, 3]), int([1, 1], [2, 1]), [0, 0], [0, 1], {
        reduction: 'none',
      });
      expect(numbersOf(losses).map((loss) => loss + 0)).toEqual([0, Infinity]);
    });

    test('takes lengths as tensors, and labels beyond them that are no classes', () => {
      const logProbs = x64(randomArray([4, 2, 3], 8, -3, 0).data, [4, 2, 3]);
      const expected = F.ctcLoss(logProbs, int([1, 2, 2, 0], [2, 2]), [4, 3], [2, 1]).itemSync();
      const lengths = tensor(BigInt64Array.of(2n, 1n));
      expect(F.ctcLoss(logProbs, int([1, 2, 2, -1], [2, 2]), int([4, 3]), lengths).itemSync()).toBe(expected);
      expect(F.ctcLoss(logProbs, int([1, 2, 2]), [4, 3], [2, 1]).itemSync()).toBe(expected);
    });

    test('takes empty batches and targets', () => {
      const none = x64([], [4, 0, 3]);
      expect(F.ctcLoss(none, int([], [0, 2]), [], [], { reduction: 'none' }).shape).toEqual([0]);
      expect(F.ctcLoss(none, int([]), [], [], { reduction: 'sum' }).itemSync()).toBe(0);
      const logProbs = x64(randomArray([2, 2, 3], 6, -3, 0).data, [2, 2, 3]);
      const expected = -[0, 3, 6, 9].reduce((sum, i) => sum + numbersOf(logProbs)[i]!, 0) / 2;
      expect(F.ctcLoss(logProbs, int([], [2, 0]), [2, 2], [0, 0]).itemSync()).toBeCloseTo(expected, 12);
      expect(F.ctcLoss(logProbs, int([]), [2, 2], [0, 0]).itemSync()).toBeCloseTo(expected, 12);
    });

    test('is exact where probabilities underflow', () => {
      const logits = x64(
        Array.from({ length: 300 }, (_, i) => (i % 3 === 0 ? 0 : -800)),
        [100, 1, 3],
      );
      // One label in one of 100 frames, blanks in all others; each other label costs 800 more.
      const loss = F.ctcLoss(logits, int([1], [1, 1]), [100], [1], { reduction: 'sum' });
      expect(loss.itemSync()).toBeCloseTo(800 - Math.log(100), 10);
    });
  });

  describe('focalLoss', () => {
    const sigma = (x: number): number => 1 / (1 + Math.exp(-x));
    const focal = (x: number, y: number, alpha: number | null, gamma: number): number => {
      const p = y === 1 ? sigma(x) : sigma(-x);
      const share = alpha === null ? 1 : y === 1 ? alpha : 1 - alpha;
      return -share * (1 - p) ** gamma * Math.log(p);
    };
    const x = [-3, -0.4, 0, 0.7, 2.5, 5];
    const y = [1, 0, 1, 1, 0, 1];

    test.each([
      [0.25, 2],
      [null, 2],
      [0.9, 0.5],
      [0.5, 0],
      [0, 3.5],
    ])('with alpha %p and gamma %d is -α (1 - p)^γ log p', (alpha, gamma) => {
      const losses = F.focalLoss(x64(x), x64(y), { alpha, gamma, reduction: 'none' });
      numbersOf(losses).forEach((loss, i) => expect(loss).toBeCloseTo(focal(x[i]!, y[i]!, alpha, gamma), 12));
      expect(F.focalLoss(x64(x), x64(y), { alpha, gamma, reduction: 'sum' }).itemSync()).toBeCloseTo(
        x.reduce((sum, v, i) => sum + focal(v, y[i]!, alpha, gamma), 0),
        12,
      );
    });

    test('has the default of the paper', () => {
      const expected = x.reduce((sum, v, i) => sum + focal(v, y[i]!, 0.25, 2), 0) / 6;
      expect(F.focalLoss(x64(x), int(y)).itemSync()).toBeCloseTo(expected, 12);
    });

    test('with gamma 0 and no alpha is the binary cross-entropy', () => {
      const expected = F.binaryCrossEntropyWithLogits(x64(x), x64(y)).itemSync();
      expect(F.focalLoss(x64(x), x64(y), { alpha: null, gamma: 0 }).itemSync()).toBe(expected);
    });

    test.each([2, 0.5, 1, 3])('has first and second derivatives (gamma %d)', (gamma) => {
      const inputs = [float(randomArray([3, 4], 2, -3, 3)), float(randomArray([3, 4], 3, 0.1, 0.9))];
      gradcheck((a, b) => F.focalLoss(a, b, { gamma }), inputs);
      gradgradcheck((a, b) => F.focalLoss(a, b, { gamma }), inputs, { tolerance: 1e-6 });
    });

    test.each([2, 0.5])('is stable at ±1e4 (gamma %d)', (gamma) => {
      const logits = tensor([1e4, -1e4, 1e4, -1e4], { requiresGrad: true });
      const losses = F.focalLoss(logits, tensor([1, 0, 0, 1]), { alpha: null, gamma, reduction: 'none' });
      expect(numbersOf(losses)).toEqual([0, 0, 1e4, 1e4]);
      const [g] = gradients([losses.sum()], [logits]);
      expect(numbersOf(g!).map((value) => value + 0)).toEqual([0, 0, 1, -1]);
    });
  });

  describe('margins, where PyTorch has no second derivative', () => {
    test.each([
      [1, 1],
      [2, 0.6],
    ])('multiMarginLoss with p %d', (p, margin) => {
      const inputs = [float(distinctArray([4, 3], 6)), integers([0, 2, 1, 1])];
      const loss = (x: Tensor, y: Tensor): Tensor => F.multiMarginLoss(x, y, { p, margin, reduction: 'none' });
      gradcheck(loss, inputs);
      gradgradcheck(loss, inputs);
    });

    test('multilabelMarginLoss', () => {
      const inputs = [float(distinctArray([2, 4], 8)), integers([3, 1, -1, 0, -1, 2, 1, 0], [2, 4])];
      gradcheck((x, y) => F.multilabelMarginLoss(x, y, { reduction: 'none' }), inputs);
      gradgradcheck((x, y) => F.multilabelMarginLoss(x, y, { reduction: 'none' }), inputs);
    });
  });

  describe('forward derivatives, and gradients of weights', () => {
    const x = float(randomArray([3, 4], 1));
    const probability = float(randomArray([3, 4], 2, 0.1, 0.9));
    const positive = float(randomArray([3, 4], 3, 0.5, 2));
    const row = float(randomArray([4], 4, 0.5, 2));

    test.each<[string, (...inputs: Tensor[]) => Tensor, Primal[]]>([
      ['binaryCrossEntropy', (a, b, w) => F.binaryCrossEntropy(a, b, { weight: w }), [probability, probability, row]],
      [
        'binaryCrossEntropyWithLogits',
        (a, b, w, v) => F.binaryCrossEntropyWithLogits(a, b, { weight: w, posWeight: v }),
        [x, probability, row, positive],
      ],
      ['crossEntropy', (a, b, w) => F.crossEntropy(a, b, { weight: w }), [x, integers([0, 3, 1]), row]],
      ['multiMarginLoss', (a, b, w) => F.multiMarginLoss(a, b, { weight: w }), [x, integers([0, 3, 1]), row]],
      ['gaussianNllLoss', (a, b, v) => F.gaussianNllLoss(a, b, v), [x, probability, positive]],
      ['cosineSimilarity', (a, b) => F.cosineSimilarity(a, b), [x, positive]],
      ['pairwiseDistance', (a, b) => F.pairwiseDistance(a, b, { p: 2.5 }), [x, positive]],
    ])('%s', (_name, loss, inputs) => {
      gradcheck(loss, inputs);
      jvpcheck(loss, inputs);
      gradgradcheck(loss, inputs, { tolerance: 1e-6 });
    });
  });

  test('losses of logits are finite at ±1e4, with their gradients', () => {
    const losses: [(x: Tensor) => Tensor, number][] = [
      [(x) => F.softMarginLoss(x, tensor([1, -1, -1]), { reduction: 'sum' }), 1e4],
      [(x) => F.multilabelSoftMarginLoss(x, tensor([1, 0, 0])), 1e4 / 3],
      [(x) => F.binaryCrossEntropyWithLogits(x, tensor([1, 0, 0]), { reduction: 'sum' }), 1e4],
      [(x) => F.crossEntropy(x, int([1], [])), 2e4],
    ];
    for (const [loss, expected] of losses) {
      const x = tensor([1e4, -1e4, 1e4], { requiresGrad: true });
      const value = loss(x);
      expect(Math.abs(value.itemSync() - expected)).toBeLessThan(1);
      const [g] = gradients([value], [x]);
      for (const slope of numbersOf(g!)) expect(Number.isFinite(slope)).toBe(true);
    }
  });

  test('binaryCrossEntropy is finite for 0 and 1', () => {
    const x = tensor([0, 1, 0, 1], { requiresGrad: true });
    const losses = F.binaryCrossEntropy(x, tensor([1, 0, 0, 1]), { reduction: 'none' });
    expect(numbersOf(losses).map((loss) => loss + 0)).toEqual([100, 100, 0, 0]);
    const [g] = gradients([losses.sum()], [x]);
    numbersOf(g!).forEach((slope, i) => expect(slope).toBeCloseTo([-1e12, 1e12, 0, 0][i]!, -6));
  });

  test('gaussianNllLoss of a variance below eps is that of eps, of NaN it is NaN', () => {
    const losses = F.gaussianNllLoss(tensor([1, 1, 1]), tensor([1, 1, 1]), tensor([0, 1e-7, NaN]), {
      reduction: 'none',
    });
    const [zero, small, unknown] = numbersOf(losses);
    for (const loss of [zero, small]) expect(loss).toBeCloseTo(Math.log(1e-6) / 2, 5);
    expect(unknown).toBeNaN();
  });

  test.each<[string, RegExp, () => Tensor]>([
    [
      'a value below 0',
      /^binaryCrossEntropy: -0.5 at position 0 is out of range \[0, 1\]$/,
      () => ofProbability(-0.5, 2),
    ],
    ['a value above 1', /^binaryCrossEntropy: 1.5 at position 0 is/, () => ofProbability(1.5)],
    ['NaN', /^binaryCrossEntropy: NaN at position 0 is/, () => ofProbability(NaN)],
    [
      'a rounding above 1',
      /^binaryCrossEntropy: 1.0000000000000002 at position 1 is/,
      () => ofProbability(1, 1 + 2 ** -52),
    ],
    ['a module', /^binaryCrossEntropy: 2 at position 0 is/, () => new nn.BCELoss().forward(tensor([2]), tensor([1]))],
    [
      'a negative variance',
      /^gaussianNllLoss: -0.25 at position 1 is out of range \[0, Infinity\]$/,
      () => ofVariance(-0.25),
    ],
    ['a variance of -∞', /^gaussianNllLoss: -Infinity at position 1 is/, () => ofVariance(-Infinity)],
    [
      'a variance for each row',
      /^gaussianNllLoss: -1 at position 0 is/,
      () => F.gaussianNllLoss(x64([1, 2], [1, 2]), x64([1, 2], [1, 2]), x64([-1], [1, 1])),
    ],
  ])('refuses %s when it is computed, with the function, the value and the range', async (_what, message, call) => {
    expect(() => call().dataSync()).toThrow(ValueError);
    const error = await call()
      .data()
      .then(
        () => null,
        (reason: unknown) => reason as Error,
      );
    expect(error).toBeInstanceOf(ValueError);
    expect(error!.message).toMatch(message);
    expect(error!.stack).toContain('losses-formulas.test');
  });

  test('a training step on what is no probability changes nothing', async () => {
    const weight = new nn.Parameter(tensor([0.5]));
    const optimizer = new optim.SGD([weight], { lr: 0.1 });
    const step = (scale: number): Promise<void> => {
      optimizer.zeroGrad();
      F.binaryCrossEntropy(mul(weight, scale), tensor([1])).backward();
      return Promise.resolve(optimizer.step());
    };
    await expect(step(3)).rejects.toThrow(/binaryCrossEntropy: 1.5 at position 0/);
    expect(numbersOf(weight.capture())).toEqual([0.5]);
    await step(1);
    expect(numbersOf(weight.capture())[0]).toBeCloseTo(0.7, 6);
  });

  test('distances of equal vectors have a gradient of 0', () => {
    const x = tensor([1, 2, 3], { requiresGrad: true });
    for (const p of [2, 3, 1.5, 1]) {
      const [g] = gradients([F.pairwiseDistance(x, tensor([1, 2, 3]), { p, eps: 0 })], [x]);
      expect(numbersOf(g!).map((value) => value + 0)).toEqual([0, 0, 0]);
    }
  });

  test('targets may be bools and integers', () => {
    const logits = x64([0.3, -1, 2]);
    const expected = F.binaryCrossEntropyWithLogits(logits, x64([1, 0, 1])).itemSync();
    for (const target of [tensor([true, false, true]), int([1, 0, 1]), tensor(BigInt64Array.of(1n, 0n, 1n))])
      expect(F.binaryCrossEntropyWithLogits(logits, target).itemSync()).toBe(expected);
  });

  test('labels without a class name the loss when it is computed', () => {
    const scores = x64([1, 2, 3, 4], [2, 2]);
    expect(() => F.multiMarginLoss(scores, int([0, -1])).itemSync()).toThrow(/multiMarginLoss/);
    expect(() => F.multilabelMarginLoss(scores, int([0, 2, 1, -1], [2, 2])).itemSync()).toThrow(ValueError);
    // Also behind the first -1, where it does not count.
    expect(() => F.multilabelMarginLoss(scores, int([0, 1, -1, 2], [2, 2])).itemSync()).toThrow(ValueError);
    expect(() => F.ctcLoss(x64(new Array(6).fill(-1), [2, 3]), int([3]), 2, 1).itemSync()).toThrow(/ctcLoss/);
  });
});
