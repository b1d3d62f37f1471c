import { checkpoint, grad, gradients, hvp, type BackwardOptions } from '../../lib/autodiff';
import { ValueError } from '../../lib/errors';
import { compile } from '../../lib/graph/compile';
import { evaluateSync } from '../../lib/graph/evaluate';
import { readDataSync } from '../../lib/graph/reading';
import { enableGrad, noGrad } from '../../lib/graph/modes';
import { conv2d } from '../../lib/ops/conv';
import { tensor } from '../../lib/ops/create';
import { add, exp, mul, relu, sin, square, tanh } from '../../lib/ops/elementwise';
import { detach } from '../../lib/ops/identity';
import { gather } from '../../lib/ops/indexing';
import { matmul } from '../../lib/ops/matmul';
import { defaultGenerator, dropout, manualSeed, rand, randn } from '../../lib/ops/random';
import { mean, sum } from '../../lib/ops/reduce';
import { Variable, type Tensor } from '../../lib/tensor/tensor';
import * as nn from '../../lib/nn';
import { SGD } from '../../lib/optim';
import { onEachBackend } from '../helpers/backends';
import { planOf } from '../graph/program/helpers';

type Block = (x: Tensor) => Tensor;
type Runner = (block: Block, x: Tensor) => Tensor;

const plain: Runner = (block, x) => block(x);
const checkpointed: Runner = (block, x) => checkpoint(block, x);
const numbers = (t: Tensor | null): number[] => Array.from(readDataSync(t!) as Float32Array);
const parameter = (value: Tensor): Variable => {
  evaluateSync([value]);
  return new Variable(value, { requiresGrad: true });
};

/** Loss and gradients of a function of fresh parameters, which it makes from the same seed every time. */
function run(build: () => { loss: Tensor; parameters: readonly Variable[] }, options?: BackwardOptions): number[][] {
  manualSeed(7);
  const { loss, parameters } = build();
  loss.backward(undefined, options);
  const grads = parameters.map(({ grad: g }) => numbers(g));
  return [numbers(loss), ...grads, [defaultGenerator.offset]];
}

/** A stack of blocks of `depth` layers of tanh. */
function stack(blocks: number, depth: number, size: number, run: Runner): { loss: Tensor; parameters: Variable[] } {
  const parameters: Variable[] = [];
  let x: Tensor = randn([8, size]);
  for (let b = 0; b < blocks; b++) {
    const own = Array.from({ length: depth }, () => parameter(mul(randn([size, size]), 1.5 / Math.sqrt(size))));
    parameters.push(...own);
    x = run((h) => own.reduce((y: Tensor, weight) => tanh(matmul(y, weight)), h), x);
  }
  return { loss: sum(square(x)), parameters };
}

/** The arena of the program that computes the loss and all gradients. */
function arenaOf({ loss, parameters }: { loss: Tensor; parameters: readonly Variable[] }): number {
  loss.backward();
  return planOf(loss, ...parameters.map(({ grad: g }) => g!)).program.arenaBytes;
}

onEachBackend('checkpoint', () => {
  test('gradients are the same to the bit', () => {
    expect(run(() => stack(5, 3, 6, checkpointed))).toEqual(run(() => stack(5, 3, 6, plain)));
  });

  test('the gradient is that of the closed form', () => {
    const x = tensor(Float64Array.from([0.3, -1, 2]));
    const [dx] = [grad((t) => sum(checkpoint((u: Tensor) => sin(square(u)), t)))(x)];
    Array.from(readDataSync(dx) as Float64Array).forEach((value, i) => {
      const at = [0.3, -1, 2][i]!;
      expect(value).toBeCloseTo(2 * at * Math.cos(at * at), 14);
    });
  });

  test('nested, the inner ones recompute within the outer ones', () => {
    const nested: Runner = (block, x) => checkpoint((h: Tensor) => checkpoint(block, checkpoint(block, h)), x);
    const twice: Runner = (block, x) => block(block(x));
    expect(run(() => stack(3, 2, 5, nested))).toEqual(run(() => stack(3, 2, 5, twice)));
  });

  test('dropout draws the same mask again, and takes one number of the generator', () => {
    const build = (runner: Runner) => () => {
      const weight = parameter(randn([6, 6]));
      const block: Block = (h) => dropout(relu(matmul(dropout(h, 0.3), weight)), 0.5);
      const loss = sum(square(runner(block, runner(block, randn([16, 6])))));
      return { loss, parameters: [weight] };
    };
    expect(run(build(checkpointed))).toEqual(run(build(plain)));
  });

  test('batch normalisation moves its running statistics once', () => {
    const build = (runner: Runner, module: nn.BatchNorm2d) => () => {
      const weight = parameter(mul(randn([4, 4, 3, 3]), 0.3));
      const block: Block = (h) => relu(module.forward(conv2d(h, weight, null, { padding: 1 })));
      const loss = mean(square(runner(block, randn([2, 4, 5, 5]))));
      return { loss, parameters: [weight, module.weight!, module.bias!] };
    };
    const [a, b] = [new nn.BatchNorm2d(4), new nn.BatchNorm2d(4)];
    expect(run(build(checkpointed, a))).toEqual(run(build(plain, b)));
    for (const name of ['runningMean', 'runningVar', 'numBatchesTracked'] as const)
      expect(numbers(a[name]!.capture())).toEqual(numbers(b[name]!.capture()));
    expect(numbers(a.numBatchesTracked!.capture())).toEqual([1]);
  });

  test('the running statistics move also where only a gradient is asked', () => {
    const module = new nn.BatchNorm1d(3);
    const x = tensor(Float32Array.from([1, 2, 3, 5, 6, 9]), { shape: [2, 3] });
    readDataSync(grad((t) => sum(checkpoint((h: Tensor) => module.forward(h), t)))(x));
    expect(numbers(module.numBatchesTracked!.capture())).toEqual([1]);
  });

  test('a Variable counts as it was in the forward pass', () => {
    const weight = parameter(tensor([2, 3]));
    const loss = sum(checkpoint((x: Tensor) => exp(mul(square(x), weight)), tensor([0.5, 0.1])));
    weight.assign(tensor([100, 100]));
    const [dw] = gradients([loss], [weight], undefined, { allowUnused: true });
    expect(dw).toBeNull();
    loss.backward();
    numbers(weight.grad).forEach((g, i) => {
      const [x, w] = [[0.5, 0.1][i]!, [2, 3][i]!];
      expect(g).toBeCloseTo(x * x * Math.exp(x * x * w), 6);
    });
  });

  test('several outputs, in objects and arrays, and what the function leaves outside', () => {
    let inner!: Tensor;
    const build = (apply: <R>(fn: (x: Tensor, factor: number) => R, x: Tensor, factor: number) => R) => () => {
      const weight = parameter(randn([4, 4]));
      const { a, more } = apply(
        (x, factor) => {
          inner = tanh(matmul(x, weight));
          const b = exp(inner);
          return { a: mul(inner, factor), more: [square(b), 3, null] as const };
        },
        randn([2, 4]),
        0.5,
      );
      return { loss: add(add(sum(a), sum(more[0])), sum(sin(inner))), parameters: [weight] };
    };
    expect(run(build((fn, x, factor) => checkpoint(fn, x, factor)))).toEqual(
      run(build((fn, x, factor) => fn(x, factor))),
    );
  });

  test('parts under noGrad and behind detach stay without gradient', () => {
    const build = (runner: Runner) => () => {
      const weight = parameter(randn([5]));
      const block: Block = (h) =>
        mul(
          mul(
            exp(mul(h, weight)),
            noGrad(() => sin(weight)),
          ),
          detach(square(weight)),
        );
      return { loss: sum(runner(block, randn([3, 5]))), parameters: [weight] };
    };
    expect(run(build(checkpointed))).toEqual(run(build(plain)));
  });

  test('second derivatives: backward through a recorded backward, and hvp', () => {
    const second = (runner: Runner): number[][] => {
      manualSeed(3);
      const weight = parameter(randn([4, 4], { dtype: 'float64' }));
      const x = randn([3, 4], { dtype: 'float64' });
      const block: Block = (h) => tanh(matmul(h, weight));
      const loss = sum(square(runner(block, runner(block, x))));
      const [g] = gradients([loss], [weight], undefined, { createGraph: true });
      sum(square(g!)).backward();
      const { products } = hvp(
        (w) => sum(square(runner((h) => tanh(matmul(h, w)), x))),
        [weight.capture()],
        [rand([4, 4], { dtype: 'float64' })],
      );
      return [numbers(weight.grad), numbers(products[0]!)];
    };
    // What comes to one tensor on several ways is added up in another order: some tens of roundings of float64.
    const expected = second(plain).flat();
    const scale = Math.max(...expected.map(Math.abs));
    for (const runner of [checkpointed, (block: Block, x: Tensor) => checkpoint(() => checkpoint(block, x))])
      second(runner)
        .flat()
        .forEach((value, i) => expect(Math.abs(value - expected[i]!)).toBeLessThanOrEqual(100 * 2 ** -53 * scale));
  });

  test('retainGraph allows a second backward, which recomputes again', () => {
    const twice = (runner: Runner): number[] => {
      manualSeed(5);
      const weight = parameter(randn([4, 4]));
      const loss = sum(square(runner((h) => dropout(tanh(matmul(h, weight)), 0.4), randn([3, 4]))));
      loss.backward(undefined, { retainGraph: true });
      loss.backward();
      expect(() => loss.backward()).toThrow('freed by an earlier backward');
      return numbers(weight.grad);
    };
    expect(twice(checkpointed)).toEqual(twice(plain));
  });

  test('compiled: the same weights after some steps, dropout and statistics included', () => {
    const train = (runner: Runner, compiled: boolean): number[][] => {
      manualSeed(11);
      const layers = [0, 1, 2].map(() => [new nn.Linear(6, 6), new nn.BatchNorm1d(6)] as const);
      const parameters = layers.flat().flatMap((module) => [...module.parameters()]);
      const optimizer = new SGD(parameters, { lr: 0.1, momentum: 0.9 });
      const step = (x: Tensor): Tensor => {
        optimizer.zeroGrad();
        let h = x;
        for (const [linear, norm] of layers) h = runner((y) => dropout(relu(norm.forward(linear.forward(y))), 0.2), h);
        const loss = mean(square(h));
        loss.backward();
        void optimizer.step();
        return loss;
      };
      const call = compiled ? compile(step) : step;
      const losses = [1, 2, 3].map((i) =>
        numbers(
          call(
            tensor(
              Float32Array.from({ length: 48 }, (_, k) => Math.sin(i * k)),
              { shape: [8, 6] },
            ),
          ),
        ),
      );
      return [...losses, ...parameters.map((p) => numbers(p.capture())), numbers(layers[0]![1].runningVar!.capture())];
    };
    const expected = train(plain, false);
    expect(train(checkpointed, false)).toEqual(expected);
    expect(train(checkpointed, true)).toEqual(expected);
  });

  test('an error in the data names where it was recorded', () => {
    const weight = parameter(randn([3]));
    const index = tensor(Int32Array.from([0, 5]));
    const loss = sum(checkpoint(() => gather(square(weight), 0, index)));
    loss.backward();
    expect(() => numbers(weight.grad)).toThrow('gather: ');
    expect(() => numbers(loss)).toThrow(ValueError);
  });

  test('without gradients it is the function', () => {
    const x = randn([4]);
    const y = noGrad(() => checkpoint((h: Tensor) => exp(h), x));
    expect(y.requiresGrad).toBe(false);
    expect(enableGrad(() => checkpoint(() => 3))).toBe(3);
    expect(checkpoint((h: Tensor) => h, x)).toBe(x);
  });

  test('promises and what is no function are refused', () => {
    expect(() => checkpoint(() => Promise.resolve(1))).toThrow(
      'checkpoint: takes a synchronous function, got one that returns a promise',
    );
    expect(() => checkpoint(3 as never)).toThrow('checkpoint: takes a function first, got number');
  });
});

describe('memory of a program with checkpoints', () => {
  const linear = (runner: Runner) => (): number => arenaOf(stack(16, 6, 16, runner));

  function convolutions(runner: Runner): { loss: Tensor; parameters: Variable[] } {
    const parameters: Variable[] = [];
    let x: Tensor = randn([2, 4, 16, 16]);
    for (let block = 0; block < 16; block++) {
      const own = [0, 1, 2, 3].map(() => parameter(randn([4, 4, 3, 3])));
      const norms = own.map(() => new nn.BatchNorm2d(4));
      parameters.push(...own);
      x = runner(
        (h) =>
          own.reduce((y: Tensor, weight, i) => relu(norms[i]!.forward(conv2d(y, weight, null, { padding: 1 }))), h),
        x,
      );
    }
    return { loss: mean(square(x)), parameters };
  }

  test('16 blocks of 6 linear layers: 16 results and one block instead of 96 layers', () => {
    const [without, with16] = [linear(plain)(), linear(checkpointed)()];
    expect(without / with16).toBeGreaterThan(6);
  });

  test('16 blocks of 4 convolutions, batch normalisation inside', () => {
    const [without, with16] = [arenaOf(convolutions(plain)), arenaOf(convolutions(checkpointed))];
    expect(without / with16).toBeGreaterThan(4);
  });

  test('nested: two levels of 4 keep less than one of 16', () => {
    const deep = (runner: (blocks: Block[], x: Tensor) => Tensor): number => {
      const parameters = Array.from({ length: 64 }, () => parameter(randn([32, 32])));
      const blocks = parameters.map(
        (weight): Block =>
          (h) =>
            tanh(matmul(h, weight)),
      );
      return arenaOf({ loss: sum(runner(blocks, randn([8, 32]))), parameters });
    };
    const chunks = <T>(list: readonly T[], size: number): T[][] =>
      Array.from({ length: list.length / size }, (_, i) => list.slice(i * size, (i + 1) * size));
    const all: (blocks: Block[], x: Tensor) => Tensor = (blocks, x) => blocks.reduce((h, block) => block(h), x);
    const pieces =
      (size: number, inner: (blocks: Block[], x: Tensor) => Tensor) =>
      (blocks: Block[], x: Tensor): Tensor =>
        chunks(blocks, size).reduce((h, piece) => checkpoint((y: Tensor) => inner(piece, y), h), x);
    const [one, sixteen, nested] = [deep(all), deep(pieces(4, all)), deep(pieces(16, pieces(4, all)))];
    expect(nested).toBeLessThan(sixteen);
    expect(sixteen).toBeLessThan(one);
  });

  test('branches that add up are recomputed one after the other', () => {
    const branches = (runner: Runner): number => {
      const parameters = Array.from({ length: 16 }, () => parameter(randn([32, 32])));
      const x = randn([8, 32]);
      const ends = parameters.map((weight) =>
        sum(runner((h) => Array.from({ length: 8 }, () => 0).reduce((y: Tensor) => tanh(matmul(y, weight)), h), x)),
      );
      return arenaOf({ loss: ends.reduce((a, b) => add(a, b)), parameters });
    };
    const [without, with16] = [branches(plain), branches(checkpointed)];
    expect(without / with16).toBeGreaterThan(7);
  });

  test('the second derivative recomputes too', () => {
    const second = (runner: Runner): number => {
      const { loss, parameters } = stack(8, 6, 8, runner);
      const found = gradients([loss], parameters, undefined, { createGraph: true });
      return arenaOf({ loss: found.map((g) => sum(square(g!))).reduce((a, b) => add(a, b)), parameters });
    };
    const [without, with16] = [second(plain), second(checkpointed)];
    expect(without / with16).toBeGreaterThan(2.5);
  });
});
