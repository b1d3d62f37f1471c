import { nn, tensor, Variable, type Tensor, type TensorBase } from '../../lib';
import { ValueError } from '../../lib/errors';
import { AveragedModel, clipGradNorm, clipGradValue, emaAverage, SGD, swaAverage } from '../../lib/optim';
import { onEachBackend } from '../helpers/backends';

/** One weight, one float buffer, one counter. */
class Model extends nn.Module {
  weight = new nn.Parameter(tensor([1, 2], { dtype: 'float64' }));
  runningMean = tensorBuffer(0);
  numBatchesTracked = tensorBuffer(0, 'int32');

  forward(x: TensorBase): Tensor {
    this.runningMean.assign(this.runningMean.add(1));
    this.numBatchesTracked.assign(this.numBatchesTracked.add(1));
    return this.weight.mul(x);
  }
}

function tensorBuffer(value: number, dtype: 'float64' | 'int32' = 'float64'): Variable {
  return new Variable(tensor([value], { dtype }));
}

const numbers = (x: TensorBase): number[] => [...(x as nn.Parameter).dataSync()].map(Number);

onEachBackend('AveragedModel', () => {
  /** Trains some steps; returns the weights after each. */
  async function train(model: Model, average: AveragedModel, steps: number): Promise<number[][]> {
    const optimizer = new SGD([model.weight], { lr: 0.1, momentum: 0.9 });
    const seen: number[][] = [];
    for (let step = 0; step < steps; step++) {
      optimizer.zeroGrad();
      model
        .forward(tensor([1, step], { dtype: 'float64' }))
        .square()
        .sum()
        .backward();
      await optimizer.step();
      void average.updateParameters();
      seen.push(numbers(model.weight));
    }
    return seen;
  }

  test('the mean of all weights alike', async () => {
    const model = new Model();
    const average = new AveragedModel(model);
    const seen = await train(model, average, 7);
    const expected = [0, 1].map((i) => seen.reduce((sum, weights) => sum + weights[i]!, 0) / 7);
    const state = average.stateDict();
    numbers(state.get('module.weight')!).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 12));
    expect(numbers(state.get('n_averaged')!)).toEqual([7]);
    // Buffers are the latest.
    expect(numbers(state.get('module.running_mean')!)).toEqual([7]);
    expect([...state.keys()]).toEqual([
      'n_averaged',
      'module.weight',
      'module.running_mean',
      'module.num_batches_tracked',
    ]);
  });

  test('an exponential moving average, of float buffers too', async () => {
    const model = new Model();
    const average = new AveragedModel(model, { avgFn: emaAverage(0.8), useBuffers: true });
    const seen = await train(model, average, 6);
    const expected = seen.reduce((old, weights) => old.map((value, i) => 0.8 * value + 0.2 * weights[i]!));
    const state = average.stateDict();
    numbers(state.get('module.weight')!).forEach((value, i) => expect(value).toBeCloseTo(expected[i]!, 12));
    expect(numbers(state.get('module.running_mean')!)[0]).toBeCloseTo(
      [2, 3, 4, 5, 6].reduce((old, value) => 0.8 * old + 0.2 * value, 1),
      12,
    );
    expect(numbers(state.get('module.num_batches_tracked')!)).toEqual([6]);
  });

  test('during puts the averages into the model and the weights back, also after an error', async () => {
    const model = new Model();
    const average = new AveragedModel(model, { avgFn: swaAverage });
    const [first, last] = await train(model, average, 2);
    const middle = first!.map((value, i) => (value + last![i]!) / 2);
    const inside = await average.during(() => Promise.resolve(numbers(model.weight)));
    inside.forEach((value, i) => expect(value).toBeCloseTo(middle[i]!, 12));
    expect(numbers(model.weight)).toEqual(last);
    await expect(average.during(() => Promise.reject(new Error('stop')))).rejects.toThrow('stop');
    expect(numbers(model.weight)).toEqual(last);
    const other = new Model();
    average.copyTo(other);
    expect(numbers(other.weight)).toEqual(inside);
  });

  test('continues from a state dict', async () => {
    const model = new Model();
    const average = new AveragedModel(model);
    await train(model, average, 3);
    const copy = new AveragedModel(model);
    copy.loadStateDict(average.stateDict());
    expect(copy.nAveraged).toBe(3);
    await copy.updateParameters();
    await average.updateParameters();
    expect(numbers(copy.stateDict().get('module.weight')!)).toEqual(numbers(average.stateDict().get('module.weight')!));
    const keep = copy.stateDict();
    keep.delete('module.weight');
    expect(() => copy.loadStateDict(keep)).toThrow(/missing keys: module.weight/);
  });
});

onEachBackend('clipping', () => {
  const withGradient = (values: number[]): nn.Parameter => {
    const parameter = new nn.Parameter(tensor(values.map(() => 0)));
    parameter.grad = tensor(values);
    return parameter;
  };

  test('clipGradValue cuts each element', () => {
    const parameters = [withGradient([-3, 0.5, 7]), new nn.Parameter(tensor([1]))];
    clipGradValue(parameters, 2);
    expect(numbers(parameters[0]!.grad!)).toEqual([-2, 0.5, 2]);
    expect(parameters[1]!.grad).toBeNull();
  });

  test('clipGradNorm takes one parameter, or none with a gradient', () => {
    const parameter = withGradient([3, 4]);
    expect(clipGradNorm(parameter, 10).itemSync()).toBe(5);
    expect(numbers(parameter.grad!)).toEqual([3, 4]);
    expect(clipGradNorm([new nn.Parameter(tensor([1]))], 1).itemSync()).toBe(0);
  });

  test('clipGradNorm can refuse a norm that is not finite', () => {
    const parameter = withGradient([3, Infinity]);
    expect(() => clipGradNorm(parameter, 1, { errorIfNonfinite: true })).toThrow(/Infinity; nothing has been scaled/);
    expect(numbers(parameter.grad!)).toEqual([3, Infinity]);
  });

  test('a clipped step is one program', async () => {
    const parameter = new nn.Parameter(tensor([1, 1]));
    const optimizer = new SGD([parameter], { lr: 1 });
    parameter
      .mul(tensor([30, 40]))
      .sum()
      .backward();
    const norm = clipGradNorm([parameter], 5);
    await optimizer.step({ also: [norm] });
    expect(norm.itemSync()).toBe(50);
    numbers(parameter).forEach((value, i) => expect(value).toBeCloseTo([-2, -3][i]!, 5));
  });

  test.each<[string, () => unknown]>([
    ['clipGradNorm: maxNorm', () => clipGradNorm([], -1)],
    ['clipGradNorm: normType', () => clipGradNorm([], 1, { normType: 0 })],
    ['clipGradNorm: takes parameters, got number', () => clipGradNorm([3] as never, 1)],
    ['clipGradValue: clipValue', () => clipGradValue([], NaN)],
    ['emaAverage: decay', () => emaAverage(1)],
    ['AveragedModel: avgFn', () => new AveragedModel(new Model(), { avgFn: 0.9 as never })],
    ['AveragedModel: unknown option decay', () => new AveragedModel(new Model(), { decay: 0.9 } as never)],
  ])('refuses %s', (message, act) => {
    expect(act).toThrow(ValueError);
    expect(act).toThrow(message);
  });
});
