import path from 'node:path';
import { argmax, cast, gt, manualSeed, tensor, type Tensor, type TensorBase } from '../../lib';
import { gradients } from '../../lib/autodiff';
import { readCsv } from '../../lib/data/csv';
import { noGrad } from '../../lib/graph/modes';
import { Linear, ReLU, Sequential } from '../../lib/nn';
import { binaryCrossEntropyWithLogits, crossEntropy, mseLoss, sigmoid } from '../../lib/nn/functional';
import { Adam } from '../../lib/optim';
import { onEachBackend } from '../helpers/backends';
import { numbersOf } from '../helpers/gradcheck';
import { random, randomArray } from '../helpers/ndarray';

const matrix = (rows: readonly (readonly number[])[]): Tensor =>
  tensor(Float32Array.from(rows.flat()), { shape: [rows.length, rows[0]!.length] });

function network(inputs: number, outputs: number): Sequential {
  manualSeed(7);
  return new Sequential(new Linear(inputs, 32), new ReLU(), new Linear(32, outputs));
}

function train(model: Sequential, steps: number, loss: () => Tensor): void {
  const optimizer = new Adam(model.parameters(), { lr: 0.02 });
  for (let step = 0; step < steps; step++) {
    optimizer.zeroGrad();
    loss().backward();
    void optimizer.step();
  }
}

onEachBackend('what the losses are for', () => {
  describe('a sigmoid unit far from its target', () => {
    const slope = (loss: (x: TensorBase, y: Tensor) => Tensor, at: number, target: number): number => {
      const x = tensor([at], { dtype: 'float64', requiresGrad: true });
      const [g] = gradients([loss(x, tensor([target], { dtype: 'float64' }))], [x]);
      return numbersOf(g!)[0]!;
    };

    test.each([
      [-10, 1],
      [10, 0],
      [-25, 1],
      [30, 0],
    ])('at %d with target %d, mean square error hardly moves it; cross-entropy does', (at, target) => {
      const square = slope((x, y) => mseLoss(sigmoid(x), y), at, target);
      const entropy = slope(binaryCrossEntropyWithLogits, at, target);
      const sigma = 1 / (1 + Math.exp(-at));
      expect(entropy).toBeCloseTo(sigma - target, 12);
      expect(square).toBeCloseTo(2 * (sigma - target) * sigma * (1 - sigma), 12);
      expect(Math.sign(square)).toBe(Math.sign(entropy));
      expect(Math.abs(square)).toBeLessThan(1e-3 * Math.abs(entropy));
    });
  });

  test('a multi-label network reaches a micro-F1 of 0.95 on samples that it has not seen', () => {
    const rules = [
      (x: number[]) => x[0]! > 0.2,
      (x: number[]) => x[1]! > x[2]!,
      (x: number[]) => Math.abs(x[3]!) > 1,
      (x: number[]) => x[0]! + x[2]! > 0.5,
    ];
    const { data } = randomArray([1000, 4], 3);
    const rows = Array.from({ length: 1000 }, (_, i) => data.slice(4 * i, 4 * i + 4));
    const labels = rows.map((x) => rules.map((rule) => Number(rule(x))));
    const counts = labels.map((row) => row.reduce((a, b) => a + b));
    // None, several and all of the labels occur: a softmax could not say that.
    expect(new Set(counts)).toEqual(new Set([0, 1, 2, 3, 4]));

    const [x, y, seen] = [matrix(rows.slice(0, 700)), matrix(labels.slice(0, 700)), 700];
    const model = network(4, 4);
    train(model, 150, () => binaryCrossEntropyWithLogits(model.forward(x), y));
    const predicted = noGrad(() => numbersOf(gt(model.forward(matrix(rows.slice(seen))), 0)));
    const actual = labels.slice(seen).flat();
    const both = actual.filter((label, i) => label === 1 && predicted[i] === 1).length;
    const wrong = actual.filter((label, i) => label !== predicted[i]).length;
    expect((2 * both) / (2 * both + wrong)).toBeGreaterThanOrEqual(0.95);
  });

  test('a multi-class network tells 95 % of the irises that it has not seen', () => {
    const { rows, values } = readCsv(path.join(__dirname, '../data/iris.csv'), { skipLines: 1, columns: 5 });
    const flowers = Array.from({ length: rows }, (_, i) => [...values.slice(5 * i, 5 * i + 5)]);
    const next = random(11);
    const shuffled = flowers.map((flower) => ({ flower, order: next() })).sort((a, b) => a.order - b.order);
    const seen = shuffled.slice(0, 100);
    const mean = [0, 1, 2, 3].map((c) => seen.reduce((sum, { flower }) => sum + flower[c]! / seen.length, 0));
    const split = (from: number, to: number): { x: Tensor; labels: number[] } => {
      const part = shuffled.slice(from, to).map(({ flower }) => flower);
      return { x: matrix(part.map((f) => mean.map((m, c) => f[c]! - m))), labels: part.map((f) => f[4]!) };
    };
    const known = split(0, 100);
    const unknown = split(100, 150);
    const target = tensor(Int32Array.from(known.labels));

    const model = network(4, 3);
    train(model, 100, () => crossEntropy(model.forward(known.x), target));
    const accuracy = ({ x, labels }: typeof known): number => {
      const found = noGrad(() => numbersOf(cast(argmax(model.forward(x), { dim: 1 }), 'float64')));
      return found.filter((label, i) => label === labels[i]).length / labels.length;
    };
    expect(accuracy(known)).toBeGreaterThanOrEqual(0.95);
    expect(accuracy(unknown)).toBeGreaterThanOrEqual(0.95);
  });
});
