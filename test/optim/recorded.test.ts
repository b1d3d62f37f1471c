import { nn, optim, tensor, type Tensor } from '../../lib';
import { ValueError } from '../../lib/errors';
import type { CommonOptions, LBFGSOptions, LRScheduler, Optimizer, PlateauOptions, Scheduled } from '../../lib/optim';
import { evaluateSync } from '../../lib/graph/evaluate';
import { onEachBackend } from '../helpers/backends';
import { readRecording, toNumber, toTensor, type RecordedTensor } from '../reference/read';

type Options = Partial<CommonOptions>;
type Groups = nn.Parameter[] | { params: nn.Parameter[] }[];
type Make = new (parameters: Groups, options: Options) => Optimizer<CommonOptions>;

interface Recording {
  kept: number[];
  starts: RecordedTensor[];
  gradients: RecordedTensor[][];
  optimizers: {
    name: string;
    options: Options;
    /** Of the second parameter's group, where it has one of its own. */
    second: Options | null;
    kept: RecordedTensor[][];
    state: Record<string, number | RecordedTensor>;
  }[];
  refused: { name: string; option: string; value: number | string | (number | string)[] }[];
  searches: {
    function: 'valley' | 'bowl';
    options: Partial<LBFGSOptions>;
    kept: { loss: number; x: RecordedTensor; y: RecordedTensor }[];
    evaluations: number;
    iterations: number;
    /** By how much PyTorch's own numbers change with the last bit of where it starts. */
    moved: number;
  }[];
  rates: Record<string, [number, number][][]>;
  metrics: number[];
  plateaus: { options: Partial<PlateauOptions>; rates: number[][] }[];
  clips: { maxNorm: number; normType: number | string; norm: number; gradients: RecordedTensor[] }[];
}

const recording = readRecording<Recording>('optim');

/** Relative to the largest element, as sums of one kind are rounded alike. */
function expectNear(actual: ArrayLike<number | bigint>, expected: ArrayLike<unknown>, tolerance: number): void {
  const wanted = Array.from(expected, (value) => toNumber(value as number));
  const size = Math.max(...wanted.map(Math.abs), 1e-300);
  expect(actual.length).toBe(wanted.length);
  wanted.forEach((value, i) => {
    const error = Math.abs(Number(actual[i]) - value);
    if (!(error <= tolerance * size)) throw new Error(`element ${i} is ${actual[i]}, recorded ${value}`);
  });
}

onEachBackend('optimizers as recorded by PyTorch', () => {
  const parametersOf = (dtype: 'float32' | 'float64'): nn.Parameter[] =>
    recording.starts.map((start) => new nn.Parameter(toTensor(start, { dtype })));

  const make = (name: string, parameters: Groups, options: Options): Optimizer<CommonOptions> =>
    new (optim as unknown as Record<string, Make>)[name]!(parameters, options);

  test.each(recording.optimizers)('$name $options, second group $second', async (recorded) => {
    const { name, options, second, kept, state } = recorded;
    const parameters = parametersOf('float64');
    const [first, last] = parameters as [nn.Parameter, nn.Parameter];
    const groups = second === null ? parameters : [{ params: [first] }, { params: [last], ...second }];
    const optimizer = make(name, groups, options);
    let row = 0;
    for (const [index, gradients] of recording.gradients.entries()) {
      parameters.forEach((parameter, i) => (parameter.grad = toTensor(gradients[i]!)));
      await optimizer.step();
      if (!recording.kept.includes(index + 1)) continue;
      for (const [i, expected] of kept[row]!.entries()) expectNear(parameters[i]!.dataSync(), expected.data, 1e-10);
      row++;
    }
    expect(row).toBe(recording.kept.length);
    // PyTorch's keys hold PyTorch's numbers.
    const own = optimizer.stateDict().state['0'] ?? {};
    for (const [key, expected] of Object.entries(state)) {
      const value = own[key];
      if (typeof expected === 'number') expectNear([value as number], [expected], 1e-10);
      else expectNear((value as Tensor).dataSync(), expected.data, 1e-10);
    }
  });

  // A rounding of 2^-24 of the parameter and of the step at each of 50 steps, amplified by what divides by small means.
  const ungrouped = recording.optimizers.filter(({ second }) => second === null);
  test.each(ungrouped)('$name $options in float32', async ({ name, options, kept }) => {
    const parameters = parametersOf('float32');
    const optimizer = make(name, parameters, options);
    for (const gradients of recording.gradients) {
      parameters.forEach((parameter, i) => (parameter.grad = toTensor(gradients[i]!, { dtype: 'float32' })));
      await optimizer.step();
    }
    kept.at(-1)!.forEach((expected, i) => expectNear(parameters[i]!.dataSync(), expected.data, 50 * 2 ** -20));
  });

  test.each(recording.clips)('clipGradNorm to $maxNorm by $normType', ({ maxNorm, normType, norm, gradients }) => {
    const parameters = parametersOf('float64');
    parameters.forEach((parameter, i) => (parameter.grad = toTensor(recording.gradients[7]![i]!)));
    const actual = optim.clipGradNorm(parameters, maxNorm, { normType: toNumber(normType) });
    evaluateSync([actual, ...parameters.map((parameter) => parameter.grad!)]);
    expectNear([actual.itemSync()], [norm], 1e-12);
    gradients.forEach((expected, i) => expectNear(parameters[i]!.grad!.dataSync(), expected.data, 1e-12));
  });
});

onEachBackend('LBFGS as recorded by PyTorch', () => {
  const center = tensor([1, -2, 0.5, 3], { shape: [2, 2], dtype: 'float64' });
  const weights = tensor([1, 10, 0.3, 2], { shape: [2, 2], dtype: 'float64' });
  const first = tensor([1, 0], { dtype: 'float64' });
  const second = tensor([0, 1], { dtype: 'float64' });

  /** Rosenbrock's function in x, and a quartic bowl in y. */
  function valley(x: nn.Parameter, y: nn.Parameter): Tensor {
    const [x0, x1] = [x.mul(first).sum(), x.mul(second).sum()];
    const squares = y.sub(center).square();
    const rosenbrock = x0.sub(1).square().add(x1.sub(x0.square()).square().mul(100));
    return rosenbrock.add(squares.mul(weights).sum()).add(squares.square().sum());
  }

  const steepness = tensor(
    Array.from({ length: 12 }, (_, i) => i + 1),
    { dtype: 'float64' },
  );

  /** Strictly convex and well conditioned. */
  function bowl(x: nn.Parameter, y: nn.Parameter): Tensor {
    const squares = x.sub(1).square().mul(steepness).sum().mul(0.5).add(y.add(2).square().sum());
    const quartic = x
      .square()
      .square()
      .sum()
      .mul(1 / 16)
      .add(y.sub(1).square().square().sum().mul(0.25));
    return squares.add(quartic).add(x.sum().add(y.sum()).square().mul(0.125));
  }

  const functions = {
    valley: { f: valley, x: [-1.2, 1], y: [0, 0.5, 1, -1], shape: [2, 2] },
    bowl: { f: bowl, x: Array.from({ length: 12 }, (_, i) => (i - 6) / 4), y: [3, -1, 0.5], shape: [3] },
  };

  const make = (options: Partial<LBFGSOptions>, name: keyof typeof functions = 'valley') => {
    const { f, ...first } = functions[name];
    const x = new nn.Parameter(tensor(first.x, { dtype: 'float64' }));
    const y = new nn.Parameter(tensor(first.y, { shape: first.shape, dtype: 'float64' }));
    const optimizer = new optim.LBFGS([x, y], options);
    const closure = (): Tensor => {
      optimizer.zeroGrad();
      const loss = f(x, y);
      loss.backward();
      return loss;
    };
    return { x, y, optimizer, closure };
  };

  test.each(recording.searches)('$function $options', async (recorded) => {
    const { function: name, options, kept, evaluations, iterations, moved } = recorded;
    // Curvatures are differences of gradients, so that the valley multiplies a rounding by 10⁵ in five steps, in PyTorch too.
    expect(moved).toBeLessThan(2e-11);
    const { x, y, optimizer, closure } = make(options, name);
    for (const expected of kept) {
      expectNear([await optimizer.step(closure)], [expected.loss], 1e-10);
      expectNear(x.dataSync(), expected.x.data, 1e-10);
      expectNear(y.dataSync(), expected.y.data, 1e-10);
    }
    expect(optimizer.stateDict().state['0']).toMatchObject({ func_evals: evaluations, n_iter: iterations });
  });

  test('continues from a state dict to the same bits', async () => {
    const options = { lineSearchFn: 'strongWolfe', maxIter: 3, historySize: 2 } as const;
    const [one, two] = [make(options), make({})];
    await one.optimizer.step(one.closure);
    await one.optimizer.step(one.closure);
    two.x.assign(one.x);
    two.y.assign(one.y);
    two.optimizer.loadStateDict(one.optimizer.stateDict());
    await one.optimizer.step(one.closure);
    await two.optimizer.step(two.closure);
    expect(two.x.dataSync()).toEqual(one.x.dataSync());
    expect(two.optimizer.paramGroups[0].lineSearchFn).toBe('strongWolfe');
    expect(two.optimizer.stateDict().param_groups[0]!.line_search_fn).toBe('strong_wolfe');
    expect(two.optimizer.stateDict().param_groups).toEqual(one.optimizer.stateDict().param_groups);
  });

  test('finds the minimum, and then stops', async () => {
    const { x, optimizer, closure } = make({ lineSearchFn: 'strongWolfe', maxIter: 100, maxEval: 300 });
    await optimizer.step(closure);
    expectNear(x.dataSync(), [1, 1], 1e-4);
    const { state } = optimizer.stateDict();
    await optimizer.step(closure);
    expect(optimizer.stateDict().state['0']!.n_iter as number).toBeLessThanOrEqual((state['0']!.n_iter as number) + 2);
  });

  test.each(['strongWolfe', null] as const)(
    'a step that fails leaves everything as it was: %s',
    async (lineSearchFn) => {
      const [failing, healthy] = [1, 2].map(() => make({ lineSearchFn, lr: 0.005, maxIter: 3 })) as [
        ReturnType<typeof make>,
        ReturnType<typeof make>,
      ];
      const logits = tensor([[1, 2]], { dtype: 'float64' });
      for (const fails of [
        () => {
          throw new Error('no more data');
        },
        () => nn.functional.crossEntropy(logits, tensor(Int32Array.of(7))), // Known only when the program runs.
      ]) {
        let calls = 0;
        const breaking = (): Tensor => (++calls % 3 === 0 ? fails() : failing.closure());
        await expect(failing.optimizer.step(breaking)).rejects.toThrow(/no more data|crossEntropy/);
        expect(() => failing.optimizer.stepSync(breaking)).toThrow(/no more data|crossEntropy/);
        expect(calls).toBe(6);
        await failing.optimizer.step(failing.closure);
        await healthy.optimizer.step(healthy.closure);
        expect(failing.x.dataSync()).toEqual(healthy.x.dataSync());
        expect(failing.optimizer.stateDict().state['0']).toMatchObject({
          n_iter: healthy.optimizer.stateDict().state['0']!.n_iter,
        });
      }
    },
  );

  test.each(['strongWolfe', null] as const)('stepSync gives the bits of step: %s', async (lineSearchFn) => {
    const [one, two] = [1, 2].map(() => make({ lineSearchFn, lr: 0.01, maxIter: 3 }, 'bowl')) as [
      ReturnType<typeof make>,
      ReturnType<typeof make>,
    ];
    for (let step = 0; step < 3; step++)
      expect(two.optimizer.stepSync(two.closure)).toBe(await one.optimizer.step(one.closure));
    expect(two.x.dataSync()).toEqual(one.x.dataSync());
  });

  test('steps that are not awaited run one after the other, each with its own rate', async () => {
    const [one, two] = [make({ lr: 0.01, maxIter: 3 }, 'bowl'), make({ lr: 0.01, maxIter: 3 }, 'bowl')];
    for (const lr of [0.01, 0.005]) {
      one.optimizer.paramGroups[0].lr = lr;
      await one.optimizer.step(one.closure);
    }
    const first = two.optimizer.step(two.closure);
    two.optimizer.paramGroups[0].lr = 0.005;
    const second = two.optimizer.step(two.closure);
    two.optimizer.paramGroups[0].lr = 1;
    expect(() => two.optimizer.stepSync(two.closure)).toThrow(/LBFGS: stepSync while a step is under way/);
    await Promise.all([first, second]);
    expect(two.x.dataSync()).toEqual(one.x.dataSync());
  });

  test.each<[RegExp, () => unknown]>([
    [/LBFGS: lr/, () => make({ lr: NaN })],
    [/LBFGS: maxIter/, () => make({ maxIter: 0 })],
    [/LBFGS: lineSearchFn is one of strongWolfe, got wolfe/, () => make({ lineSearchFn: 'wolfe' as never })],
    [/LBFGS: got an empty list/, () => new optim.LBFGS([])],
    [/LBFGS: a parameter is a Variable/, () => new optim.LBFGS([{ params: [] }] as never)],
    [
      /old_dirs is a list/,
      () => {
        const { optimizer } = make({});
        const { param_groups: groups } = optimizer.stateDict();
        const vector = tensor([1, 2, 3, 4, 5, 6], { dtype: 'float64' });
        optimizer.loadStateDict({ state: { 0: { n_iter: 1, d: vector, t: 1 } }, param_groups: groups });
      },
    ],
  ])('refuses %s', (message, act) => {
    expect(act).toThrow(message);
  });
});

describe('options that PyTorch refuses', () => {
  test.each(recording.refused)('$name $option $value', ({ name, option, value }) => {
    const wrong = Array.isArray(value) ? value.map(toNumber) : toNumber(value);
    const make = (): unknown => {
      const camelCase = option.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
      return new (optim as unknown as Record<string, Make>)[name]!([new nn.Parameter(tensor([0]))], {
        [camelCase]: wrong,
      });
    };
    expect(make).toThrow(ValueError);
  });
});

describe('schedules as recorded by PyTorch', () => {
  const groups = (kind: 'SGD' | 'Adam' = 'SGD'): optim.SGD | optim.Adam => {
    const zero = (): nn.Parameter => new nn.Parameter(tensor([0]));
    const parameters = [{ params: [zero()] }, { params: [zero()], lr: 0.4 }];
    return kind === 'Adam'
      ? new optim.Adam(parameters, { lr: 0.1 })
      : new optim.SGD(parameters, { lr: 0.1, momentum: 0.9 });
  };

  const makers: Record<string, (o: Scheduled) => LRScheduler> = {
    LambdaLR: (o) => new optim.LambdaLR(o, [(t) => 0.95 ** t, (t) => 1 / (1 + t)]),
    MultiplicativeLR: (o) => new optim.MultiplicativeLR(o, [() => 0.95, (t) => t / (t + 1)]),
    StepLR: (o) => new optim.StepLR(o, 7, { gamma: 0.5 }),
    MultiStepLR: (o) => new optim.MultiStepLR(o, [5, 5, 30, 71], { gamma: 0.3 }),
    ConstantLR: (o) => new optim.ConstantLR(o, { factor: 0.2, totalIters: 11 }),
    LinearLR: (o) => new optim.LinearLR(o, { startFactor: 0.1, endFactor: 0.7, totalIters: 40 }),
    ExponentialLR: (o) => new optim.ExponentialLR(o, 0.97),
    PolynomialLR: (o) => new optim.PolynomialLR(o, { totalIters: 60, power: 1.7 }),
    CosineAnnealingLR: (o) => new optim.CosineAnnealingLR(o, 23, { etaMin: 0.01 }),
    CosineAnnealingWarmRestarts: (o) => new optim.CosineAnnealingWarmRestarts(o, 9, { tMult: 2, etaMin: 0.01 }),
    'CosineAnnealingWarmRestarts equal': (o) => new optim.CosineAnnealingWarmRestarts(o, 9),
    CyclicLR: (o) => new optim.CyclicLR(o, [0.01, 0.02], [0.5, 0.3], { stepSizeUp: 8, stepSizeDown: 13 }),
    'CyclicLR triangular2': (o) =>
      new optim.CyclicLR(o, 0.01, 0.5, { stepSizeUp: 8, mode: 'triangular2', baseMomentum: 0.5, maxMomentum: 0.95 }),
    'CyclicLR expRange': (o) =>
      new optim.CyclicLR(o, 0.01, 0.5, { stepSizeUp: 8, mode: 'expRange', gamma: 0.98, cycleMomentum: false }),
    'CyclicLR scaleFn': (o) =>
      new optim.CyclicLR(o, 0.01, 0.5, { stepSizeUp: 8, scaleFn: (t) => 1 / (1 + t), scaleMode: 'iterations' }),
    OneCycleLR: (o) => new optim.OneCycleLR(o, [0.5, 0.3], { totalSteps: 100 }),
    'OneCycleLR threePhase': (o) =>
      new optim.OneCycleLR(o, 0.5, {
        epochs: 10,
        stepsPerEpoch: 10,
        pctStart: 0.4,
        annealStrategy: 'linear',
        threePhase: true,
        divFactor: 10,
        finalDivFactor: 50,
      }),
    'OneCycleLR Adam': (o) => new optim.OneCycleLR(o, 0.5, { totalSteps: 120, baseMomentum: 0.7, maxMomentum: 0.9 }),
    'OneCycleLR momentum kept': (o) => new optim.OneCycleLR(o, 0.5, { totalSteps: 100, cycleMomentum: false }),
    SequentialLR: (o) =>
      new optim.SequentialLR(
        o,
        [
          new optim.LinearLR(o, { totalIters: 10 }),
          new optim.CosineAnnealingLR(o, 40),
          new optim.ExponentialLR(o, 0.9),
        ],
        [10, 50],
      ),
    ChainedScheduler: (o) =>
      new optim.ChainedScheduler([
        new optim.ConstantLR(o, { factor: 0.1, totalIters: 20 }),
        new optim.ExponentialLR(o, 0.98),
        new optim.StepLR(o, 30),
      ]),
    SWALR: (o) => new optim.SWALR(o, [0.01, 0.7], { annealEpochs: 15 }),
    'SWALR linear': (o) => new optim.SWALR(o, 0.05, { annealEpochs: 15, annealStrategy: 'linear' }),
  };
  const optimizerOf = (name: string): Scheduled => groups(name.includes('Adam') ? 'Adam' : 'SGD');
  const seen = ({ paramGroups }: Scheduled): number[] =>
    paramGroups.flatMap(({ lr, momentum, betas }) => [lr, betas?.[0] ?? momentum!]);

  test('all of them', () => {
    expect(Object.keys(makers)).toEqual(Object.keys(recording.rates));
  });

  test.each(Object.entries(recording.rates))('%s', (name, rates) => {
    const optimizer = optimizerOf(name);
    const scheduler = makers[name]!(optimizer);
    rates.forEach((expected, step) => {
      if (step > 0) scheduler.step();
      // Where a rate is near 0, what is recorded has the rounding of the rates before it.
      seen(optimizer).forEach((value, i) => {
        const want = expected.flat()[i]!;
        expect(Math.abs(value - want)).toBeLessThanOrEqual(1e-10 * Math.abs(want) + 1e-14);
      });
    });
  });

  test.each(Object.keys(recording.rates))('%s continues from a state dict', (name) => {
    const [one, two] = [optimizerOf(name), optimizerOf(name)];
    const [first, second] = [makers[name]!(one), makers[name]!(two)];
    for (let step = 0; step < 37; step++) first.step();
    second.loadStateDict(JSON.parse(JSON.stringify(first.stateDict())) as ReturnType<LRScheduler['stateDict']>);
    for (let step = 0; step < 20; step++) {
      expect(seen(two)).toEqual(seen(one));
      first.step();
      second.step();
    }
  });

  test.each(recording.plateaus)('ReduceLROnPlateau $options', ({ options, rates }) => {
    const optimizer = groups();
    let scheduler = new optim.ReduceLROnPlateau(optimizer, options);
    recording.metrics.forEach((metric, step) => {
      if (step === 50) {
        const state = scheduler.stateDict();
        scheduler = new optim.ReduceLROnPlateau(optimizer, options);
        scheduler.loadStateDict(state);
      }
      scheduler.step(metric);
      expectNear(scheduler.getLastLr(), rates[step]!, 1e-12);
    });
  });
});
