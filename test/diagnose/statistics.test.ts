import { F, ShapeError, ValueError, nn, optim, tensor, type Tensor } from '../../lib';
import { layerStatistics } from '../../lib/diagnose/statistics';

/** Sets weight and bias of a linear layer. */
function linear(weight: number[][], bias: number[]): nn.Linear {
  const layer = new nn.Linear(weight[0]!.length, weight.length);
  layer.weight.assign(tensor(weight));
  layer.bias!.assign(tensor(bias));
  return layer;
}

const batch = { x: tensor([[1, 2], [3, -4]]), y: tensor([[1], [0]]) }; // prettier-ignore

test('activations, dead units, norms and ratios are those computed by hand', async () => {
  // Units: 1 and 3, then -1 and -3, then 2 and -4: the second is dead.
  const model = new nn.Sequential(linear([[1, 0], [-1, 0], [0, 1]], [0, 0, 0]), new nn.ReLU(), linear([[1, 1, 1]], [0])); // prettier-ignore
  const { loss, activations, parameters } = await layerStatistics(model, batch, F.mseLoss, { lr: 0.1 });
  // Outputs 3 and 3 for targets 1 and 0.
  expect(loss).toBeCloseTo((4 + 9) / 2, 6);
  expect(activations.map(({ name, kind, dead, saturated }) => [name, kind, dead, saturated])).toEqual([
    ['0', 'Linear', null, null],
    ['1', 'ReLU', 1 / 3, null],
    ['2', 'Linear', null, null],
  ]);
  expect(activations[1]!.mean).toBeCloseTo((1 + 3 + 2) / 6, 12);
  expect(activations[1]!.std).toBeCloseTo(Math.sqrt((1 + 9 + 4) / 6 - 1), 12);
  // d loss / d outputs = outputs - targets = 2 and 3; the units are [1, 0, 2] and [3, 0, 0].
  const last = parameters.find(({ name }) => name === '2.weight')!;
  expect(last.weightNorm).toBeCloseTo(Math.sqrt(3), 6);
  expect(last.gradientNorm).toBeCloseTo(Math.hypot(2 + 9, 0, 4), 5);
  expect(last.updateRatio).toBeCloseTo((0.1 * Math.hypot(11, 4)) / Math.sqrt(3), 6);
  expect(parameters.find(({ name }) => name === '2.bias')).toMatchObject({ weightNorm: 0, updateRatio: null });
});

test('saturation counts sigmoid and tanh from the same share of their slope on', async () => {
  const x = tensor([[-8, -1, 0, 1.9, 2.1, 8]]);
  const y = tensor([[0, 0, 0, 0, 0, 0]]);
  const scale = (factor: number): nn.Linear => linear(Array.from({ length: 6 }, (_, i) => Array.from({ length: 6 }, (_, j) => (i === j ? factor : 0))), new Array<number>(6).fill(0)); // prettier-ignore
  for (const [factor, layer] of [
    [1, new nn.Tanh()],
    [2, new nn.Sigmoid()],
  ] as const) {
    const { activations } = await layerStatistics(new nn.Sequential(scale(factor), layer), { x, y }, F.mseLoss);
    // tanh(1.9) = 0.956, tanh(2.1) = 0.970.
    expect(activations[1]!.saturated).toBeCloseTo(3 / 6, 12);
  }
});

test('channels of images are the units', async () => {
  const x = tensor([[[[-1, 2], [-3, -4]], [[-1, -2], [-3, -4]]]]); // prettier-ignore
  const model = new nn.Sequential(new nn.ReLU(), new nn.Flatten(), new nn.Linear(8, 1));
  const { activations } = await layerStatistics(model, { x, y: tensor([[0]]) }, F.mseLoss);
  expect(activations[0]!.dead).toBe(0.5);
});

test('the model is as before: modes, gradients, buffers, no hooks, also after an error', async () => {
  const model = new nn.Sequential(new nn.Linear(2, 3), new nn.BatchNorm1d(3), new nn.Dropout(), new nn.Linear(3, 1));
  (model.at(2) as nn.Dropout).training = false;
  F.mseLoss(model.forward(batch.x), batch.y).backward();
  const gradients = [...model.parameters()].map(({ grad }) => grad);
  const buffers = await Promise.all([...model.buffers()].map((buffer) => buffer.data()));
  const failing = (): Tensor => {
    throw new Error('no loss');
  };
  await layerStatistics(model, batch, F.mseLoss);
  await expect(layerStatistics(model, batch, failing)).rejects.toThrow('no loss');
  await expect(layerStatistics(model, batch, (output) => output)).rejects.toThrow(ShapeError);
  expect([...model.modules()].map(({ training }) => training)).toEqual([true, true, true, false, true]);
  [...model.parameters()].forEach(({ grad }, i) => expect(grad).toBe(gradients[i]));
  expect(await Promise.all([...model.buffers()].map((buffer) => buffer.data()))).toEqual(buffers);
  for (const module of model.modules()) expect(Object.hasOwn(module, 'forward')).toBe(false);
  await new optim.SGD(model.parameters(), { lr: 0.1 }).step();
});

test('refuses what is no model, batch, loss or option', async () => {
  const model = new nn.Linear(2, 1);
  await expect(layerStatistics({} as nn.Linear, batch, F.mseLoss)).rejects.toThrow('model is a Module');
  await expect(layerStatistics(model, { x: batch.x } as typeof batch, F.mseLoss)).rejects.toThrow('batch is { x, y }');
  await expect(layerStatistics(model, batch, 'mse' as never)).rejects.toThrow('loss is a function');
  await expect(layerStatistics(model, batch, F.mseLoss, { lr: 0 })).rejects.toThrow(ValueError);
  await expect(layerStatistics(model, batch, F.mseLoss, { signal: AbortSignal.abort() })).rejects.toThrow('aborted');
});
