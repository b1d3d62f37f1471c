import { AbortError, MemoryLimitError, ValueError } from '../../lib/errors';
import { evaluateSync, readData, readDataSync, readItem, settled, stats, submit } from '../../lib/graph/evaluate';
import { setMemoryLimit } from '../../lib/graph/memory';
import { ones, tensor } from '../../lib/ops/create';
import { add, mul, sin } from '../../lib/ops/elementwise';
import { gather } from '../../lib/ops/indexing';
import { matmul } from '../../lib/ops/matmul';
import { sum } from '../../lib/ops/reduce';
import '../../lib/ops/methods';
import { useBackend } from '../../lib/backend';
import { Variable, type Tensor } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';

const numbers = (t: Tensor): number[] => Array.from(readDataSync(t) as Float32Array);

let salt = 0;
/** Of a structure that no program has yet, and too many operations to be compiled on the spot: 2 x + `times`. */
function long(x: Tensor, times = 300 + ++salt): { y: Tensor; added: number } {
  let y = matmul(x, tensor([[2]]));
  for (let i = 0; i < times; i++) y = add(matmul(y, tensor([[1]])), 1);
  return { y, added: times };
}

onEachBackend('a long program', (backend) => {
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

  test('that is aborted meanwhile leaves Variables as they were', async () => {
    const weight = new Variable(tensor([[3]]));
    const controller = new AbortController();
    weight.assign(long(weight.capture()).y);
    const ended = submit([weight.current], { signal: controller.signal });
    controller.abort();
    await expect(ended).rejects.toThrow(AbortError);
    expect(numbers(weight.capture())).toEqual([3]);
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
