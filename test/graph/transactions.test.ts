import { BackendError, ValueError } from '../../lib/errors';
import { evaluateSync, submit } from '../../lib/graph/evaluate';
import { readData, readDataSync, readItemSync } from '../../lib/graph/reading';
import { labelled } from '../../lib/graph/modes';
import { ones, tensor, zeros } from '../../lib/ops/create';
import { add, mul, sub } from '../../lib/ops/elementwise';
import { gather } from '../../lib/ops/indexing';
import { sum } from '../../lib/ops/reduce';
import { Variable, withoutCapturing, type Tensor } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';

const numbers = (t: Tensor): number[] => Array.from(readDataSync(t) as Float32Array);
const pick = (x: Tensor, index: number): Tensor => gather(x, 0, tensor(new Int32Array([index])));

onEachBackend('programs are transactions', () => {
  test('a failure leaves every Variable at its last version, and names the operation and where it was recorded', async () => {
    const [weight, state] = [new Variable(tensor([1, 2])), new Variable(tensor([5, 6]))];
    weight.assign(add(weight, 10));
    readDataSync(weight.current);
    const failing = sum(pick(weight.capture(), 9));
    state.replace(mul(state.current, 2));
    weight.assign(sub(weight, failing));
    const run = submit([weight.current, state.current]);
    await expect(run).rejects.toThrow(ValueError);
    await expect(run).rejects.toThrow(/gather.*9.*\[0, 2\)/);
    const error = (await run.catch((e: unknown) => e)) as Error;
    expect(error.stack).toContain('transactions.test');
    expect([numbers(weight.capture()), numbers(state.capture())]).toEqual([
      [11, 12],
      [5, 6],
    ]);
  });

  test('of two recipes with one program each failure names what its own recipe was called', () => {
    for (const name of ['first', 'second'])
      expect(() => numbers(labelled(name, () => pick(tensor([1, 2]), 9)))).toThrow(`${name}: index 9`);
  });

  test('what depends on a failed program fails with the same cause, queued or not', async () => {
    const weight = new Variable(tensor([1, 2]));
    weight.assign(add(weight, pick(tensor([1, 2]), 5)));
    const failing = weight.current;
    const first = submit([failing]).catch((e: unknown) => e);
    const dependent = mul(failing, 2);
    const second = submit([dependent]).catch((e: unknown) => e);
    const [firstError, secondError] = await Promise.all([first, second]);
    expect(firstError).toBeInstanceOf(ValueError);
    expect(secondError).toBe(firstError);
    expect(() => readDataSync(dependent)).toThrow(firstError as Error);
    expect(() => evaluateSync([add(dependent, 1)])).toThrow(firstError as Error);
    expect(numbers(weight.capture())).toEqual([1, 2]);
  });

  test('a program that there is no memory for is a failure like any other', async () => {
    // Larger than what shares a buffer with others.
    const weight = new Variable(ones([5000]));
    weight.assign(add(weight, 1));
    const other = add(weight, 1);
    const allocate = jest.spyOn(Buffer, 'allocUnsafeSlow').mockImplementation(() => {
      throw new RangeError('Array buffer allocation failed');
    });
    try {
      await expect(submit([weight.current])).rejects.toThrow(BackendError);
      expect(() => readDataSync(other)).toThrow('no memory for a float32 tensor of 5000 elements');
    } finally {
      allocate.mockRestore();
    }
    expect(numbers(weight.capture())[4999]).toBe(1);
    expect(numbers(add(weight, 1))[4999]).toBe(2);
  });

  test('an unawaited failing step does not end the process; the next step or read throws its error', async () => {
    const rejections: unknown[] = [];
    const listen = (reason: unknown): void => void rejections.push(reason);
    process.on('unhandledRejection', listen);
    void submit([pick(tensor([1]), 3)]);
    await new Promise((resolve) => setTimeout(resolve, 50));
    process.off('unhandledRejection', listen);
    expect(rejections).toEqual([]);
    expect(() => readItemSync(add(tensor(1), 1))).toThrow(ValueError);
    expect(readItemSync(add(tensor(1), 1))).toBe(2);
  });

  test('an awaited failure is not thrown a second time', async () => {
    await expect(submit([pick(tensor([1]), 3)])).rejects.toThrow(ValueError);
    await expect(readData(pick(tensor([1]), 4))).rejects.toThrow(ValueError);
    expect(readItemSync(add(tensor(1), 1))).toBe(2);
  });

  test('state that only the optimizer has seen is overwritten in place; what somebody else may hold is not', () => {
    const state = new Variable(zeros([4]));
    const step = (): void => {
      withoutCapturing(() => state.replace(add(state.current, 1)));
      evaluateSync([state.current]);
    };
    step();
    const storage = state.current.storage;
    step();
    expect(state.current.storage).toBe(storage);
    const held = state.capture();
    step();
    expect(state.current.storage).not.toBe(storage);
    expect([numbers(held), numbers(state.capture())]).toEqual([
      [2, 2, 2, 2],
      [3, 3, 3, 3],
    ]);
  });

  test('a version that two Variables came to share is not overwritten', () => {
    const [a, b] = [new Variable(zeros([2])), new Variable(zeros([2]))];
    const shared = tensor([1, 1]);
    withoutCapturing(() => {
      a.replace(add(shared, 1));
      b.replace(add(shared, 1));
    });
    evaluateSync([a.current, b.current]);
    withoutCapturing(() => a.replace(mul(a.current, 10)));
    evaluateSync([a.current]);
    expect([numbers(a.capture()), numbers(b.capture())]).toEqual([
      [20, 20],
      [2, 2],
    ]);
  });

  test('state is overwritten only behind everything that can fail', async () => {
    const state = new Variable(zeros([2]));
    for (const index of [0, 1, 7]) {
      withoutCapturing(() => state.replace(add(state.current, 1)));
      await submit([state.current, pick(tensor([1, 2]), index)]).catch(() => undefined);
    }
    expect(numbers(state.capture())).toEqual([2, 2]);
  });
});
