import { execFileSync } from 'node:child_process';
import path from 'node:path';
import {
  add,
  compile,
  dropout,
  F,
  full,
  Generator,
  manualSeed,
  mul,
  nn,
  noGrad,
  optim,
  rand,
  randn,
  stats,
  tensor,
  TraceError,
  ValueError,
  Variable,
  type Tensor,
  type TensorBase,
} from '../../lib';
import { onEachBackend } from '../helpers/backends';

const bitsOf = (model: nn.Module): number[][] =>
  [...model.stateDict().values()].map((value) => Array.from(value.dataSync(), Number));
const numbers = (t: { dataSync(): ArrayLike<number | bigint> } | null): number[] => Array.from(t!.dataSync(), Number);
const labels = tensor(Int32Array.from([0, 1, 2, 1, 0, 2]));

/** A small network with statistics and dropout, and one step of its training. */
function made(build: (parameters: nn.Parameter[]) => optim.Optimizer<optim.CommonOptions>) {
  manualSeed(7);
  const model = new nn.Sequential(
    new nn.Linear(4, 8),
    new nn.BatchNorm1d(8),
    new nn.ReLU(),
    new nn.Dropout({ p: 0.3 }),
    new nn.Linear(8, 3),
  );
  const optimizer = build([...model.parameters()] as nn.Parameter[]);
  const step = (x: Tensor, y: Tensor): Tensor => {
    optimizer.zeroGrad();
    const loss = F.crossEntropy(model.forward(x), y);
    loss.backward();
    void optimizer.step();
    return loss;
  };
  return { model, optimizer, step };
}

type Build = (parameters: nn.Parameter[]) => optim.Optimizer<optim.CommonOptions>;

const optimizers: [string, Build][] = [
  ['SGD', (p) => new optim.SGD(p, { lr: 0.1, momentum: 0.9, dampening: 0.5, weightDecay: 0.01 })],
  ['Adam', (p) => new optim.Adam(p, { lr: 0.01, amsgrad: true })],
  ['RMSprop', (p) => new optim.RMSprop(p, { lr: 0.01, init: 'gradient', momentum: 0.5 })],
  ['NAdam', (p) => new optim.NAdam(p, { lr: 0.01 })],
  // Another formula from the sixth step on.
  ['RAdam', (p) => new optim.RAdam(p, { lr: 0.01 })],
  ['LAMB', (p) => new optim.LAMB(p, { lr: 0.01 })],
  ['Adafactor', (p) => new optim.Adafactor(p, { lr: 0.01 })],
  ['ASGD', (p) => new optim.ASGD(p, { lr: 0.01, t0: 2 })],
  ['Rprop', (p) => new optim.Rprop(p, { lr: 0.01 })],
];

onEachBackend('compile', () => {
  test.each(optimizers)('a compiled training step with %s gives the bits of the plain one', async (_name, build) => {
    const [plain, compiled] = [made(build), made(build)];
    const step = compile(compiled.step);
    const x = noGrad(() => rand([6, 4], { generator: new Generator(3) }));
    const losses: number[][] = [[], []];
    manualSeed(11);
    for (let i = 0; i < 9; i++) losses[0]!.push(await plain.step(x, labels).item());
    manualSeed(11);
    for (let i = 0; i < 9; i++) losses[1]!.push(await step(x, labels).item());
    expect(losses[1]).toEqual(losses[0]);
    expect(bitsOf(compiled.model)).toEqual(bitsOf(plain.model));
    expect(JSON.stringify(compiled.optimizer.stateDict().state['0']?.step)).toBe(
      JSON.stringify(plain.optimizer.stateDict().state['0']?.step),
    );
    expect([...compiled.model.parameters()].map(({ grad }) => numbers(grad))).toEqual(
      [...plain.model.parameters()].map(({ grad }) => numbers(grad)),
    );
  });

  test('a step of two optimizers, one of which moves what the other reads, gives the bits of the plain one', async () => {
    const make = () => {
      manualSeed(5);
      const [maker, judge] = [new nn.Linear(2, 3), new nn.Linear(3, 1)];
      const makes = new optim.Adam(maker.parameters(), { lr: 0.05 });
      const judges = new optim.SGD(judge.parameters(), { lr: 0.1, momentum: 0.9 });
      const step = (x: Tensor, real: Tensor): { judged: Tensor; made: Tensor } => {
        judges.zeroGrad();
        const [yes, no] = [judge.forward(real), judge.forward(maker.forward(x).detach())];
        const judged = add(F.softplus(yes.neg()).mean(), F.softplus(no).mean());
        judged.backward();
        void judges.step();
        makes.zeroGrad();
        const made = F.softplus(judge.forward(maker.forward(x)).neg()).mean();
        made.backward();
        void makes.step({ also: [judged, made] });
        return { judged, made };
      };
      return { step, parameters: [...maker.parameters(), ...judge.parameters()], judges };
    };
    const [plain, replayed] = [make(), make()];
    const step = compile(replayed.step);
    const schedule = [plain, replayed].map(({ judges }) => new optim.ExponentialLR(judges, 0.5));
    for (let i = 0; i < 5; i++) {
      const [x, real] = [randn([4, 2]), randn([4, 3])].map((t) => tensor(t.dataSync(), { shape: t.shape }));
      const [expected, got] = [plain.step(x!, real!), step(x!, real!)];
      expect(await got.judged.item()).toBe(await expected.judged.item());
      expect(await got.made.item()).toBe(await expected.made.item());
      expect(replayed.parameters.map((p) => numbers(p.capture()))).toEqual(
        plain.parameters.map((p) => numbers(p.capture())),
      );
      if (i === 2) schedule.forEach((each) => each.step());
    }
    expect(compile.explain(step).programs).toHaveLength(1);
  });

  test('LBFGS takes a compiled closure, with the bits of the plain one', async () => {
    const minimum = async (wrap: (closure: () => Tensor) => () => Tensor): Promise<unknown> => {
      const x = new nn.Parameter(tensor([-1.2, 1]));
      const optimizer = new optim.LBFGS([x], { lr: 1, maxIter: 12, lineSearchFn: 'strongWolfe' });
      const closure = wrap(() => {
        optimizer.zeroGrad();
        const [a, b] = [x.select(0, 0), x.select(0, 1)];
        const loss = b.sub(a.square()).square().mul(100).add(a.neg().add(1).square());
        loss.backward();
        return loss;
      });
      const losses = [await optimizer.step(closure), await optimizer.step(closure)];
      return { losses, x: numbers(x.capture()) };
    };
    expect(await minimum(compile)).toEqual(await minimum((closure) => closure));
  });

  test('rates, steps and the generator are read at every replay; nothing compiles again', async () => {
    const { optimizer, step } = made((p) => new optim.Adam(p, { lr: 0.01 }));
    const compiled = compile(step);
    const schedule = new optim.ExponentialLR(optimizer, 0.5);
    await compiled(randn([6, 4]), labels).item();
    const { compilations } = stats();
    const losses = new Set<number>();
    for (let i = 0; i < 4; i++) {
      losses.add(await compiled(randn([6, 4]), labels).item());
      schedule.step();
    }
    expect(losses.size).toBe(4);
    expect(optimizer.stateDict().state['0']!.step).toBe(5);
    // What remains is the recipe of the arguments.
    expect(stats().compilations - compilations).toBeLessThanOrEqual(1);
    expect(compile.explain(compiled).recordings).toEqual(['first call']);
  });

  test('a compiled step writes weights in place; a version that somebody has seen stays as it was', () => {
    const weight = new Variable(tensor([1, 2]));
    const double = compile(() => weight.assign(weight.mul(2)));
    double();
    const { storage } = weight.current;
    double();
    expect(weight.current.storage).toBe(storage);
    const seen = weight.capture();
    double();
    expect(weight.current.storage).not.toBe(storage);
    expect([numbers(seen), numbers(weight.capture())]).toEqual([
      [4, 8],
      [8, 16],
    ]);
  });

  test('results are tensors of their own: a later replay does not change them', () => {
    const weight = new Variable(tensor([1]));
    const next = compile(() => {
      const moved = weight.add(1);
      weight.assign(moved);
      return { moved, twice: [moved, moved.mul(2)], nothing: null };
    });
    const [first, second] = [next(), next()];
    expect(numbers(first.moved)).toEqual([2]);
    expect(first.twice.map(numbers)).toEqual([[2], [4]]);
    expect(numbers(second.moved)).toEqual([3]);
    expect(second.nothing).toBeNull();
    expect(numbers(weight.capture())).toEqual([3]);
  });

  test('versions and gradients of before that the function returns are those that each replay found', () => {
    const weight = new Variable(tensor([1]), { requiresGrad: true });
    weight.mul(3).backward();
    const next = compile(() => {
      const [version, gradient] = [weight.capture(), weight.grad];
      weight.mul(weight).backward();
      weight.assign(weight.add(1));
      return { version, gradient };
    });
    const results = [next(), next(), next()];
    expect(results.map(({ version }) => numbers(version))).toEqual([[1], [2], [3]]);
    expect(results.map(({ gradient }) => numbers(gradient))).toEqual([[3], [5], [9]]);
    expect(numbers(weight.grad)).toEqual([15]);
  });

  test('a version that is replaced again within the function keeps its numbers', () => {
    const weight = new Variable(tensor([1, 2]));
    const next = compile(() => {
      weight.assign(weight.mul(2));
      const between = weight.capture();
      weight.assign(weight.add(1));
      return between;
    });
    expect([next(), next()].map(numbers)).toEqual([
      [2, 4],
      [6, 10],
    ]);
    expect(numbers(weight.capture())).toEqual([7, 11]);
  });

  test('gradients are left as the plain call leaves them, and accumulate', () => {
    const weight = new nn.Parameter(tensor([1, 2]));
    const accumulate = compile((x: Tensor) => weight.mul(x).sum().backward());
    const x = tensor([3, 5]);
    accumulate(x);
    const first = weight.grad;
    accumulate(x);
    accumulate(x);
    expect(numbers(weight.grad)).toEqual([9, 15]);
    expect(numbers(first)).toEqual([3, 5]);
    expect(compile.explain(accumulate).recordings).toEqual([
      'first call',
      'Parameter: has a gradient is true, was false',
    ]);
  });

  test('explains a program in numbers and as text, by the names of what it is bound to', async () => {
    const { step } = made((p) => new optim.Adam(p, { lr: 0.01 }));
    const compiled = compile(step);
    await compiled(randn([6, 4]), labels).item();
    const [program] = compile.explain(compiled).programs;
    expect(program!.ops).toBeGreaterThan(program!.instructions);
    expect(program!.fusedRegions).toBeGreaterThan(0);
    expect(program!.bytesMoved).toBeGreaterThan(program!.arenaBytes);
    expect(program!.arenaBytes).toBeGreaterThanOrEqual(program!.arenaLowerBound);
    expect(program!.copies).toBeLessThan(program!.instructions);
    const text = String(program);
    expect(text).toMatch(/^reads: argument0 \[6x4\], argument1 int32 \[6\]/m);
    expect(text).toMatch(/^writes: .*result0 \[\]/m);
    expect(text).toContain('matmul(argument0 [6x4], weight0 [8x4].T)');
    // One pass updates all but one parameter, whose gradient Adam's region makes; the formula is that of the first.
    expect(text).toMatch(/each of 5 like the first:/);
    expect(text).toMatch(/weight\d~ = weight\d - state\d+~ \/ \(sqrt\(state\d+~\)/);
    expect(text).toMatch(/weight0~ \[8x4\]/);
    expect(text).toContain('weight0.grad [8x4]');
    expect(String(compile.explain(compiled))).toContain(`${program!.ops} operations in ${program!.instructions}`);
  });

  test('another shape, mode, constant or requiresGrad is another program, with its reason; old ones are kept', () => {
    const model = new nn.Sequential(new nn.Linear(2, 2), new nn.Dropout({ p: 0.5 }));
    const run = compile((x: Tensor, factor: number) => model.forward(x).mul(factor));
    run(randn([3, 2]), 1);
    run(randn([4, 2]), 1);
    run(randn([4, 2]), 2);
    model.eval();
    run(randn([4, 2]), 2);
    noGrad(() => run(randn([4, 2]), 2));
    ([...model.parameters()] as nn.Parameter[])[0]!.setRequiresGrad(false);
    noGrad(() => run(randn([4, 2]), 2));
    ([...model.parameters()] as nn.Parameter[])[0]!.setRequiresGrad(true);
    noGrad(() => run(randn([4, 2]), 2));
    expect(compile.explain(run).recordings).toEqual([
      'first call',
      'arguments[0] has shape [4, 2], was [3, 2]',
      'arguments[1] is 2, was 1',
      'Dropout: training is false, was true',
      'grad mode is false, was true',
      'Variable: requiresGrad is false, was true',
    ]);
    expect(String(compile.explain(run))).toContain('arguments[1]: 2, a constant');
  });

  test('the cache is bounded: the least recently used program goes', () => {
    const twice = compile((x: Tensor) => x.mul(2), { cacheLimit: 2 });
    for (const size of [1, 2, 1, 3, 1, 2]) expect(twice(randn([size])).shape).toEqual([size]);
    expect(compile.explain(twice).programs).toHaveLength(2);
    expect(compile.explain(twice).recordings).toHaveLength(4);
  });

  test('tensors from outside are bound by identity, also those that were still recipes', () => {
    const scale = tensor([2, 3]);
    const recipe = scale.add(1);
    const run = compile((x: Tensor) => x.mul(recipe).add(scale));
    expect(numbers(run(tensor([1, 1])))).toEqual([5, 7]);
    expect(numbers(run(tensor([2, 2])))).toEqual([8, 11]);
    expect(compile.explain(run).programs[0]!.captured).toHaveLength(2);
  });

  test('arguments may be recipes, Variables, and nested in arrays and objects', () => {
    const bias = new Variable(tensor([10]));
    const run = compile((batch: { parts: Tensor[]; bias: Variable }) =>
      batch.parts[0]!.add(batch.parts[1]!).add(batch.bias),
    );
    const argument = (): Parameters<typeof run>[0] => ({ parts: [tensor([1]).mul(2), tensor([3])], bias });
    expect(numbers(run(argument()))).toEqual([15]);
    bias.assign(tensor([20]));
    expect(numbers(run(argument()))).toEqual([25]);
    expect(compile.explain(run).recordings).toHaveLength(1);
  });

  test('tensors of one number, as arguments, from outside and in Variables', () => {
    const scale = new Variable(full([], 2), { requiresGrad: true });
    const outside = full([], 10);
    const step = compile((x: TensorBase) => {
      const y = mul(scale, x).add(outside);
      scale.assign(add(scale, 1));
      return y;
    });
    expect([step(full([], 3)), step(full([], 4)), step(tensor([5]).sum())].map((y) => y.itemSync())).toEqual([
      16, 22, 30,
    ]);
    expect(scale.itemSync()).toBe(5);
  });

  test('random numbers are those of the plain call', () => {
    const generator = new Generator(5);
    const draw = (): Tensor[] => [randn([3], { generator }), dropout(tensor([1, 1, 1, 1]), 0.5, { generator })];
    const compiled = compile(draw);
    const replayed = [compiled(), compiled(), compiled()].map((pair) => pair.map(numbers));
    generator.manualSeed(5);
    expect(replayed).toEqual([draw(), draw(), draw()].map((pair) => pair.map(numbers)));
    expect(generator.offset).toBe(6);
  });

  test('a replay that fails leaves Variables, state and step counts as they were, names the operation, and the next one goes on', async () => {
    const { model, optimizer, step } = made((p) => new optim.Adam(p, { lr: 0.01 }));
    const compiled = compile(step);
    const x = tensor(new Float32Array(24).fill(0.5), { shape: [6, 4] });
    await compiled(x, labels).item();
    const before = [bitsOf(model), JSON.stringify(optimizer.stateDict().state['3']!.step)];
    const failed = compiled(x, tensor(Int32Array.from([0, 1, 9, 1, 0, 2])));
    await expect(failed.item()).rejects.toThrow(/crossEntropy.*9/);
    await expect(failed.item()).rejects.toThrow(ValueError);
    expect([bitsOf(model), JSON.stringify(optimizer.stateDict().state['3']!.step)]).toEqual(before);
    await compiled(x, labels).item();
    expect(optimizer.stateDict().state['3']!.step).toBe(2);
  });

  test('plain and compiled steps take turns', () => {
    const [plain, mixed] = [made((p) => new optim.Adam(p)), made((p) => new optim.Adam(p))];
    const compiled = compile(mixed.step);
    const x = tensor(new Float32Array(24).fill(0.25), { shape: [6, 4] });
    manualSeed(1);
    for (let i = 0; i < 6; i++) plain.step(x, labels);
    manualSeed(1);
    for (let i = 0; i < 6; i++) (i % 2 === 0 ? compiled : mixed.step)(x, labels);
    expect(bitsOf(mixed.model)).toEqual(bitsOf(plain.model));
  });

  test('a state dict that is loaded is what the next replay goes on from', async () => {
    const { model, optimizer, step } = made((p) => new optim.Adam(p, { lr: 0.01 }));
    const compiled = compile(step);
    const x = tensor(new Float32Array(24).fill(0.5), { shape: [6, 4] });
    for (let i = 0; i < 2; i++) await compiled(x, labels).item();
    const saved = [model.stateDict(), optimizer.stateDict()] as const;
    manualSeed(2);
    const expected = [await compiled(x, labels).item(), await compiled(x, labels).item()];
    model.loadStateDict(saved[0]);
    optimizer.loadStateDict(saved[1]);
    manualSeed(2);
    expect([await compiled(x, labels).item(), await compiled(x, labels).item()]).toEqual(expected);
  });

  test('what a replay could not repeat is refused, and leaves nothing behind', () => {
    const { model, optimizer } = made((p) => new optim.Adam(p));
    const schedule = new optim.ExponentialLR(optimizer, 0.5);
    const weight = new Variable(tensor([1]));
    const lbfgs = new optim.LBFGS([weight]);
    const refused: [RegExp, (x: Tensor) => unknown][] = [
      [/a number is read.*return the tensor/, (x) => x.sum().itemSync()],
      [/a number is read/, (x) => x.data()],
      [/ExponentialLR steps/, () => schedule.step()],
      [/LBFGS steps.*compile the closure/, () => void lbfgs.step(() => tensor(1))],
      [/LBFGS steps/, () => lbfgs.stepSync(() => tensor(1))],
      [/train\(\) or eval\(\)/, () => model.eval()],
      [/generator is given a state/, () => manualSeed(3)],
      [/returns a promise/, async (x) => Promise.resolve(x)],
    ];
    for (const [message, fn] of refused) {
      const call = compile((x: Tensor) => {
        weight.assign(weight.add(1));
        return fn(x);
      });
      expect(() => call(tensor([1]))).toThrow(TraceError);
      expect(() => call(tensor([1]))).toThrow(message);
    }
    expect(numbers(weight.capture())).toEqual([1]);
    const upstream = new nn.Parameter(tensor([1])).mul(2);
    expect(() => compile((x: Tensor) => x)(upstream)).toThrow(/gradients do not pass into a compiled function/);
    expect(() => compile(3 as never)).toThrow(ValueError);
    expect(() => compile(() => null, { cacheLimit: 0 })).toThrow(/cacheLimit/);
    expect(() => compile.explain(() => null)).toThrow(ValueError);
  });

  test('a tensor kept from inside says what to do', () => {
    let kept: Tensor | null = null;
    const run = compile((x: Tensor) => {
      kept = x.mul(2);
      return kept.add(1);
    });
    run(tensor([1]));
    expect(() => numbers(kept)).toThrow(TraceError);
    expect(() => numbers(kept!.add(1))).toThrow(/return it from the function/);
  });

  test('inside of another compiled function it is the function itself', () => {
    const inner = compile((x: Tensor) => x.add(1));
    const outer = compile((x: Tensor) => inner(x).mul(2));
    expect(numbers(outer(tensor([1])))).toEqual([4]);
    expect(compile.explain(inner).programs).toHaveLength(0);
  });

  test('gradients of arguments that ask for them can be returned', () => {
    const slope = compile((x: Tensor) => {
      x.square().sum().backward();
      return x.grad!;
    });
    expect(numbers(slope(tensor([3], { requiresGrad: true })))).toEqual([6]);
  });
});

test('SADDLEPOINT_COMPILE_CHECK records every replay again and throws where it differs', () => {
  const root = path.resolve(__dirname, '../..');
  const output = execFileSync(
    process.execPath,
    [path.join(root, 'scripts/run-typescript.cjs'), path.join(__dirname, 'fixtures/compile-check.ts')],
    { env: { ...process.env, SADDLEPOINT_COMPILE_CHECK: '1' }, encoding: 'utf8' },
  );
  expect(output.trimEnd().split('\n')).toEqual([
    'same 3',
    'TraceError: compile: SADDLEPOINT_COMPILE_CHECK: recorded again, the function has another number in mul: 1, was 2',
    'TraceError: compile: SADDLEPOINT_COMPILE_CHECK: recorded again, the function has other operations',
  ]);
});
