import { getEventListeners } from 'node:events';
import { AbortError, ValueError } from '../../lib/errors';
import { evaluateSync, submit } from '../../lib/graph/evaluate';
import { readData, readDataSync, readItem, readItemSync } from '../../lib/graph/reading';
import { tensor, zeros } from '../../lib/ops/create';
import { add, mul } from '../../lib/ops/elementwise';
import { matmul } from '../../lib/ops/matmul';
import { sum } from '../../lib/ops/reduce';
import { backward } from '../../lib/autodiff';
import '../../lib/ops/methods';
import { SGD } from '../../lib/optim';
import { Variable, withoutCapturing, type Tensor } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';

const numbers = (t: Tensor): number[] => Array.from(readDataSync(t) as Float32Array);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const reasonOf = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => null, (e: unknown) => e); // prettier-ignore

/** Too long for the caller's thread; 0 in every element. */
function long(): Tensor {
  return squared(128, 60);
}

/** Seconds on every backend, of which a test waits for no more than one instruction. */
function endless(): Tensor {
  return squared(512, 500);
}

function squared(size: number, times: number): Tensor {
  let x = zeros([size, size]);
  for (let i = 0; i < times; i++) x = matmul(x, x);
  return x;
}

/** Nothing that is submitted behind it begins before `end` is called. */
function block(): { readonly end: () => void; readonly ended: Promise<unknown> } {
  const controller = new AbortController();
  const ended = reasonOf(submit([endless()], { signal: controller.signal }));
  return { end: () => controller.abort(), ended };
}

onEachBackend('a signal', () => {
  test('that has aborted already: nothing is started, and nothing is lost', async () => {
    const x = add(tensor([1, 2]), 1);
    const reason = new Error('too late');
    const signal = AbortSignal.abort(reason);
    const error = await reasonOf(readData(x, { signal }));
    expect(error).toBeInstanceOf(AbortError);
    expect(error).toMatchObject({
      name: 'AbortError',
      cause: reason,
      message: expect.stringContaining('too late') as string,
    });
    await expect(readItem(sum(x), { signal })).rejects.toBe(error);
    expect(numbers(x)).toEqual([2, 3]);
  });

  test('ends a program that runs, between two instructions', async () => {
    const controller = new AbortController();
    const x = endless();
    const read = readData(x, { signal: controller.signal });
    await turn();
    controller.abort();
    await expect(read).rejects.toMatchObject({ name: 'AbortError', cause: controller.signal.reason as unknown });
    expect(() => readDataSync(x)).toThrow(AbortError);
    expect(readItemSync(add(tensor(1), 1))).toBe(2);
    expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
  });

  test('takes a program out of the queue; what depends on it fails with the same cause, the rest goes on', async () => {
    const controller = new AbortController();
    const front = block();
    const before = [submit([long()]), submit([long()]), submit([long()])];
    const queued = sum(long());
    const read = reasonOf(readItem(queued, { signal: controller.signal }));
    const dependent = reasonOf(submit([add(queued, 1)]));
    const after = readItem(sum(add(long(), 1)));
    controller.abort('not needed');
    front.end();
    const error = await read;
    expect(error).toBeInstanceOf(AbortError);
    expect((error as Error).cause).toBe('not needed');
    expect(await dependent).toBe(error);
    expect(await front.ended).toBeInstanceOf(AbortError);
    await Promise.all(before);
    expect(await after).toBe(128 * 128);
  });

  test('ends a step: parameters, state and step counts are as before, in whatever order runs end', async () => {
    const weight = new Variable(zeros([128, 128]), { requiresGrad: true });
    const optimizer = new SGD([weight], { lr: 1, momentum: 0.5 });
    const step = (signal?: AbortSignal): Promise<void> => {
      optimizer.zeroGrad();
      backward(sum(add(matmul(long(), weight), weight)));
      return optimizer.step({ signal });
    };
    await step();
    expect(numbers(weight.capture())[5]).toBe(-1);
    const controller = new AbortController();
    const front = block();
    const [kept, aborted] = [step(), reasonOf(step(controller.signal))];
    controller.abort();
    const dependent = reasonOf(step());
    front.end();
    await kept;
    expect(await aborted).toBeInstanceOf(AbortError);
    expect(await dependent).toBe(await aborted);
    // The momentum of two steps: 1, then 1.5.
    expect(numbers(weight.capture())[5]).toBe(-2.5);
    await expect(optimizer.step({ signal: controller.signal })).rejects.toThrow(AbortError);
    expect(numbers(weight.capture())[5]).toBe(-2.5);
    await step();
    expect(numbers(weight.capture())[5]).toBe(-4.25);
  });

  test('of a read ends the read, not the program of somebody else', async () => {
    const controller = new AbortController();
    const x = sum(add(long(), 1));
    const front = block();
    const program = submit([x]);
    const read = readItem(x, { signal: controller.signal });
    const other = readItem(x);
    controller.abort();
    front.end();
    await expect(read).rejects.toThrow(AbortError);
    await program;
    expect(await other).toBe(128 * 128);
  });

  test('that aborts too late changes nothing, and keeps no listener', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    for (let i = 0; i < 5; i++) expect(await readItem(sum(add(long(), i)), { signal })).toBe(128 * 128 * i);
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    const x = mul(tensor([1, 2]), 2);
    await x.data({ signal });
    controller.abort();
    expect(numbers(x)).toEqual([2, 4]);
  }, 30_000);

  test('of an unawaited step: the next one throws', async () => {
    const state = new Variable(zeros([2]));
    withoutCapturing(() => state.replace(add(state.current, 1)));
    void submit([state.current], { signal: AbortSignal.abort() });
    await turn();
    expect(() => evaluateSync([add(tensor(1), 1)])).toThrow(AbortError);
  });

  test('is an AbortSignal', () => {
    for (const signal of [null, {}, 1, new AbortController()])
      expect(() => tensor(1).item({ signal: signal as unknown as AbortSignal })).toThrow(ValueError);
  });
});
