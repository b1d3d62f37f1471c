import { performance } from 'node:perf_hooks';
import { AbortError, MemoryLimitError, ValueError } from '../../lib/errors';
import { evaluateSync, settled, stats, submit } from '../../lib/graph/evaluate';
import { readData, readDataSync, readItem } from '../../lib/graph/reading';
import { setMemoryLimit } from '../../lib/graph/memory';
import { cast } from '../../lib/ops/cast';
import { ones, tensor, zeros } from '../../lib/ops/create';
import { add, mul, sin } from '../../lib/ops/elementwise';
import { gather } from '../../lib/ops/indexing';
import { matmul } from '../../lib/ops/matmul';
import { sum } from '../../lib/ops/reduce';
import { reshape } from '../../lib/ops/shape';
import '../../lib/autodiff';
import '../../lib/ops/methods';
import { useBackend } from '../../lib/backend';
import { compile } from '../../lib/graph/compile';
import { embedding } from '../../lib/nn/embedding';
import { Adam } from '../../lib/optim';
import { Variable, type Tensor } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const numbers = (t: Tensor): number[] => Array.from(readDataSync(t) as Float32Array);

let salt = 0;
/** Of a structure that no program has yet, and too many operations to be compiled on the spot: 2 x + `times`. */
function long(x: Tensor, times = 300 + ++salt): { y: Tensor; added: number } {
  let y = matmul(x, tensor([[2]]));
  for (let i = 0; i < times; i++) y = add(matmul(y, tensor([[1]])), 1);
  return { y, added: times };
}

onEachBackend('a long program', (backend) => {
  beforeEach(() => settled());

  test('is compiled between turns of the event loop, while nobody waits on the spot', async () => {
    const before = stats();
    const { y, added } = long(tensor([[3]]));
    let turns = 0;
    const count = (): void => {
      turns++;
      if (y.storage === null) setImmediate(count);
    };
    const ended = submit([y]);
    expect([y.storage, stats().inFlight, stats().programs - before.programs]).toEqual([null, 1, 0]);
    setImmediate(count);
    await ended;
    expect(turns).toBeGreaterThan(0);
    expect(numbers(y)).toEqual([6 + added]);
    expect(stats().compilations - before.compilations).toBe(1);
    expect(stats().recomputed).toBe(before.recomputed);
    // Known from now on: started at once.
    const again = long(tensor([[4]]), added).y;
    const second = submit([again]);
    expect(again.storage).not.toBeNull();
    await second;
    expect(numbers(again)).toEqual([8 + added]);
    expect(stats().compilations - before.compilations).toBe(1);
  });

  test('asked for again while it is on its way, it is still compiled between turns', async () => {
    const { y, added } = long(tensor([[3]]));
    const ended = submit([y]);
    const again = submit([y]);
    expect(y.storage).toBeNull();
    await again;
    await ended;
    expect(numbers(y)).toEqual([6 + added]);
  });

  test('recipes from before a compiled function are computed in the background, and their error becomes its own', async () => {
    const { y, added } = long(tensor([[3]]));
    const doubled = compile(() => mul(y, 2))();
    expect([await readItem(doubled), numbers(y)]).toEqual([12 + 2 * added, [6 + added]]);
    const wrong = gather(tensor([1, 2]), 0, tensor(Int32Array.of(5)));
    await expect(readItem(compile(() => sum(wrong))())).rejects.toThrow(/gather/);
  });

  test('is finished at once for whoever waits, reads or starts something else', async () => {
    for (const wait of [
      (y: Tensor) => void evaluateSync([y]),
      (y: Tensor) => void numbers(y),
      () => void evaluateSync([sin(tensor([1]))]),
      (y: Tensor) => void evaluateSync([mul(y, 2)]),
      () => void submit([sin(tensor([2]))]),
    ]) {
      const before = stats();
      const { y, added } = long(tensor([[3]]));
      const ended = submit([y]);
      expect(y.storage).toBeNull();
      wait(y);
      expect(y.storage).not.toBeNull();
      await ended;
      expect(numbers(y)).toEqual([6 + added]);
      expect(stats().recomputed).toBe(before.recomputed);
    }
  });

  test('is waited for by promises without being started again', async () => {
    const before = stats();
    const { y, added } = long(tensor([[3]]));
    void submit([y]);
    const reads = Promise.all([readData(y), readItem(y)]);
    expect(y.storage).toBeNull();
    expect(await reads).toEqual([Float32Array.of(6 + added), 6 + added]);
    expect(stats().programs - before.programs).toBe(1);
  });

  test('goes on before another backend is chosen', async () => {
    const { y, added } = long(tensor([[3]]));
    void submit([y]);
    useBackend(backend);
    expect(numbers(y)).toEqual([6 + added]);
    await settled();
  });

  test('gives the event loop a turn wherever a slice has taken its time', async () => {
    let clock = 0;
    // Every look at the clock is an hour later: each slice ends where it can first be left.
    const spy = jest.spyOn(performance, 'now').mockImplementation(() => (clock += 3.6e6));
    const before = stats();
    const { y, added } = long(tensor([[3]]));
    let ended = false;
    const read = readData(y).then((data) => ((ended = true), data));
    expect(stats().programs).toBe(before.programs);
    let turns = 0;
    for (; !ended && turns < 10_000; turns++) await turn();
    spy.mockRestore();
    expect(turns).toBeGreaterThan(30);
    expect([...(await read)]).toEqual([6 + added]);
    expect(stats()).toMatchObject({
      programs: before.programs + 1,
      compilations: before.compilations + 1,
      inFlight: 0,
    });
  });

  test('is finished before the same program starts again', async () => {
    const before = stats();
    const { y, added } = long(tensor([[1]]));
    const first = submit([y]);
    await turn();
    const { y: z } = long(tensor([[2]]), added);
    await Promise.all([first, submit([z])]);
    expect(stats().compilations).toBe(before.compilations + 1);
    expect([numbers(y), numbers(z)]).toEqual([[2 + added], [4 + added]]);
  });

  test('that is aborted meanwhile starts nothing; Variables go back', async () => {
    const controller = new AbortController();
    const weight = new Variable(tensor([[2]]));
    weight.assign(add(weight, 1));
    evaluateSync([weight.current]);
    const before = stats();
    weight.assign(long(weight.capture()).y);
    const completion = submit([weight.current], { signal: controller.signal });
    await turn();
    controller.abort();
    await expect(completion).rejects.toBeInstanceOf(AbortError);
    expect(stats()).toMatchObject({ programs: before.programs, inFlight: 0 });
    expect(numbers(weight.capture())).toEqual([3]);
  });

  test('that depends on a run which fails meanwhile has its cause', async () => {
    let slow = zeros([256, 256]);
    for (let i = 0; i < 20; i++) slow = matmul(slow, slow);
    const index = add(cast(sum(slow), 'int32'), 7);
    const wrong = embedding(reshape(index, [1]), tensor([[1]]));
    // Listened to from the start: else its error is thrown by whatever comes next.
    const failing = submit([wrong]).catch((error: unknown) => error);
    const { y } = long(wrong);
    const completion = submit([y]);
    expect(await failing).toBeInstanceOf(ValueError);
    await expect(completion).rejects.toThrow(/7/);
    expect(() => numbers(y)).toThrow(ValueError);
  });

  test('that fails, or needs too much memory, does so for whoever awaits it', async () => {
    const { y } = long(gather(tensor([[1], [2]]), 0, tensor(Int32Array.of(7), { shape: [1, 1] })));
    await expect(submit([y])).rejects.toThrow(ValueError);
    await expect(readData(y)).rejects.toThrow(/gather/);

    const weight = new Variable(tensor([[3]]));
    weight.assign(add(long(weight.capture()).y, sum(mul(ones([1024, 1024]), 2))));
    const large = mul(ones([1024, 1024]), 3);
    setMemoryLimit(1);
    const ended = submit([weight.current, large]);
    await expect(ended).rejects.toThrow(MemoryLimitError);
    setMemoryLimit(null);
    expect(numbers(weight.capture())).toEqual([3]);
  });
});

onEachBackend('the first call of a long compiled function', (backend) => {
  beforeEach(() => settled());
  afterEach(() => setMemoryLimit(null));

  /** A training step of one weight; its loss is returned under two names. */
  function made(start: number) {
    const weight = new Variable(tensor([[start]]), { requiresGrad: true });
    const optimizer = new Adam([weight], { lr: 0.5 });
    const times = 300 + ++salt;
    const step = compile((x: Tensor) => {
      optimizer.zeroGrad();
      const loss = sum(mul(long(x, times).y, weight));
      loss.backward();
      void optimizer.step();
      return { loss, again: loss, gradient: weight.grad! };
    });
    return { weight, optimizer, step, added: times };
  }
  type Made = ReturnType<typeof made>;

  test('is compiled between turns; later ones replay its program, and what it left stays as it is', async () => {
    const before = stats();
    const { weight, step, added } = made(3);
    const held = weight.capture();
    const x = tensor([[2]]);
    const first = step(x);
    expect(first.again).toBe(first.loss);
    expect([first.loss.storage, stats().programs - before.programs]).toEqual([null, 0]);
    let turns = 0;
    const count = (): void => {
      turns++;
      if (first.loss.storage === null) setImmediate(count);
    };
    setImmediate(count);
    expect(await readItem(first.loss)).toBe((4 + added) * 3);
    expect(turns).toBeGreaterThan(0);
    const { programs, compilations } = stats();
    const second = step(tensor([[5]]));
    expect([stats().programs - programs, stats().compilations]).toEqual([1, compilations]);
    expect(numbers(second.gradient)).toEqual([10 + added]);
    expect(numbers(first.gradient)).toEqual([4 + added]);
    expect(numbers(first.loss)).toEqual([(4 + added) * 3]);
    expect(numbers(held)).toEqual([3]);
    // Adam's first steps are as long as the rate.
    expect(weight.dataSync()[0]).toBeCloseTo(2, 1);
    expect(compile.explain(step).programs[0]).toMatchObject({ replays: 2, inPlace: 3 });
  });

  test('is finished at once by the next call, by whoever reads, explains or chooses another backend', async () => {
    for (const wait of [
      ({ step }: Made) => void step(tensor([[1]])),
      ({ weight }: Made) => void weight.dataSync(),
      ({ step }: Made) => void expect(compile.explain(step).programs).toHaveLength(1),
      () => useBackend(backend),
    ]) {
      const all = made(2);
      const { loss } = all.step(tensor([[1]]));
      expect(loss.storage).toBeNull();
      wait(all);
      expect(loss.storage).not.toBeNull();
      expect(numbers(loss)).toEqual([(2 + all.added) * 2]);
    }
    await settled();
  });

  test('waits for arguments that are long recipes themselves, as later calls do', async () => {
    const short = compile((x: Tensor) => add(x, 1));
    for (let call = 0; call < 2; call++) {
      const { y, added } = long(tensor([[1]]));
      expect(await readItem(short(y))).toBe(2 + added + 1);
    }
  });

  test('counts copies of weights that somebody has seen against the limit, before they are made', async () => {
    const weight = new Variable(ones([1024, 1024]), { requiresGrad: true });
    evaluateSync([weight.current]);
    const optimizer = new Adam([weight], { lr: 0.5 });
    const step = compile(() => {
      optimizer.zeroGrad();
      const loss = sum(mul(weight, weight));
      loss.backward();
      void optimizer.step();
      return loss;
    });
    // 4 MiB each for the new weight, both states and the gradient.
    setMemoryLimit(1);
    await expect(readItem(step())).rejects.toThrow(/needs 16\.0 MiB more/);
    setMemoryLimit(null);
    expect(await readItem(step())).toBe(1024 * 1024);
    expect(weight.dataSync()[7]).toBeCloseTo(0.5, 5);
  });

  test('that cannot have its memory leaves weights and steps as they were, and the next call goes on', async () => {
    const { weight, optimizer, step, added } = made(2);
    const wide = compile((x: Tensor) => [step(x).loss, mul(ones([1024, 1024]), 3)]);
    setMemoryLimit(1);
    const [loss] = wide(tensor([[1]]));
    await expect(readItem(loss!)).rejects.toThrow(MemoryLimitError);
    setMemoryLimit(null);
    expect(weight.dataSync()).toEqual(Float32Array.of(2));
    expect(weight.grad!.failure).toBeInstanceOf(MemoryLimitError);
    expect(optimizer.stateDict().state[0]?.step ?? 0).toBe(0);
    expect(await readItem(wide(tensor([[1]]))[0]!)).toBe((2 + added) * 2);
    expect(optimizer.stateDict().state[0]!.step).toBe(1);
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
