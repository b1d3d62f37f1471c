import { nn, ones, optim, tensor } from '../../lib';
import { DTypeError, ValueError } from '../../lib/errors';
import type { Tensor, TensorBase } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';

const numbers = (x: unknown): number[] => [...(x as TensorBase).capture().dataSync()].map(Number);

onEachBackend('forward hooks', () => {
  test('see inputs and outputs, in the order of their registration', () => {
    const layer = new nn.ReLU();
    const seen: unknown[] = [];
    layer.registerForwardPreHook((module, inputs) => void seen.push('first', module === layer, inputs.length));
    layer.registerForwardPreHook((_module, [x]) => void seen.push('second', numbers(x)));
    layer.registerForwardHook((_module, [x], y) => void seen.push('after', numbers(x), numbers(y)));
    expect(numbers(layer.forward(tensor([-1, 2])))).toEqual([0, 2]);
    expect(seen).toEqual(['first', true, 1, 'second', [-1, 2], 'after', [-1, 2], [0, 2]]);
  });

  test('replace inputs and outputs by what they return', () => {
    const layer = new nn.ReLU();
    layer.registerForwardPreHook((_module, [x]) => (x as Tensor).neg());
    layer.registerForwardPreHook((_module, [x]) => [(x as Tensor).mul(3)]);
    layer.registerForwardHook((_module, _inputs, y) => (y as Tensor).add(1));
    layer.registerForwardHook((_module, [x], y) => (y as Tensor).add(x as Tensor));
    expect(numbers(layer.forward(tensor([-1, 2])))).toEqual([7, -5]);
  });

  test('are called wherever the module is used, and no longer once removed', () => {
    const layer = new nn.Linear(2, 3);
    const model = new nn.Sequential(layer, new nn.ReLU());
    const shapes: (readonly number[])[] = [];
    const before = layer.registerForwardPreHook((_module, [x]) => void shapes.push((x as Tensor).shape));
    const after = layer.registerForwardHook((_module, _inputs, y) => void shapes.push((y as Tensor).shape));
    model.forward(ones([4, 2]));
    before.remove();
    model.forward(ones([5, 2]));
    after.remove();
    after.remove();
    model.forward(ones([6, 2]));
    expect(shapes).toEqual([
      [4, 2],
      [4, 3],
      [5, 3],
    ]);
    expect(Object.keys(layer)).not.toContain('forward');
    expect(Object.hasOwn(layer, 'forward')).toBe(false);
    expect([...layer.stateDict().keys()]).toEqual(['weight', 'bias']);
  });

  test('gradients flow through them', () => {
    const layer = new nn.Identity();
    layer.registerForwardHook((_module, _inputs, y) => (y as Tensor).mul(5));
    const x = tensor([1, 2], { requiresGrad: true });
    layer.forward(x).sum().backward();
    expect(numbers(x.grad)).toEqual([5, 5]);
  });

  test('a module with several inputs', () => {
    const layer = new nn.Bilinear(2, 2, 1);
    layer.registerForwardPreHook((_module, [a, b]) => [b, a]);
    const plain = new nn.Bilinear(2, 2, 1);
    plain.loadStateDict(layer.stateDict());
    const [a, b] = [tensor([[1, 2]]), tensor([[3, -1]])];
    expect(numbers(layer.forward(a, b))).toEqual(numbers(plain.forward(b, a)));
  });

  test('refuse what is no hook', () => {
    const layer = new nn.ReLU();
    expect(() => layer.registerForwardHook(3 as never)).toThrow(ValueError);
    expect(() => new nn.ModuleList().registerForwardHook(() => undefined)).toThrow(/ModuleList has no forward/);
    layer.registerForwardPreHook(() => 3 as never);
    expect(() => layer.forward(ones([1]))).toThrow(/forward pre-hook/);
  });
});

onEachBackend('the dtype of a module', () => {
  test('to, double and float convert parameters and buffers in place', async () => {
    const model = new nn.Sequential(new nn.Linear(2, 2), new nn.BatchNorm1d(2));
    const [weight] = [...model.parameters()];
    const before = numbers(weight);
    expect(model.double()).toBe(model);
    expect([...model.parameters()][0]).toBe(weight);
    expect([...model.buffers()].map(({ dtype }) => dtype)).toEqual(['float64', 'float64', 'int32']);
    expect(numbers(weight)).toEqual(before);
    const x = tensor(
      [
        [1, 2],
        [3, -1],
      ],
      { dtype: 'float64' },
    );
    const optimizer = new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 });
    const y = model.forward(x);
    expect(y.dtype).toBe('float64');
    y.square().mean().backward();
    expect(weight!.grad!.dtype).toBe('float64');
    await optimizer.step();
    expect(model.float().forward(x.to('float32')).dtype).toBe('float32');
    expect(weight!.grad).toBeNull();
    expect(() => model.to('int32')).toThrow(DTypeError);
  });
});
