import { nn, ones, stats, tensor, zeros, type Variable } from '../../lib';
import { ValueError } from '../../lib/errors';
import {
  Adam,
  AdamW,
  SGD,
  type AdamOptions,
  type Optimizer,
  type CommonOptions,
  type SGDOptions,
} from '../../lib/optim';
import { onEachBackend } from '../helpers/backends';

const STEPS = 50;
const start = [0.5, -1.5, 2, 0.01];

/** Gradients that any optimizer would meet: of all signs and sizes. */
const gradientAt = (step: number): number[] =>
  start.map((_, i) => Math.sin(1.7 * step + i) * 10 ** (i - 2) + (step % 7 === i ? 0 : 0.05));

type Rule = (theta: number, g: number, step: number, memory: { [name: string]: number }) => number;

/** The rule as its authors print it, in float64, one number after the other. */
function trajectory(rule: Rule): number[] {
  return start.map((first, i) => {
    const memory = {};
    let theta = first;
    for (let step = 1; step <= STEPS; step++) theta = rule(theta, gradientAt(step)[i]!, step, memory);
    return theta;
  });
}

async function run(make: (parameters: Variable[]) => Optimizer<CommonOptions>): Promise<number[]> {
  const parameter = new nn.Parameter(tensor(start, { dtype: 'float64' }));
  const optimizer = make([parameter]);
  for (let step = 1; step <= STEPS; step++) {
    parameter.grad = tensor(gradientAt(step), { dtype: 'float64' });
    await optimizer.step();
  }
  return [...(await parameter.data())].map(Number);
}

function expectClose(actual: readonly number[], expected: readonly number[]): void {
  actual.forEach((value, i) =>
    expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-12 * (1 + Math.abs(expected[i]!))),
  );
}

const sgdRule =
  ({
    lr,
    momentum = 0,
    dampening = 0,
    weightDecay = 0,
    nesterov = false,
    maximize = false,
  }: Partial<SGDOptions> & { lr: number }): Rule =>
  (theta, gradient, step, memory) => {
    let g = (maximize ? -gradient : gradient) + weightDecay * theta;
    if (momentum !== 0) {
      memory.m = step === 1 ? g : momentum * memory.m! + (1 - dampening) * g;
      g = nesterov ? g + momentum * memory.m : memory.m;
    }
    return theta - lr * g;
  };

const adamRule =
  (
    {
      lr,
      betas: [b1, b2] = [0.9, 0.999],
      eps = 1e-8,
      weightDecay = 0,
      amsgrad,
      maximize,
    }: Partial<AdamOptions> & { lr: number },
    decoupled = false,
  ): Rule =>
  (theta, gradient, t, memory) => {
    let g = maximize ? -gradient : gradient;
    if (decoupled) theta -= lr * weightDecay * theta;
    else g += weightDecay * theta;
    memory.m = b1 * (memory.m ?? 0) + (1 - b1) * g;
    memory.v = b2 * (memory.v ?? 0) + (1 - b2) * g * g;
    memory.max = Math.max(memory.max ?? 0, memory.v);
    const vHat = (amsgrad ? memory.max : memory.v) / (1 - b2 ** t);
    return theta - (lr * (memory.m / (1 - b1 ** t))) / (Math.sqrt(vHat) + eps);
  };

onEachBackend('update rules', () => {
  test.each<Partial<SGDOptions> & { lr: number }>([
    { lr: 0.1 },
    { lr: 0.1, momentum: 0.9 },
    { lr: 0.1, momentum: 0.9, dampening: 0.4 },
    { lr: 0.1, momentum: 0.9, nesterov: true },
    { lr: 0.01, momentum: 0.5, weightDecay: 0.1, maximize: true },
  ])('SGD %j', async (options) => {
    expectClose(await run((parameters) => new SGD(parameters, options)), trajectory(sgdRule(options)));
  });

  test.each<Partial<AdamOptions> & { lr: number }>([
    { lr: 0.01 },
    { lr: 0.1, betas: [0.5, 0.9], eps: 1e-3 },
    { lr: 0.01, weightDecay: 0.1, maximize: true },
    { lr: 0.01, betas: [0.9, 0.5], amsgrad: true },
    { lr: 0.01, betas: [0, 0] },
  ])('Adam %j', async (options) => {
    expectClose(await run((parameters) => new Adam(parameters, options)), trajectory(adamRule(options)));
  });

  test.each<Partial<AdamOptions> & { lr: number }>([{ lr: 0.01 }, { lr: 0.1, weightDecay: 0.3, amsgrad: true }])(
    'AdamW %j',
    async (options) => {
      const rule = adamRule({ weightDecay: 0.01, ...options }, true);
      expectClose(await run((parameters) => new AdamW(parameters, options)), trajectory(rule));
    },
  );
});

onEachBackend('optimizers', () => {
  const parameter = (value = 1): nn.Parameter => new nn.Parameter(tensor([value]));

  test('step and stepSync give the same bits', async () => {
    const [a, b] = [parameter(), parameter()];
    const first = new Adam([a]);
    const second = new Adam([b]);
    for (let i = 0; i < 5; i++) {
      a.grad = tensor([0.3 * i - 0.5]);
      b.grad = tensor([0.3 * i - 0.5]);
      await first.step();
      second.stepSync();
    }
    expect(b.dataSync()).toEqual(a.dataSync());
  });

  test('a closure is called once, and its loss comes from the same program', async () => {
    const a = parameter(3);
    const optimizer = new SGD([a], { lr: 0.25 });
    let calls = 0;
    let loss = ones([1]);
    const closure = (): typeof loss => {
      calls++;
      optimizer.zeroGrad();
      loss = a.square();
      loss.sum().backward();
      return loss;
    };
    await optimizer.step(closure);
    optimizer.stepSync(closure);
    const { recomputed } = stats();
    expect([calls, a.itemSync(), loss.itemSync()]).toEqual([2, 0.75, 2.25]);
    expect(stats().recomputed).toBe(recomputed);
    expect(() => optimizer.step((async () => ones([1])) as never)).toThrow(/SGD: the closure is synchronous/);
  });

  test('skips parameters without a gradient', async () => {
    const [a, b] = [parameter(), parameter()];
    a.grad = ones([1]);
    const optimizer = new Adam([a, b], { lr: 0.1 });
    await optimizer.step();
    expect(a.itemSync()).toBeCloseTo(0.9, 6);
    expect(b.itemSync()).toBe(1);
    expect(Object.keys(optimizer.stateDict().state)).toEqual(['0']);
  });

  test('groups have options of their own', async () => {
    const [a, b] = [parameter(), parameter()];
    const optimizer = new SGD([{ params: [a] }, { params: [b], lr: 0.25 }], { lr: 0.5 });
    for (const variable of [a, b]) variable.grad = ones([1]);
    await optimizer.step();
    expect([a.itemSync(), b.itemSync()]).toEqual([0.5, 0.75]);
  });

  test('zeroGrad forgets gradients', () => {
    const a = parameter();
    a.grad = ones([1]);
    new SGD([a]).zeroGrad();
    expect(a.grad).toBeNull();
  });

  test('a schedule compiles nothing again', async () => {
    const a = parameter();
    const optimizer = new Adam([a], { lr: 0.1 });
    const step = async (): Promise<void> => {
      a.grad = ones([1]);
      optimizer.paramGroups[0]!.lr *= 0.9;
      await optimizer.step();
    };
    await step();
    await step();
    await step();
    const { compilations } = stats();
    for (let i = 0; i < 5; i++) await step();
    expect(stats().compilations).toBe(compilations);
  });

  test('a loop of small steps that are awaited lets the event loop turn', async () => {
    const a = parameter();
    const optimizer = new SGD([a]);
    let turns = 0;
    const timer = setInterval(() => turns++, 1);
    const end = performance.now() + 200;
    while (performance.now() < end) {
      a.grad = ones([1]);
      await optimizer.step();
    }
    clearInterval(timer);
    expect(turns).toBeGreaterThan(10);
  });

  test('snapshots taken between steps keep their numbers', async () => {
    const a = parameter();
    const optimizer = new SGD([a], { lr: 0.5, momentum: 0.5 });
    const steps: { value: number; buffer: number }[] = [];
    for (let i = 0; i < 3; i++) {
      a.grad = ones([1]);
      await optimizer.step();
      const held = a.mul(1);
      const { momentum_buffer: buffer } = optimizer.stateDict().state['0']!;
      steps.push({ value: held.itemSync(), buffer: (buffer as typeof held).itemSync() });
    }
    expect(steps).toEqual([
      { value: 0.5, buffer: 1 },
      { value: -0.25, buffer: 1.5 },
      { value: -1.125, buffer: 1.75 },
    ]);
  });

  test('what was read of a parameter before a step stays', async () => {
    const a = parameter();
    const before = a.mul(2);
    a.grad = ones([1]);
    await new SGD([a], { lr: 0.5 }).step();
    expect(before.itemSync()).toBe(2);
    expect(a.itemSync()).toBe(0.5);
  });

  test('a failed step leaves parameters, state and its count as they were', async () => {
    const make = (): { layer: nn.Linear; optimizer: Adam } => {
      const layer = new nn.Linear(2, 3);
      layer.loadStateDict({ weight: ones([3, 2]), bias: zeros([3]) });
      return { layer, optimizer: new Adam(layer.parameters(), { lr: 0.1 }) };
    };
    const train = ({ layer, optimizer }: ReturnType<typeof make>, label: number): Promise<void> => {
      optimizer.zeroGrad();
      nn.functional.crossEntropy(layer.forward(tensor([[1, 2]])), tensor(Int32Array.of(label))).backward();
      return optimizer.step();
    };
    const [failing, healthy] = [make(), make()];
    await expect(train(failing, 3)).rejects.toThrow(/crossEntropy/);
    await train(failing, 1);
    await expect(train(failing, -1)).rejects.toThrow(ValueError);
    await train(failing, 0);
    await train(healthy, 1);
    await train(healthy, 0);
    expect(failing.layer.weight.dataSync()).toEqual(healthy.layer.weight.dataSync());
    expect(failing.optimizer.stateDict().state['0']!.step).toBe(2);
    expect(() => {
      failing.optimizer.zeroGrad();
      nn.functional.crossEntropy(failing.layer.forward(tensor([[1, 2]])), tensor(Int32Array.of(9))).backward();
      failing.optimizer.stepSync();
    }).toThrow(/crossEntropy/);
    expect(failing.optimizer.stateDict().state['0']!.step).toBe(2);
    expect(failing.layer.weight.dataSync()).toEqual(healthy.layer.weight.dataSync());
  });

  test('the failure of an unawaited step is thrown by the next, which changes nothing', async () => {
    const layer = new nn.Linear(1, 2);
    const optimizer = new SGD(layer.parameters(), { lr: 1 });
    const before = layer.weight.dataSync();
    nn.functional.crossEntropy(layer.forward(ones([1, 1])), tensor(Int32Array.of(5))).backward();
    void optimizer.step();
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (const parameter of layer.parameters()) parameter.grad = ones(parameter.shape);
    expect(() => optimizer.step()).toThrow(/crossEntropy/);
    expect(layer.weight.dataSync()).toEqual(before);
  });

  describe('state dicts', () => {
    const gradients = [0.5, -0.2, 0.9, 0.1];

    test('continue to the same bits, and have the names of PyTorch', async () => {
      const [a, b] = [parameter(), parameter()];
      const first = new Adam([a], { lr: 0.05, amsgrad: true, weightDecay: 0.1 });
      let second: Adam | null = null;
      for (const [i, gradient] of gradients.entries()) {
        if (i === 2) {
          second = new Adam([b], { lr: 1 });
          b.assign(a);
          second.loadStateDict(first.stateDict());
        }
        for (const [variable, optimizer] of [
          [a, first],
          [b, second],
        ] as const) {
          variable.grad = tensor([gradient]);
          await optimizer?.step();
        }
      }
      expect(b.dataSync()).toEqual(a.dataSync());
      const { state, param_groups: groups } = first.stateDict();
      expect(Object.keys(state['0']!)).toEqual(['step', 'exp_avg', 'exp_avg_sq', 'max_exp_avg_sq']);
      expect(groups[0]).toMatchObject({ lr: 0.05, betas: [0.9, 0.999], weight_decay: 0.1, amsgrad: true, params: [0] });
    });

    test('are snapshots', async () => {
      const a = parameter();
      const optimizer = new SGD([a], { lr: 0.1, momentum: 0.9 });
      a.grad = ones([1]);
      await optimizer.step();
      const { momentum_buffer: buffer } = optimizer.stateDict().state['0']!;
      for (let i = 0; i < 3; i++) await optimizer.step();
      expect((buffer as ReturnType<typeof ones>).itemSync()).toBe(1);
    });

    test('of another optimizer are refused, with all that is missing and unexpected, and change nothing', async () => {
      const parameters = [parameter(), parameter()];
      const adam = new Adam(parameters, { amsgrad: true });
      const sgd = new SGD(parameters, { momentum: 0.9 });
      for (const one of parameters) one.grad = ones([1]);
      await adam.step();
      const { state } = adam.stateDict();
      const before = sgd.stateDict();
      const load = (): void => sgd.loadStateDict({ state, param_groups: before.param_groups });
      expect(load).toThrow(ValueError);
      expect(load).toThrow(
        new RegExp(
          [0, 1]
            .map(
              (i) =>
                `state ${i}: missing keys: momentum_buffer; state ${i}: unexpected keys: exp_avg, exp_avg_sq, max_exp_avg_sq`,
            )
            .join('; '),
        ),
      );
      expect(sgd.stateDict()).toEqual(before);
      // What the options of the dict ask for counts: without amsgrad there is no maximum.
      const plain = new Adam(parameters);
      const groups = plain.stateDict().param_groups;
      expect(() => plain.loadStateDict({ state, param_groups: groups })).toThrow(/unexpected keys: max_exp_avg_sq;/);
      plain.loadStateDict(adam.stateDict());
      expect(plain.stateDict().state['1']).toMatchObject({ step: 1, max_exp_avg_sq: { shape: [1] } });
      // PyTorch's SGD has None where there is no momentum.
      const still = new SGD(parameters);
      still.loadStateDict({
        state: { 0: { momentum_buffer: null } } as never,
        param_groups: still.stateDict().param_groups,
      });
      expect(still.stateDict().state).toEqual({ 0: { step: 0 } });
    });

    test('that do not fit are refused, and change nothing', async () => {
      const a = parameter();
      const optimizer = new SGD([a], { lr: 0.1, momentum: 0.9 });
      const { state, param_groups: groups } = optimizer.stateDict();
      const load = (dict: unknown) => (): void => optimizer.loadStateDict(dict as never);
      expect(load(null)).toThrow(ValueError);
      expect(load({ state, param_groups: [] })).toThrow(/0 parameter groups, expected 1/);
      expect(load({ state, param_groups: [{ ...groups[0], params: [0, 1] }] })).toThrow(/2 parameters, expected 1/);
      expect(load({ state, param_groups: [{ ...groups[0], lr: NaN }] })).toThrow(/lr.*NaN/);
      const wrong = { 0: { step: -1, momentum_buffer: ones([2]) }, 4: { step: 1 } };
      expect(load({ state: wrong, param_groups: groups })).toThrow(/step.*-1.*\[2\], expected \[1\].*state 4/);
      expect(optimizer.paramGroups[0]!.lr).toBe(0.1);
      expect(optimizer.stateDict().state).toEqual({});
    });
  });

  test.each<[string, () => unknown]>([
    ['SGD: lr', () => new SGD([parameter()], { lr: NaN })],
    ['SGD: lr', () => new SGD([parameter()], { lr: -1 })],
    ['SGD: momentum', () => new SGD([parameter()], { momentum: -0.1 })],
    ['SGD: weightDecay', () => new SGD([parameter()], { weightDecay: '1' as unknown as number })],
    ['SGD: nesterov', () => new SGD([parameter()], { nesterov: true })],
    ['SGD: unknown option learningRate', () => new SGD([parameter()], { learningRate: 1 } as Partial<SGDOptions>)],
    ['Adam: betas\\[1\\]', () => new Adam([parameter()], { betas: [0.9, 1] })],
    ['Adam: betas', () => new Adam([parameter()], { betas: 0.9 as unknown as [number, number] })],
    ['Adam: eps', () => new Adam([parameter()], { eps: Infinity })],
    ['AdamW: weightDecay', () => new AdamW([parameter()], { weightDecay: -1 })],
    ['Adam: got an empty list', () => new Adam([])],
    ['Adam: a parameter is a Variable', () => new Adam([parameter(), ones([1])] as never)],
    ['Adam: takes parameters or groups', () => new Adam([3] as never)],
    [
      'Adam: a parameter is given twice',
      () => {
        const a = parameter();
        return new Adam([{ params: [a] }, { params: [a] }]);
      },
    ],
  ])('refuses %s', (message, make) => {
    expect(make).toThrow(ValueError);
    expect(make).toThrow(new RegExp(message));
  });

  test('refuses options that became wrong, before anything is recorded', () => {
    const a = parameter();
    const optimizer = new Adam([a]);
    a.grad = ones([1]);
    optimizer.paramGroups[0]!.lr = NaN;
    expect(() => optimizer.step()).toThrow(/Adam: lr.*NaN/);
    expect(a.itemSync()).toBe(1);
  });
});
