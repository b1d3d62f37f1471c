import { nn, ones, tensor, Variable, zeros } from '../../lib';
import { ValueError, DTypeError } from '../../lib/errors';
import { stateKey } from '../../lib/nn/state-dict';
import type { Tensor, TensorBase } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';

class Block extends nn.Module {
  readonly inProjWeight = new nn.Parameter(ones([2]));
  readonly runningMean = new Variable(zeros([2]));
  readonly skipped = null;
  readonly label = 'text';

  forward(x: TensorBase): Tensor {
    return x.capture();
  }
}

class Net extends nn.Module {
  readonly first = new nn.Linear(3, 2);
  readonly blocks = [new Block(), new Block()];
  readonly scales = [new nn.Parameter(ones([1]))];
  readonly tied = this.first.weight;
}

const namesOf = (entries: Iterable<[string, unknown]>): string[] => [...entries].map(([name]) => name);

onEachBackend('Module', () => {
  test('walks plain fields, arrays and children, with names as in PyTorch', () => {
    const net = new Net();
    expect(namesOf(net.namedParameters())).toEqual([
      'scales.0',
      'tied',
      'first.bias',
      'blocks.0.in_proj_weight',
      'blocks.1.in_proj_weight',
    ]);
    expect(namesOf(net.namedBuffers())).toEqual(['blocks.0.running_mean', 'blocks.1.running_mean']);
    expect(namesOf(net.namedModules())).toEqual(['', 'first', 'blocks.0', 'blocks.1']);
    expect(namesOf(net.namedChildren())).toEqual(['first', 'blocks.0', 'blocks.1']);
    expect([...net.children()]).toEqual([net.first, ...net.blocks]);
    expect([...net.modules()][0]).toBe(net);
  });

  test('lists a shared parameter once, and saves it under each name', () => {
    const net = new Net();
    expect([...net.parameters()].filter((parameter) => parameter === net.tied)).toHaveLength(1);
    expect([...net.stateDict().keys()]).toEqual(expect.arrayContaining(['tied', 'first.weight']));
  });

  test('a module that contains itself ends', () => {
    class Loop extends nn.Module {
      readonly weight = new nn.Parameter(ones([1]));
      readonly self = this;
    }
    expect(namesOf(new Loop().namedParameters())).toEqual(['weight']);
  });

  test.each([
    ['weight', 'weight'],
    ['runningMean', 'running_mean'],
    ['numBatchesTracked', 'num_batches_tracked'],
    ['conv1', 'conv1'],
  ])('the field %s is %s in state dicts', (field, key) => expect(stateKey(field)).toBe(key));

  test('state dicts have the keys of PyTorch', () => {
    const model = new nn.Sequential(new nn.Conv2d(1, 2, 3), new nn.BatchNorm2d(2), new nn.ReLU(), new nn.Linear(2, 3));
    expect([...model.stateDict().keys()]).toEqual([
      '0.weight',
      '0.bias',
      '1.weight',
      '1.bias',
      '1.running_mean',
      '1.running_var',
      '1.num_batches_tracked',
      '3.weight',
      '3.bias',
    ]);
    expect(model.stateDict().get('1.num_batches_tracked')!.dtype).toBe('int64');
    expect(new nn.Sequential({ hidden: new nn.Linear(1, 1, { bias: false }) }).stateDict().size).toBe(1);
  });

  test('a state dict is a snapshot', () => {
    const layer = new nn.Linear(2, 1);
    const before = [...layer.weight.dataSync()];
    const dict = layer.stateDict();
    nn.init.zeros(layer.weight);
    expect([...dict.get('weight')!.dataSync()]).toEqual(before);
    expect([...layer.weight.dataSync()]).toEqual([0, 0]);
    expect(dict.get('weight')!.requiresGrad).toBe(false);
  });

  test('loads what another model saved', () => {
    const make = (): nn.Sequential =>
      new nn.Sequential(new nn.Linear(3, 4), new nn.BatchNorm1d(4), new nn.Linear(4, 2));
    const [a, b] = [make(), make()];
    const x = tensor([
      [1, 2, 3],
      [-1, 0, 2],
    ]);
    a.forward(x).dataSync();
    expect(b.loadStateDict(a.stateDict())).toEqual({ missingKeys: [], unexpectedKeys: [] });
    a.eval();
    b.eval();
    expect(b.forward(x).dataSync()).toEqual(a.forward(x).dataSync());
    for (const parameter of b.parameters()) expect(parameter.requiresGrad).toBe(true);
  });

  test('loads plain objects and converts dtypes', () => {
    const layer = new nn.Linear(2, 1);
    layer.loadStateDict({ weight: tensor([[1.5, 2]], { dtype: 'float64' }), bias: tensor([0.25]) });
    expect([...layer.weight.dataSync()]).toEqual([1.5, 2]);
    expect(layer.weight.dtype).toBe('float32');
    const norm = new nn.BatchNorm1d(1);
    norm.loadStateDict(new Map([...norm.stateDict(), ['num_batches_tracked', tensor(7n)]]));
    expect(norm.numBatchesTracked!.itemSync()).toBe(7);
  });

  test('lists everything that does not fit at once, and changes nothing', () => {
    const model = new nn.Sequential(new nn.Linear(2, 3), new nn.Linear(3, 1));
    const before = [...model.stateDict().values()].map((value) => [...value.dataSync()]);
    const dict = model.stateDict();
    dict.delete('0.bias');
    dict.delete('1.bias');
    dict.set('2.weight', ones([1]));
    dict.set('__proto__', ones([1]));
    dict.set('1.weight', ones([3, 1]));
    dict.set('0.weight', ones([3, 2], { dtype: 'int32' }));
    const load = (): unknown => model.loadStateDict(dict);
    expect(load).toThrow(ValueError);
    expect(load).toThrow(/missing keys: 0\.bias, 1\.bias/);
    expect(load).toThrow(/unexpected keys: 2\.weight, __proto__/);
    expect(load).toThrow(/0\.weight is int32, expected float32; 1\.weight has shape \[3, 1\], expected \[1, 3\]/);
    expect([...model.stateDict().values()].map((value) => [...value.dataSync()])).toEqual(before);
    expect(() => model.loadStateDict(null as never)).toThrow(ValueError);
  });

  test('strict: false lets keys be missing or unexpected, but not misshapen', () => {
    const layer = new nn.Linear(1, 1);
    const result = layer.loadStateDict({ bias: tensor([3]), other: tensor([1]) }, { strict: false });
    expect(result).toEqual({ missingKeys: ['weight'], unexpectedKeys: ['other'] });
    expect(layer.bias!.itemSync()).toBe(3);
    expect(() => layer.loadStateDict({ bias: tensor([1, 2]) }, { strict: false })).toThrow(/bias has shape \[2\]/);
  });

  test('train and eval reach the whole tree', () => {
    const net = new Net();
    net.eval();
    expect([...net.modules()].map((module) => module.training)).toEqual([false, false, false, false]);
    net.train();
    expect([...net.modules()].every((module) => module.training)).toBe(true);
  });

  test('freeze stops gradients, unfreeze lets them flow again', async () => {
    const model = new nn.Sequential(new nn.Linear(2, 2), new nn.Linear(2, 1));
    const [first, last] = [...model] as nn.Linear[];
    first!.freeze();
    model
      .forward(ones([1, 2]))
      .sum()
      .backward();
    expect(first!.weight.grad).toBeNull();
    expect(last!.weight.grad).not.toBeNull();
    first!.unfreeze();
    model.zeroGrad();
    expect(last!.weight.grad).toBeNull();
    model
      .forward(ones([1, 2]))
      .sum()
      .backward();
    expect(await first!.weight.grad!.data()).toHaveLength(4);
  });

  test('apply visits children before parents', () => {
    const model = new nn.Sequential(new nn.Sequential(new nn.ReLU()), new nn.Tanh());
    const seen: string[] = [];
    model.apply((module) => void seen.push(module.constructor.name));
    expect(seen).toEqual(['ReLU', 'Sequential', 'Tanh', 'Sequential']);
  });

  test('prints as a tree', () => {
    const model = new nn.Sequential({
      features: new nn.Sequential(new nn.Conv2d(3, 8, 3, { padding: 1, groups: 1 }), new nn.ReLU()),
      head: new nn.Linear(8, 2, { bias: false }),
    });
    expect(String(model)).toBe(
      [
        'Sequential(',
        '  (features): Sequential(',
        '    (0): Conv2d(3, 8, kernelSize=[3, 3], stride=[1, 1], padding=[1, 1])',
        '    (1): ReLU()',
        '  )',
        '  (head): Linear(inFeatures=8, outFeatures=2, bias=false)',
        ')',
      ].join('\n'),
    );
  });

  test('Sequential refuses what is no layer', () => {
    expect(() => new nn.Sequential(new nn.ReLU(), 3 as never)).toThrow(/layer 1.*forward.*3/);
    expect(new nn.Sequential().forward(tensor([1])).itemSync()).toBe(1);
    expect(new nn.Sequential(new nn.ReLU(), new nn.Tanh()).at(-1)).toBeInstanceOf(nn.Tanh);
  });

  test('a Parameter is floating point', () => {
    expect(() => new nn.Parameter(zeros([1], { dtype: 'int32' }))).toThrow(DTypeError);
  });
});
