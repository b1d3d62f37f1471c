import { add, mul, optim, sum, tensor, Variable, type Tensor } from '../../lib';
import { backward } from '../../lib/autodiff/backward';

const parameter = (): Variable => new Variable(tensor([1, 2, 3]), { requiresGrad: true });
const x = tensor([4, 5, 6]);

/** A training step without an update: only its gradient is left. */
function gradientStep(variable: Variable, factor: number): void {
  variable.grad = null;
  backward(sum(mul(mul(variable, x), factor)));
  new optim.SGD([variable], { lr: 0 }).stepSync();
}

describe('the memory of a gradient that was forgotten', () => {
  test('is taken by the next one', () => {
    const variable = parameter();
    gradientStep(variable, 1);
    const { storage } = variable.currentGrad!;
    gradientStep(variable, 2);
    expect(variable.currentGrad!.storage).toBe(storage);
    expect([...variable.grad!.dataSync()]).toEqual([8, 10, 12]);
  });

  test('stays as it is for whoever has seen the gradient', () => {
    const variable = parameter();
    gradientStep(variable, 1);
    const seen = variable.grad!;
    gradientStep(variable, 2);
    expect([...seen.dataSync()]).toEqual([4, 5, 6]);
    expect([...variable.grad!.dataSync()]).toEqual([8, 10, 12]);
  });

  test('stays where the gradient is the tensor that the caller gave', () => {
    const variable = parameter();
    const given = tensor([1, 1, 1]);
    const made = mul(given, 3);
    for (const seed of [given, made]) {
      variable.grad = null;
      backward(variable, seed);
      variable.grad = null;
      gradientStep(variable, 2);
    }
    expect([...given.dataSync()]).toEqual([1, 1, 1]);
    expect([...made.dataSync()]).toEqual([3, 3, 3]);
  });

  test('stays where two parameters share the gradient and one still has it', () => {
    const [a, b] = [parameter(), parameter()];
    backward(sum(mul(add(a, b), x)));
    new optim.SGD([a, b], { lr: 0 }).stepSync();
    gradientStep(a, 2);
    expect([...b.grad!.dataSync()]).toEqual([4, 5, 6]);
  });

  test('stays where the gradient can be differentiated again', () => {
    const variable = parameter();
    backward(sum(mul(mul(variable, variable), x)), undefined, { createGraph: true });
    const first = variable.currentGrad!;
    first.dataSync();
    const second: Tensor = sum(mul(first, first));
    gradientStep(variable, 1);
    // Σ (2 x p)² with p = [1, 2, 3].
    expect(second.itemSync()).toBe(64 + 400 + 1296);
  });

  test('is not taken by accumulation, whose sum is a new gradient', () => {
    const variable = parameter();
    gradientStep(variable, 1);
    const { storage } = variable.currentGrad!;
    backward(sum(mul(variable, x)));
    new optim.SGD([variable], { lr: 0 }).stepSync();
    expect(variable.currentGrad!.storage).not.toBe(storage);
    expect([...variable.grad!.dataSync()]).toEqual([8, 10, 12]);
  });
});
