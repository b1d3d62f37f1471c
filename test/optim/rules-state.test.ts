import { nn, tensor } from '../../lib';
import { DTypeError, ValueError } from '../../lib/errors';
import { Adafactor, Adagrad, Adan, ASGD, LAMB, LBFGS, Lion, Muon, NAdam, RMSprop, Rprop, SGD } from '../../lib/optim';
import { gradientAt, startOf } from './trajectories';

const parameter = (shape: readonly number[] = [1]): nn.Parameter =>
  new nn.Parameter(tensor(startOf(shape), { shape: [...shape] }));

test('state of other shapes than the parameter is saved and loaded', async () => {
  const [a, b] = [parameter([2, 3, 4]), parameter([2, 3, 4])];
  b.assign(a);
  const [first, second] = [new Adafactor([a]), new Adafactor([b])];
  const step = async (variable: nn.Parameter, optimizer: Adafactor, t: number): Promise<void> => {
    variable.grad = tensor(gradientAt([2, 3, 4], t), { shape: [2, 3, 4] });
    await optimizer.step();
  };
  await step(a, first, 1);
  const saved = first.stateDict();
  expect(saved.state['0']).toMatchObject({ step: 1, row_var: { shape: [2, 3, 1] }, col_var: { shape: [2, 1, 4] } });
  b.assign(a);
  second.loadStateDict(saved);
  for (const [variable, optimizer] of [
    [a, first],
    [b, second],
  ] as const)
    await step(variable, optimizer, 2);
  expect(b.dataSync()).toEqual(a.dataSync());
  const wrong = { ...saved, state: { 0: { ...saved.state['0'], row_var: tensor([1]) } } };
  expect(() => second.loadStateDict(wrong)).toThrow(/row_var has shape \[1\], expected \[2, 3, 1\]/);
});

test('numbers of the state are saved, loaded, and go back when a step fails', async () => {
  const layer = new nn.Linear(2, 3);
  const optimizer = new NAdam(layer.parameters());
  const train = (label: number): Promise<void> => {
    optimizer.zeroGrad();
    nn.functional.crossEntropy(layer.forward(tensor([[1, 2]])), tensor(Int32Array.of(label))).backward();
    return optimizer.step();
  };
  await train(1);
  const { mu_product: before } = optimizer.stateDict().state['0']!;
  expect(before).toBeCloseTo(0.9 * (1 - 0.5 * 0.96 ** 0.004), 14);
  await expect(train(7)).rejects.toThrow(/crossEntropy/);
  expect(optimizer.stateDict().state['0']).toMatchObject({ step: 1, mu_product: before });
  const other = new NAdam(layer.parameters());
  other.loadStateDict(optimizer.stateDict());
  expect(other.stateDict().state['0']!.mu_product).toBe(before);
  // As PyTorch saves them.
  const { state, param_groups: groups } = optimizer.stateDict();
  const load = (entry: object) => (): void =>
    other.loadStateDict({ state: { ...state, 0: { ...state['0'], ...entry } }, param_groups: groups });
  load({ step: tensor(3), mu_product: tensor(0.25) })();
  expect(other.stateDict().state['0']).toMatchObject({ step: 3, mu_product: 0.25 });
  expect(load({ mu_product: tensor([1, 2]) })).toThrow(/mu_product is a finite number/);
  expect(load({ exp_avg: 3 })).toThrow(/exp_avg is not a tensor/);
});

test.each<[string, new (...given: never[]) => Error, () => unknown]>([
  [
    'SGD: momentumForm is one of torch, classical, averaged, got polyak',
    ValueError,
    () => new SGD([parameter()], { momentumForm: 'polyak' as never }),
  ],
  [
    'SGD: dampening belongs to momentumForm torch',
    ValueError,
    () => new SGD([parameter()], { momentumForm: 'averaged', momentum: 0.9, dampening: 0.1 }),
  ],
  ['Adagrad: lrDecay', ValueError, () => new Adagrad([parameter()], { lrDecay: -1 })],
  ['Adagrad: average', ValueError, () => new Adagrad([parameter()], { average: 1 as never })],
  [
    'RMSprop: init is one of zeros, got gradient',
    ValueError,
    () => new RMSprop([parameter()], { init: 'gradient', centered: true }),
  ],
  ['Rprop: etas', ValueError, () => new Rprop([parameter()], { etas: [1.2, 0.5] })],
  ['Rprop: stepSizes', ValueError, () => new Rprop([parameter()], { stepSizes: 3 as never })],
  ['ASGD: t0', ValueError, () => new ASGD([parameter()], { t0: NaN })],
  ['Lion: betas', ValueError, () => new Lion([parameter()], { betas: [0.9, 1] })],
  ['LAMB: eps', ValueError, () => new LAMB([parameter()], { eps: -1 })],
  ['Adan: betas are three numbers', ValueError, () => new Adan([parameter()], { betas: [0.9, 0.9] as never })],
  ['Adafactor: beta2Decay', ValueError, () => new Adafactor([parameter()], { beta2Decay: 0.8 })],
  ['Adafactor: eps are two numbers', ValueError, () => new Adafactor([parameter()], { eps: 1 as never })],
  ['Muon: useMuon', ValueError, () => new Muon([parameter()], { useMuon: 1 as never })],
  ['Muon: adamwLrFactor', ValueError, () => new Muon([parameter()], { adamwLrFactor: -1 })],
  ['Muon: adamwBetas\\[1\\]', ValueError, () => new Muon([parameter()], { adamwBetas: [0.9, 1] })],
  ['Muon: nsSteps', ValueError, () => new Muon([parameter([2, 2])], { nsSteps: 0 })],
  ['Muon: nsCoefficients', ValueError, () => new Muon([parameter([2, 2])], { nsCoefficients: [1] as never })],
  [
    'LBFGS: all parameters have one dtype',
    DTypeError,
    () => new LBFGS([parameter(), new nn.Parameter(tensor([1], { dtype: 'float64' }))]),
  ],
])('refuses %s', (message, type, make) => {
  expect(make).toThrow(type);
  expect(make).toThrow(new RegExp(message));
});
