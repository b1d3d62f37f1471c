import { GradientError } from '../../lib/errors';
import { gradients } from '../../lib/autodiff';
import { stats, submit } from '../../lib/graph/evaluate';
import { readData, readDataSync, readItem, readItemSync } from '../../lib/graph/reading';
import { tensor, zeros } from '../../lib/ops/create';
import { add, eq, exp, mul, relu, sub, tanh } from '../../lib/ops/elementwise';
import { matmul } from '../../lib/ops/matmul';
import { mean, sum } from '../../lib/ops/reduce';
import { slice } from '../../lib/ops/shape';
import { Variable, withoutCapturing, type Tensor } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';

const numbers = (t: Tensor): number[] => Array.from(readDataSync(t) as Float32Array);

/** One step of gradient descent with momentum, as an optimizer does it. */
function descend(weight: Variable, momentum: Variable, also: Tensor[] = []): Promise<void> {
  withoutCapturing(() => {
    momentum.replace(add(mul(momentum.current, 0.9), weight.grad!));
    weight.replace(sub(weight.current, mul(momentum.current, 0.1)));
  });
  return submit([weight.current, momentum.current, ...also]);
}

const variable = (values: number[][]): Variable => new Variable(tensor(values), { requiresGrad: true });

onEachBackend('evaluating', () => {
  test('computes what was asked for and what its recording updated, never the updates of another model', () => {
    const makeModel = (): { count: Variable; run: (x: Tensor) => Tensor } => {
      const count = new Variable(tensor(0));
      return {
        count,
        run: (x) => {
          const y = mul(x, 2);
          count.assign(add(count, 1), { with: y });
          return y;
        },
      };
    };
    const [a, b] = [makeModel(), makeModel()];
    const [ya, yb] = [a.run(tensor([1])), b.run(tensor([2]))];
    readDataSync(ya);
    expect([a.count.current.pending, b.count.current.pending]).toEqual([false, true]);
    expect([readItemSync(a.count.capture()), readItemSync(b.count.capture()), numbers(yb)[0]]).toEqual([1, 1, 4]);
  });

  test('an update bound to a node happens once, however often the node is computed again', () => {
    const count = new Variable(tensor(0));
    const hidden = exp(tensor([1, 2]));
    count.assign(add(count, 1), { with: hidden });
    readDataSync(add(hidden, 1));
    readDataSync(add(hidden, 2));
    readDataSync(hidden);
    expect(readItemSync(count.capture())).toBe(1);
  });

  test('a step computes weights, state, loss, gradients, updates and `also`, in one program', async () => {
    const [weight, momentum] = [variable([[1], [2]]), new Variable(zeros([2, 1]))];
    const seen = new Variable(tensor(0));
    const output = matmul(tensor([[3, 4]]), weight);
    seen.assign(add(seen, 1), { with: output });
    const loss = sum(mul(output, output));
    const accuracy = mean(eq(output, 11));
    loss.backward();
    const before = stats().programs;
    await descend(weight, momentum, [accuracy]);
    const values = [loss, accuracy, weight.grad!, weight.current, momentum.current, seen.current];
    expect(values.map((t) => t.pending)).toEqual([false, false, false, false, false, false]);
    expect(stats().programs - before).toBe(1);
    // d (3a + 4b)² = 2 · 11 · (3, 4)
    expect(numbers(weight.grad!)).toEqual([66, 88]);
    expect([readItemSync(loss), readItemSync(accuracy)]).toEqual([121, 1]);
    expect(numbers(weight.capture())[0]).toBeCloseTo(1 - 6.6, 5);
  });

  test('an accuracy read after a step is recomputed from the versions it captured, and counted, with one warning', async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error): void => void warnings.push(warning);
    process.on('warning', listen);
    const [weight, momentum] = [variable([[1], [2]]), new Variable(zeros([2, 1]))];
    const output = tanh(matmul(tensor([[3, 4]]), weight));
    const accuracy = sum(mul(output, 10));
    const expected = Math.fround(10 * Math.fround(Math.tanh(11)));
    sum(output).backward();
    await descend(weight, momentum);
    const before = stats().recomputed;
    expect(readItemSync(accuracy)).toBeCloseTo(expected, 5);
    expect(stats().recomputed).toBeGreaterThan(before);
    readDataSync(add(output, 1));
    await new Promise(setImmediate);
    process.off('warning', listen);
    expect(
      warnings.filter((w) => (w as { code?: string }).code === 'SADDLEPOINT_RECOMPUTED').length,
    ).toBeLessThanOrEqual(1);
  });

  test('a loss read before backward gives the same gradients as one that is not', async () => {
    const gradientsWith = (read: boolean): number[] => {
      const weight = variable([
        [0.1, -0.7],
        [0.3, 0.9],
      ]);
      const loss = sum(exp(relu(matmul(tensor([[1, -2]]), weight))));
      if (read) readItemSync(loss);
      loss.backward();
      return numbers(weight.grad!);
    };
    expect(gradientsWith(true)).toEqual(gradientsWith(false));
  });

  test('a second backward into a gradient that is pending starts the first, and adds', () => {
    const weight = variable([[2]]);
    const before = stats().programs;
    for (let i = 1; i <= 4; i++) sum(mul(mul(weight, weight), i)).backward();
    expect(stats().programs - before).toBe(3);
    expect(numbers(weight.grad!)).toEqual([2 * 2 * (1 + 2 + 3 + 4)]);
  });

  test('a value forgets its recipe, unless a gradient may still be asked of it', () => {
    const plain = mul(tensor([1]), 2);
    const weight = tensor([3], { requiresGrad: true });
    const tracked = mul(weight, 2);
    readDataSync(plain);
    readDataSync(tracked);
    expect([plain.inputs.length, tracked.inputs.length > 0]).toEqual([0, true]);
    sum(tracked).backward();
    expect(tracked.inputs.length).toBe(0);
    expect(numbers(weight.grad!)).toEqual([2]);
  });

  test('a second backward through the same nodes throws without retainGraph; their values can still be read', () => {
    const x = tensor([3], { requiresGrad: true });
    const hidden = mul(x, x);
    const loss = sum(hidden);
    loss.backward();
    expect(() => loss.backward()).toThrow(GradientError);
    expect(() => sum(mul(hidden, 2)).backward()).toThrow('retainGraph');
    expect(numbers(hidden)).toEqual([9]);
    expect(numbers(x.grad!)).toEqual([6]);

    const again = sum(mul(x, x));
    again.backward(undefined, { retainGraph: true });
    again.backward();
    expect(numbers(x.grad!)).toEqual([18]);
  });

  test('two models interleaved do not touch each other', async () => {
    const train = async (seed: number, other?: () => void): Promise<number[]> => {
      const [weight, momentum] = [variable([[seed], [1]]), new Variable(zeros([2, 1]))];
      for (let i = 0; i < 5; i++) {
        weight.grad = null;
        const output = matmul(tensor([[0.3, -0.2]]), weight);
        other?.();
        sum(mul(output, output)).backward();
        other?.();
        await descend(weight, momentum);
      }
      return numbers(weight.capture());
    };
    const alone = await train(0.5);
    const weight = variable([[9]]);
    const beside = await train(0.5, () => sum(mul(weight, weight)).backward());
    expect(beside).toEqual(alone);
    const both = await Promise.all([train(0.5), train(0.7), train(0.5)]);
    expect([both[0], both[2]]).toEqual([alone, alone]);
  });

  test('sync reads are right while programs are in flight', async () => {
    const big = tensor(
      Array.from({ length: 200 * 200 }, (_, i) => (i % 7) - 3),
      { shape: [200, 200] },
    );
    let x: Tensor = big;
    for (let i = 0; i < 6; i++) x = mul(matmul(x, big), 1e-3);
    const running = submit([x]);
    const small = readDataSync(add(tensor([1]), 1));
    expect(Array.from(small as Float32Array)).toEqual([2]);
    const corner = readDataSync(sum(x));
    await running;
    expect(Array.from(corner as Float32Array)).toEqual(Array.from((await readData(sum(x))) as Float32Array));
  });

  test('a bounded number of programs is in flight; more wait, and progress needs no turn of the event loop', () => {
    const big = tensor(new Float32Array(256 * 256).fill(1 / 256), { shape: [256, 256] });
    const results: Tensor[] = [];
    let most = 0;
    for (let i = 0; i < 40; i++) {
      const result = sum(mul(matmul(big, big), i));
      results.push(result);
      void submit([result]);
      most = Math.max(most, stats().inFlight);
    }
    expect(most).toBeGreaterThan(0);
    expect(most).toBeLessThanOrEqual(16);
    // Powers of two throughout: exact.
    expect(results.map((result) => readItemSync(result))).toEqual(results.map((_, i) => i * 256));
    expect(stats().inFlight).toBe(0);
  });

  test('programs end first in, first out', async () => {
    const big = tensor(new Float32Array(256 * 256).fill(1), { shape: [256, 256] });
    const order: number[] = [];
    const runs = [256, 64, 128, 16].map((size, i) => {
      const part = slice(big, [[0, size]]);
      return submit([sum(matmul(part, big))]).then(() => order.push(i));
    });
    await Promise.all(runs);
    expect(order).toEqual([0, 1, 2, 3]);
  });

  test('a read beside a later change gives the numbers of its time', async () => {
    const weight = new Variable(tensor([1]));
    const reading = readItem(weight.capture());
    weight.assign(tensor([2]));
    expect([await reading, await readItem(weight.capture())]).toEqual([1, 2]);
  });

  test('gradients of gradients, through gradients()', () => {
    const x = tensor([2], { requiresGrad: true });
    const [first] = gradients([sum(mul(mul(x, x), x))], [x], undefined, { createGraph: true });
    const [second] = gradients([sum(first!)], [x]);
    expect([numbers(first!), numbers(second!)]).toEqual([[12], [12]]);
  });
});
