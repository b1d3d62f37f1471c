import { performance } from 'node:perf_hooks';
import { AbortError, ValueError } from '../../lib/errors';
import { evaluateSync, readData, readDataSync, settled, stats, submit } from '../../lib/graph/evaluate';
import { setMemoryLimit } from '../../lib/graph/memory';
import '../../lib/ops/methods';
import { cast } from '../../lib/ops/cast';
import { tensor, zeros } from '../../lib/ops/create';
import { add, maximum, mul } from '../../lib/ops/elementwise';
import { embedding } from '../../lib/nn/embedding';
import { sum } from '../../lib/ops/reduce';
import { Adam } from '../../lib/optim';
import { Variable, type Tensor } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';

const numbers = (t: Tensor): number[] => Array.from(readDataSync(t) as Float32Array);
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** So many operations that its program is compiled between turns; each call gives another program. `x` + 300 · (x² + 1). */
let programs = 0;
function long(x: Tensor | Variable): Tensor {
  let y = add(x, 0);
  // Sums of different lengths: nothing that an earlier test has compiled, and nothing that fuses into one region.
  for (let i = 0; i < 300; i++) y = add(y, sum(add(mul(x, x), zeros([2])), { dim: 0, keepdim: true }));
  for (let i = 0; i < programs; i++) y = maximum(y, y.detach());
  programs++;
  return y;
}

onEachBackend('a long compilation', () => {
  beforeEach(() => settled());
  afterEach(() => jest.restoreAllMocks());

  test('gives the event loop turns, wherever a slice has taken its time', async () => {
    let clock = 0;
    // Every look at the clock is an hour later: each slice ends where it can first be left.
    jest.spyOn(performance, 'now').mockImplementation(() => (clock += 3.6e6));
    const before = stats();
    const y = long(tensor([1, 2]));
    let ended = false;
    const read = readData(y).then((data) => ((ended = true), data));
    expect(stats().programs).toBe(before.programs);
    let turns = 0;
    for (; !ended && turns < 10_000; turns++) await turn();
    expect(turns).toBeGreaterThan(30);
    expect([...(await read)]).toEqual([1 + 300 * 5, 2 + 300 * 5]);
    expect(stats()).toMatchObject({
      programs: before.programs + 1,
      compilations: before.compilations + 1,
      inFlight: 0,
    });
  });

  test('is finished before anything else starts, which may be the same program', async () => {
    const before = stats();
    const y = long(tensor([1, 2]));
    const first = submit([y]);
    await turn();
    programs--;
    const z = long(tensor([3, 4]));
    await Promise.all([first, submit([z])]);
    expect(stats().compilations).toBe(before.compilations + 1);
    expect([numbers(y), numbers(z)]).toEqual([
      [1501, 1502],
      [3 + 300 * 25, 4 + 300 * 25],
    ]);
  });

  test('that is aborted meanwhile starts nothing; Variables go back', async () => {
    const controller = new AbortController();
    const before = stats();
    const variable = new Variable(tensor([1, 2]));
    variable.assign(add(variable, 1));
    evaluateSync([variable.current]);
    const next = long(variable);
    variable.replace(next);
    const completion = submit([variable.current], { signal: controller.signal });
    await turn();
    controller.abort();
    await expect(completion).rejects.toBeInstanceOf(AbortError);
    expect(stats()).toMatchObject({ programs: before.programs + 1, inFlight: 0 });
    expect(numbers(variable.capture())).toEqual([2, 3]);
  });

  test('of what depends on a run that fails meanwhile has its cause', async () => {
    const table = tensor([[1, 2]]);
    let slow = zeros([256, 256]);
    for (let i = 0; i < 20; i++) slow = slow.matmul(slow);
    const index = add(cast(sum(slow), 'int32'), 7);
    const wrong = embedding(index, table);
    // Listened to from the start: else its error is thrown by whatever comes next.
    const failing = submit([wrong]).catch((error: unknown) => error);
    const y = long(wrong);
    const completion = submit([y]);
    expect(await failing).toBeInstanceOf(ValueError);
    await expect(completion).rejects.toThrow(/7/);
    expect(() => numbers(y)).toThrow(ValueError);
  });
});

onEachBackend("an optimizer's first step", () => {
  afterEach(() => setMemoryLimit(null));

  test('takes memory for large states when it runs; the limit counts it before', async () => {
    const weight = new Variable(zeros([1024, 1024]), { requiresGrad: true });
    evaluateSync([weight.current]);
    const optimizer = new Adam([weight], { lr: 0.5 });
    weight.grad = add(zeros([1024, 1024]), 1);
    evaluateSync([weight.grad]);
    // 4 MiB each for both states and the new weight.
    setMemoryLimit(1);
    await expect(optimizer.step()).rejects.toThrow(/needs 12\.0 MiB more/);
    setMemoryLimit(null);
    await optimizer.step();
    expect(readDataSync(weight.capture())[7]).toBeCloseTo(-0.5, 5);
    const state = optimizer.stateDict().state[0]!;
    expect(readDataSync(state.exp_avg as Tensor)[7]).toBeCloseTo(0.1, 6);
  });
});
