import { manualSeed, models, tensor, Variable } from '../../lib';
import { drawFreshWeights } from '../../lib/diagnose/trainings/fresh-weights';
import { makeShallower } from '../../lib/diagnose/trainings/shallower';
import { BatchNorm1d, Linear, Module, ReLU, Sequential, init } from '../../lib/nn';
import { randn } from '../../lib/ops/random';
import type { Tensor, TensorBase } from '../../lib/tensor/tensor';

const plain = (layers: number): Sequential =>
  new Sequential(
    new Linear(3, 4),
    ...Array.from({ length: layers }, () => new Sequential(new Linear(4, 4), new ReLU())),
    new Linear(4, 2),
  );

class Gate extends Module {
  readonly layer = new Linear(3, 3);
  readonly mixing = new Variable(tensor([[5, 5]]), { requiresGrad: true });
  readonly weight = new Variable(tensor([5, 5]), { requiresGrad: true });
  readonly offset = new Variable(tensor([5, 5]), { requiresGrad: true });

  forward(x: TensorBase): Tensor {
    return this.layer.forward(x);
  }
}

test('fresh weights are those of new layers, the same from the same seed', async () => {
  const model = new Sequential(new Linear(3, 4), new BatchNorm1d(4));
  manualSeed(5);
  const expected = await new Linear(3, 4).weight.data();
  for (const parameter of model.parameters()) init.constant(parameter, NaN);
  drawFreshWeights(model, 5);
  const [weight, bias, scale, shift] = await Promise.all([...model.parameters()].map((one) => one.data()));
  expect(weight).toEqual(expected);
  expect(bias!.every((value) => Math.abs(Number(value)) <= 1 / Math.sqrt(3))).toBe(true);
  expect([scale, shift]).toEqual([new Float32Array(4).fill(1), new Float32Array(4)]);
});

test('parameters of modules that do not say how to begin', async () => {
  const model = new Gate();
  drawFreshWeights(model, 1);
  const [mixing, weight, offset] = await Promise.all(
    [model.mixing, model.weight, model.offset].map((one) => one.data()),
  );
  expect(mixing).not.toEqual(new Float32Array([5, 5]));
  expect([weight, offset]).toEqual([new Float32Array([1, 1]), new Float32Array(2)]);
});

test('a shallower model is the model without two of three repeated layers', async () => {
  const model = plain(7);
  const x = randn([5, 3]);
  const layers = [...model.children()] as Sequential[];
  const whole = await model.forward(x).data();
  const shallower = makeShallower(model, x)!;
  expect([shallower.repeated, shallower.leftOut]).toEqual([7, 5]);
  // A linear layer that is left out leaves its ReLU behind, which changes nothing after the first.
  const kept = [0, 1, 2, 3, 4, 5, 6].filter((i) => Math.floor(((i + 1) * 2) / 7) > Math.floor((i * 2) / 7));
  let y = (layers[0] as unknown as Linear).forward(x);
  for (let i = 0; i < 7; i++) {
    const [linear, relu] = [...layers[i + 1]!.children()] as [Linear, ReLU];
    y = kept.includes(i) ? relu.forward(Linear.prototype.forward.call(linear, y)) : y.relu();
  }
  const last = layers[8] as unknown as Linear;
  expect(await model.forward(x).data()).toEqual(await last.forward(y).data());
  shallower.restore();
  expect(await model.forward(x).data()).toEqual(whole);
});

test('blocks of a convolutional network; hooks survive', async () => {
  const model = new models.CifarNet(20, { inChannels: 1, width: 2, residual: false });
  let calls = 0;
  const block = [...model.layer1.children()][0]!;
  block.registerForwardHook(() => void calls++);
  const x = randn([1, 1, 8, 8]);
  const shallower = makeShallower(model, x)!;
  expect(shallower.repeated).toBe(9);
  await model.forward(x).data();
  shallower.restore();
  calls = 0;
  await model.forward(x).data();
  expect(calls).toBe(1);
});

test('what is no stack has no shallower version', () => {
  expect(makeShallower(plain(2), randn([1, 3]))).toBeNull();
  const normalised = new Sequential(...Array.from({ length: 5 }, () => new BatchNorm1d(3)));
  expect(makeShallower(normalised, randn([2, 3]))).toBeNull();
});
