import '../../lib/autodiff';
import { ShapeError, ValueError } from '../../lib/errors';
import { stats } from '../../lib/graph/evaluate';
import { readDataSync, readItemSync } from '../../lib/graph/reading';
import { noGrad } from '../../lib/graph/modes';
import { tensor } from '../../lib/ops/create';
import { add, exp, mul, pow, relu } from '../../lib/ops/elementwise';
import { concat } from '../../lib/ops/join';
import { pad } from '../../lib/ops/place';
import { Generator, manualSeed, rand } from '../../lib/ops/random';
import { sum } from '../../lib/ops/reduce';
import { Variable, type Tensor } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';

const numbers = (t: Tensor): number[] => Array.from(readDataSync(t) as Float32Array);

onEachBackend('recording', () => {
  test('a wrong shape throws where the operation is written', () => {
    expect(() => add(tensor([1, 2]), tensor([1, 2, 3]))).toThrow(ShapeError);
    expect(() => add(tensor([1, 2]), tensor([1, 2, 3]))).toThrow('add: shapes [2] and [3] do not broadcast');
  });

  test('captures the version that a Variable has then, not the Variable', () => {
    const weight = new Variable(tensor([1, 2]));
    const doubled = mul(weight, 2);
    weight.assign(tensor([10, 20]));
    const after = mul(weight, 2);
    expect(numbers(doubled)).toEqual([2, 4]);
    expect(numbers(after)).toEqual([20, 40]);
  });

  test('assign happens once, when it is called, in whatever order values are read', () => {
    const counter = new Variable(tensor(0));
    counter.assign(add(counter, 1));
    const one = add(counter, 0);
    counter.assign(add(counter, 1));
    const two = add(counter, 0);
    expect([readItemSync(two), readItemSync(one), readItemSync(two), readItemSync(counter.capture())]).toEqual([
      2, 1, 2, 2,
    ]);
  });

  test('a random node takes its offset when recorded, and recomputing reuses it', () => {
    manualSeed(7);
    const noise = rand([8]);
    const doubled = mul(noise, 2);
    const first = numbers(doubled);
    // `noise` was an intermediate: computed again, to the same numbers.
    expect(numbers(noise).map((x) => Math.fround(x * 2))).toEqual(first);
  });

  test('two random nodes are never merged', () => {
    const [a, b] = [rand([8]), rand([8])];
    expect(numbers(add(a, mul(b, -1)))).not.toEqual(new Array(8).fill(0));
    const again = new Generator(3);
    const [c, d] = [rand([4], { generator: again }), rand([4], { generator: new Generator(3) })];
    expect(numbers(c)).toEqual(numbers(d));
  });

  test('grad mode is read when an operation is recorded', () => {
    const x = tensor([1, 2], { requiresGrad: true });
    const [outside, inside] = [mul(x, 2), noGrad(() => mul(x, 2))];
    expect([outside.requiresGrad, inside.requiresGrad]).toEqual([true, false]);
  });

  test('noGrad refuses a function that returns a promise, and the mode does not leak', () => {
    expect(() => noGrad(async () => Promise.reject(new Error('unheard')))).toThrow(ValueError);
    expect(mul(tensor([1], { requiresGrad: true }), 2).requiresGrad).toBe(true);
  });

  test('numbers are inputs of a program: a schedule does not compile again', () => {
    const step = (rate: number): number[] => numbers(add(tensor([1, 2]), mul(tensor([3, 4]), rate)));
    step(0.1);
    const before = stats().compilations;
    expect([0.2, 0.3, 1, 0, NaN].map(step).length).toBe(5);
    expect(stats().compilations).toBe(before);
  });

  test('0 and -0 are different attributes, NaN is the same as itself', () => {
    const padded = (value: number): number => numbers(pad(tensor([1]), [1, 0], { value }))[0]!;
    expect([padded(0), padded(-0), padded(0)].map((x) => Object.is(x, -0))).toEqual([false, true, false]);
    const both = numbers(concat([pad(tensor([1]), [1, 0], { value: 0 }), pad(tensor([1]), [1, 0], { value: -0 })]));
    expect([Object.is(both[0], -0), Object.is(both[2], -0)]).toEqual([false, true]);
    padded(NaN);
    const before = stats().compilations;
    expect(padded(NaN)).toBeNaN();
    expect(stats().compilations).toBe(before);
  });

  test('attributes are in the key', () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    expect([numbers(sum(x, { dim: 0 })), numbers(sum(x, { dim: 1 }))]).toEqual([
      [4, 6],
      [3, 7],
    ]);
  });

  test('recipes may be a hundred thousand nodes deep', () => {
    let x = tensor([0, 1]);
    for (let i = 0; i < 100_000; i++) x = add(x, 1);
    expect(numbers(x)).toEqual([100_000, 100_001]);
  });

  test('a pending recipe above 4,096 nodes is submitted by itself', () => {
    const before = stats().programs;
    let x = tensor([0]);
    for (let i = 0; i < 10_000; i++) x = mul(add(x, 1), 1);
    expect(stats().programs - before).toBeGreaterThanOrEqual(3);
    expect(numbers(x)).toEqual([10_000]);
  });

  test('walks through gradients are iterative too', () => {
    const x = tensor([1], { requiresGrad: true });
    let y: Tensor = x;
    for (let i = 0; i < 20_000; i++) y = add(y, 0.5);
    sum(y).backward();
    expect(numbers(x.grad!)).toEqual([1]);
  });

  test('common subexpressions are computed once', () => {
    const x = tensor([1, 2, 3]);
    expect(numbers(add(exp(pow(x, 2)), exp(pow(x, 2))))).toEqual(numbers(mul(exp(mul(x, x)), 2)));
    expect(numbers(relu(x))).toEqual([1, 2, 3]);
  });
});
