import { add, ones, tensor } from '../../lib';
import { binaryCrossEntropyWithLogits, crossEntropy, mseLoss, nllLoss } from '../../lib/nn/functional';
import { BCEWithLogitsLoss, CrossEntropyLoss, MSELoss, NLLLoss } from '../../lib/nn';
import { DTypeError, ShapeError, ValueError } from '../../lib/errors';
import { onEachBackend } from '../helpers/backends';

const logits = [
  [0.3, -1.2, 2.5],
  [1.5, 0.1, -0.4],
  [-2, 0.7, 0.2],
  [0.9, 0.9, -3.1],
];
const labels = [2, 0, 1, 0];
const classWeights = [0.5, 2, 3];

const logSoftmax = (row: readonly number[]): number[] => {
  const top = Math.max(...row);
  const total = Math.log(row.reduce((sum, x) => sum + Math.exp(x - top), 0)) + top;
  return row.map((x) => x - total);
};
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;
const x64 = () => tensor(logits, { dtype: 'float64' });
const indices = (values: readonly number[]) => tensor(Int32Array.from(values));

onEachBackend('losses', () => {
  describe('crossEntropy', () => {
    const losses = logits.map((row, i) => -logSoftmax(row)[labels[i]!]!);

    test('is the mean of -log p of the class, or their sum, or each', () => {
      expect(crossEntropy(x64(), indices(labels)).itemSync()).toBeCloseTo(mean(losses), 12);
      expect(crossEntropy(x64(), indices(labels), { reduction: 'sum' }).itemSync()).toBeCloseTo(sum(losses), 12);
      const each = crossEntropy(x64(), indices(labels), { reduction: 'none' });
      [...each.dataSync()].forEach((loss, i) => expect(Number(loss)).toBeCloseTo(losses[i]!, 12));
    });

    test('weights classes, and divides the mean by the weights', () => {
      const weights = labels.map((label) => classWeights[label]!);
      const expected = sum(losses.map((loss, i) => loss * weights[i]!)) / sum(weights);
      const weight = tensor(classWeights, { dtype: 'float64' });
      expect(crossEntropy(x64(), indices(labels), { weight }).itemSync()).toBeCloseTo(expected, 12);
    });

    test('leaves out ignored labels, which need not be classes', () => {
      const expected = mean([losses[0]!, losses[2]!, losses[3]!]);
      expect(crossEntropy(x64(), indices([2, -100, 1, 0])).itemSync()).toBeCloseTo(expected, 12);
      expect(crossEntropy(x64(), indices([2, 77, 1, 0]), { ignoreIndex: 77 }).itemSync()).toBeCloseTo(expected, 12);
    });

    test('gives ignored samples a gradient of 0, even where their loss is infinite', async () => {
      const x = tensor(
        [
          [0, -Infinity],
          [1, 2],
        ],
        { dtype: 'float64', requiresGrad: true },
      );
      const loss = crossEntropy(x, indices([-100, 1]));
      loss.backward();
      const p = 1 / (1 + Math.exp(1));
      const gradient = [...(await x.grad!.data())].map(Number);
      [0, 0, p, -p].forEach((expected, i) => expect(gradient[i]).toBeCloseTo(expected, 12));
    });

    test('smooths labels', () => {
      const smoothing = 0.2;
      const expected = logits.map((row, i) => {
        const logs = logSoftmax(row);
        return -(1 - smoothing) * logs[labels[i]!]! - (smoothing / 3) * sum(logs);
      });
      const options = { labelSmoothing: smoothing };
      expect(crossEntropy(x64(), indices(labels), options).itemSync()).toBeCloseTo(mean(expected), 12);
    });

    test('smooths labels with weights: every class counts by its own', () => {
      const smoothing = 0.2;
      const total = logits.map((row, i) => {
        const logs = logSoftmax(row);
        const even = sum(logs.map((value, c) => value * classWeights[c]!));
        return -(1 - smoothing) * logs[labels[i]!]! * classWeights[labels[i]!]! - (smoothing / 3) * even;
      });
      const expected = sum(total) / sum(labels.map((label) => classWeights[label]!));
      const options = { labelSmoothing: smoothing, weight: tensor(classWeights, { dtype: 'float64' }) };
      expect(crossEntropy(x64(), indices(labels), options).itemSync()).toBeCloseTo(expected, 12);
    });

    test('takes probabilities', () => {
      const target = logits.map((_, i) => [0.2, 0.5, 0.3].map((p, c) => (c === i % 3 ? p + 0.1 : p)));
      const expected = logits.map((row, i) => {
        const logs = logSoftmax(row);
        return -sum(target[i]!.map((p, c) => (0.9 * p + 0.1 / 3) * classWeights[c]! * logs[c]!));
      });
      const options = { labelSmoothing: 0.1, weight: tensor(classWeights, { dtype: 'float64' }) };
      const loss = crossEntropy(x64(), tensor(target, { dtype: 'float64' }), options);
      expect(loss.itemSync()).toBeCloseTo(mean(expected), 12);
    });

    test('takes one sample, and images of classes', () => {
      const single = crossEntropy(tensor(logits[0]!, { dtype: 'float64' }), tensor(2, { dtype: 'int32' }));
      expect(single.itemSync()).toBeCloseTo(losses[0]!, 12);
      // [1, 3, 2, 2]: the four samples as the pixels of one image.
      const image = [0, 1, 2].map((c) => [
        [logits[0]![c]!, logits[1]![c]!],
        [logits[2]![c]!, logits[3]![c]!],
      ]);
      const target = tensor(Int32Array.from(labels), { shape: [1, 2, 2] });
      expect(crossEntropy(tensor([image], { dtype: 'float64' }), target).itemSync()).toBeCloseTo(mean(losses), 12);
    });

    test('is finite for logits of ±1e4, with its gradient', async () => {
      const x = tensor(
        [
          [1e4, -1e4],
          [1e4, -1e4],
        ],
        { requiresGrad: true },
      );
      const loss = crossEntropy(x, indices([1, 0]));
      loss.backward();
      expect(await loss.item()).toBe(1e4);
      expect([...(await x.grad!.data())]).toEqual([0.5, -0.5, 0, 0]);
    });

    test('has the gradient (p - onehot) / N', async () => {
      const x = tensor(logits, { dtype: 'float64', requiresGrad: true });
      crossEntropy(x, indices(labels)).backward();
      const gradient = [...(await x.grad!.data())].map(Number);
      logits.forEach((row, i) =>
        logSoftmax(row).forEach((log, c) =>
          expect(gradient[3 * i + c]).toBeCloseTo((Math.exp(log) - (c === labels[i] ? 1 : 0)) / 4, 12),
        ),
      );
    });

    test.each([3, -1])('names itself when label %d is no class', async (label) => {
      const loss = crossEntropy(x64(), indices([0, label, 1, 0]));
      await expect(loss.item()).rejects.toThrow(ValueError);
      expect(() => crossEntropy(x64(), indices([0, label, 1, 0])).itemSync()).toThrow(/crossEntropy.*3/);
    });

    test('says where the loss was recorded, whenever its labels become known', () => {
      const known = [indices([0, 3, 1, 0]), tensor(BigInt64Array.of(0n, 2n ** 40n, 1n, 0n))];
      const recipes = [add(indices([0, 2, 1, 0]), 1), indices(Array.from({ length: 2000 }, (_, i) => i % 4))];
      for (const target of [...known, ...recipes]) {
        const wrong = crossEntropy(ones([target.size, 3]), target);
        let error: Error | null = null;
        try {
          wrong.itemSync();
        } catch (thrown) {
          error = thrown as Error;
        }
        expect(error).toBeInstanceOf(ValueError);
        expect(error!.message).toMatch(/^crossEntropy: index \d+ .* is out of range/);
        expect(error!.stack).toContain('losses.test');
      }
    });

    test('takes no stack for labels that are classes, or ignored', () => {
      const limits = jest.fn();
      let limit = Error.stackTraceLimit;
      Object.defineProperty(Error, 'stackTraceLimit', {
        configurable: true,
        get: () => limit,
        set: (value: number) => (limits(value), (limit = value)),
      });
      try {
        const loss = crossEntropy(x64().add(0), indices([2, -100, 1, 0]));
        loss.itemSync();
        expect(limits).not.toHaveBeenCalled();
        crossEntropy(x64(), indices([2, -100, 1, 3]));
        expect(limits).toHaveBeenCalled();
      } finally {
        Object.defineProperty(Error, 'stackTraceLimit', { configurable: true, writable: true, value: limit });
      }
    });

    test('refuses what does not fit', () => {
      const x = x64();
      expect(() => crossEntropy(x, indices([0, 1]))).toThrow(ShapeError);
      expect(() => crossEntropy(x, tensor([true, false, true, false]))).toThrow(DTypeError);
      expect(() => crossEntropy(tensor([[1, 2]], { dtype: 'int32' }), indices([0]))).toThrow(DTypeError);
      expect(() => crossEntropy(x, indices(labels), { weight: tensor([1, 2]) })).toThrow(ShapeError);
      expect(() => crossEntropy(x, indices(labels), { labelSmoothing: 1.5 })).toThrow(/labelSmoothing.*1\.5/);
      expect(() => crossEntropy(x, indices(labels), { labelSmoothing: NaN })).toThrow(ValueError);
      expect(() => crossEntropy(x, indices(labels), { reduction: 'avg' as 'mean' })).toThrow(/reduction.*avg/);
      expect(() => crossEntropy(x, indices(labels), { ignoreIndex: 0.5 })).toThrow(ValueError);
      expect(() => crossEntropy(x, x, { ignoreIndex: 1 })).toThrow(ValueError);
      expect(() => crossEntropy(tensor([[]], { shape: [0, 3] }), indices([]))).toThrow(/mean of no elements/);
      expect(crossEntropy(tensor([[]], { shape: [0, 3] }), indices([]), { reduction: 'sum' }).itemSync()).toBe(0);
    });
  });

  test('nllLoss of log-probabilities is crossEntropy of logits', () => {
    const log = tensor(logits.map(logSoftmax), { dtype: 'float64' });
    const weight = tensor(classWeights, { dtype: 'float64' });
    const expected = crossEntropy(x64(), indices(labels), { weight }).itemSync();
    expect(nllLoss(log, indices(labels), { weight }).itemSync()).toBeCloseTo(expected, 12);
    expect(() => nllLoss(log, indices([0, 3, 0, 0])).itemSync()).toThrow(/nllLoss/);
  });

  describe('mseLoss', () => {
    test('is the mean of squares', () => {
      const a = tensor([1, 2, 4]);
      const b = tensor([0, 2, 1]);
      expect(mseLoss(a, b).itemSync()).toBeCloseTo(10 / 3, 6);
      expect(mseLoss(a, b, { reduction: 'sum' }).itemSync()).toBe(10);
      expect([...mseLoss(a, b, { reduction: 'none' }).dataSync()]).toEqual([1, 0, 9]);
    });

    test('refuses to broadcast, and the mean of nothing', () => {
      expect(() => mseLoss(tensor([[1], [2]]), tensor([1, 2]))).toThrow(/mseLoss.*\[2, 1\].*\[2\]/);
      expect(() => mseLoss(tensor([]), tensor([]))).toThrow(/mean of no elements/);
    });
  });

  describe('binaryCrossEntropyWithLogits', () => {
    const x = [-3, -0.5, 0, 2, 8];
    const y = [0, 1, 0.25, 1, 0];
    const sigmoid = (v: number): number => 1 / (1 + Math.exp(-v));

    test('is -y log σ(x) - (1 - y) log(1 - σ(x)), weighted', () => {
      const posWeight = 3;
      const weights = [1, 2, 0.5, 1, 4];
      const expected = x.map(
        (v, i) => weights[i]! * (-posWeight * y[i]! * Math.log(sigmoid(v)) - (1 - y[i]!) * Math.log(sigmoid(-v))),
      );
      const loss = binaryCrossEntropyWithLogits(tensor(x, { dtype: 'float64' }), tensor(y, { dtype: 'float64' }), {
        weight: tensor(weights, { dtype: 'float64' }),
        posWeight: tensor([posWeight], { dtype: 'float64' }),
      });
      expect(loss.itemSync()).toBeCloseTo(mean(expected), 12);
    });

    test('is stable at ±1e4', async () => {
      const input = tensor([1e4, -1e4, 1e4, -1e4], { requiresGrad: true });
      const loss = binaryCrossEntropyWithLogits(input, tensor([1, 0, 0, 1]), { reduction: 'none' });
      loss.sum().backward();
      expect([...(await loss.data())]).toEqual([0, 0, 1e4, 1e4]);
      const gradient = [...(await input.grad!.data())].map((g) => Number(g) + 0);
      expect(gradient).toEqual([0, 0, 1, -1]);
    });

    test('refuses what does not fit', () => {
      expect(() => binaryCrossEntropyWithLogits(tensor([1, 2]), tensor([[1, 0]]))).toThrow(ShapeError);
      const wide = { posWeight: tensor([[1], [2]]) };
      expect(() => binaryCrossEntropyWithLogits(tensor([1, 2]), tensor([1, 0]), wide)).toThrow(/posWeight/);
    });
  });

  test('modules are the functions', () => {
    const target = indices(labels);
    expect(new CrossEntropyLoss({ labelSmoothing: 0.1 }).forward(x64(), target).itemSync()).toBe(
      crossEntropy(x64(), target, { labelSmoothing: 0.1 }).itemSync(),
    );
    expect(new NLLLoss().forward(x64(), target).itemSync()).toBe(nllLoss(x64(), target).itemSync());
    expect(new MSELoss({ reduction: 'sum' }).forward(tensor([1]), tensor([3])).itemSync()).toBe(4);
    expect(new BCEWithLogitsLoss().forward(tensor([0]), tensor([1])).itemSync()).toBeCloseTo(Math.log(2), 6);
  });
});
