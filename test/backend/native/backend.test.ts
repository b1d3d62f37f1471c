import { BackendError, ValueError } from '../../../lib/errors';
import type { Completion } from '../../../lib/graph/backend';
import { NativeBackend } from '../../../lib/backend/native';
import { loadAddon } from '../../../lib/backend/native/loader';
import { opcodeIds } from '../../../lib/graph/program/elementwise';
import { dtypes } from '../../../lib/tensor/dtype';
import { setAddressOf, Storage } from '../../../lib/tensor/storage';
import { bound, dense, float32, increment, int32, lookUp, multiply, programOf, rowSumsOfProduct, runNow, runOf } from './programs';

const { add, mul } = opcodeIds;
const { addon } = loadAddon();

(addon === null ? describe.skip : describe)('NativeBackend', () => {
  if (addon === null) {
    test('needs the addon', () => undefined);
    return;
  }
  const backend = new NativeBackend(addon);
  const tiers = [...addon.supported];
  const best = tiers.at(-1)!;
  const threads = backend.threads;

  beforeAll(() => setAddressOf((buffer) => backend.addressOf(buffer)));
  afterEach(() => {
    backend.setIsa(best);
    backend.threads = threads;
  });
  afterAll(() => setAddressOf(() => 0));

  describe('runInline', () => {
    it.each(tiers)('multiplies on %s', (isa) => {
      backend.setIsa(isa);
      expect(backend.isa).toBe(isa);
      const out = new Storage('float32', 5);
      expect(runNow(backend, multiply(5), [float32([1, 2, 3, 4, 5]), float32([2, 3, 4, 5, NaN]), out])).toBeNull();
      expect([...out.data]).toEqual([2, 6, 12, 20, NaN]);
    });

    it.each(tiers)('sums a product with a transposed operand by way of the arena on %s', (isa) => {
      backend.setIsa(isa);
      const out = new Storage('float32', 2);
      // x = [[1, 2, 3], [4, 5, 6]], w = [[1, 3, 5], [2, 4, 6]] as the transposed of its rows.
      const bindings = [float32([1, 2, 3, 4, 5, 6]), float32([1, 2, 3, 4, 5, 6]), out];
      expect(runNow(backend, rowSumsOfProduct(2, 3), bindings)).toBeNull();
      expect([...out.data]).toEqual([1 + 6 + 15, 8 + 20 + 36]);
    });

    it('takes scalars and overwrites inout buffers', () => {
      const x = float32([1, 2, 3]);
      expect(runNow(backend, increment(3, 4), [x], [0.5])).toBeNull();
      expect([...x.data]).toEqual([3, 4, 5]);
    });

    it('gives the same bits for every thread count', () => {
      const length = 300_000;
      const values = Float32Array.from({ length }, (_, i) => Math.sin(i));
      const results = [1, 2, 3, 7].map((count) => {
        backend.threads = count;
        expect(backend.threads).toBe(count);
        const out = new Storage('float32', 3);
        const bindings = [Storage.from('float32', values), Storage.from('float32', values), out];
        expect(runNow(backend, rowSumsOfProduct(3, length / 3), bindings)).toBeNull();
        return Buffer.from(out.data.buffer, out.data.byteOffset, 12).toString('hex');
      });
      expect(new Set(results).size).toBe(1);
    });

    it('runs programs without instructions and with empty buffers', () => {
      expect(runNow(backend, programOf([], []), [])).toBeNull();
      expect(runNow(backend, multiply(0), [float32([]), float32([]), float32([])])).toBeNull();
    });

    it('runs what binds many buffers and scalars', () => {
      const storages = Array.from({ length: 900 }, (_, i) => float32([i]));
      const output = new Storage('float32', 1);
      const buffers = [...storages.map(() => bound('input', 'float32', 1)), bound('output', 'float32', 1)];
      const inputs = [dense(899, [1]), dense(7, [1])];
      const attributes = [1, 1, 5, 2, 0, add, 0, 3, 0, 1, -1, mul, 0, 4, 3, 2, -1, 4, 0, 1200];
      const program = programOf(buffers, [{ kernel: 'elementwise', inputs, outputs: [dense(900, [1])], attributes }], 1201);
      const scalars = Array.from({ length: 1201 }, (_, i) => i);
      expect(runNow(backend, program, [...storages, output], scalars)).toBeNull();
      expect(output.data[0]).toBe((899 + 7) * 1200);
    });

    it('takes storages that were made before the addresses were known', () => {
      setAddressOf(() => 0);
      const bindings = [float32([2]), float32([3]), new Storage('float32', 1)];
      setAddressOf((buffer) => backend.addressOf(buffer));
      expect(runNow(backend, multiply(1), bindings)).toBeNull();
      expect(bindings[2]!.data[0]).toBe(6);
    });

    it('aligns new storages to 64 bytes', () => {
      for (let length = 0; length < 40; length++) expect(new Storage('bool', length).address % 64).toBe(0);
    });

    it('says which instruction failed and why', () => {
      const failure = runNow(backend, lookUp(3, 2), [float32([1, 2, 3]), int32([0, 3]), new Storage('float32', 2)]);
      expect(failure).toMatchObject({ kind: 'value', instruction: 0, cause: -1 });
      expect(failure!.message).toMatch(/3/);
    });

    it('reports memory that is not there', () => {
      const program = { ...multiply(1), arenaBytes: 2 ** 45 };
      const failure = runNow(backend, program, [float32([2]), float32([3]), new Storage('float32', 1)]);
      expect(failure).toMatchObject({ kind: 'memory', instruction: -1, cause: -1 });
      expect(failure!.message).toContain(String(2 ** 45));
    });
  });

  describe('refusals', () => {
    it('throws a BackendError for a malformed program', () => {
      const program = multiply(4);
      const outside = { ...program, buffers: program.buffers.map((buffer) => ({ ...buffer, length: 3 })) };
      expect(() => backend.load(outside)).toThrow(BackendError);
      expect(() => backend.load(outside)).toThrow(/instruction 0: a view is not within buffer 0/);
    });

    it('throws for bindings that do not fit', () => {
      const a = float32([1, 2]);
      expect(() => runNow(backend, multiply(2), [a, a])).toThrow(/3 bindings and 0 scalars, and was given 2 and 0/);
      expect(() => runNow(backend, multiply(2), [a, a, a], [1])).toThrow(BackendError);
      expect(() => runNow(backend, multiply(2), [a, a, float32([1])])).toThrow(/binding 2 is float32 \[1\], its buffer float32 \[2\]/);
      expect(() => runNow(backend, multiply(2), [a, a, int32([1, 2])])).toThrow(/binding 2 is int32/);
    });

    it('throws for a program of another backend', () => {
      const run = runOf({ program: multiply(1) }, []);
      expect(() => backend.runInline(run)).toThrow(BackendError);
      expect(() => backend.submit(run)).toThrow(BackendError);
    });

    it.each([0, 65, 1.5, NaN, -1])('throws a ValueError for %p threads', (count) => {
      expect(() => (backend.threads = count)).toThrow(ValueError);
      expect(backend.threads).toBe(threads);
    });

    it('throws a ValueError for an unknown instruction set and says which there are', () => {
      expect(() => backend.setIsa('mmx')).toThrow(ValueError);
      expect(() => backend.setIsa('mmx')).toThrow(new RegExp(tiers.join(', ')));
    });
  });

  describe('queue', () => {
    const long = () => backend.load(increment(200_000, 60));
    /** out = x + 1, 10,000 times: some seconds, of which a test waits for no more than it needs. */
    const endless = () => {
      const n = 1_000_000;
      const copy = { kernel: 'elementwise' as const, inputs: [dense(0, [n])], outputs: [dense(1, [n])] };
      const attributes = [1, 1, 3, 1, dtypes.float32.id, add, dtypes.float32.id, 2, 0, 1, -1, 2, 0, 0];
      const instructions = new Array(10_000).fill({ ...copy, attributes });
      const program = programOf([bound('input', 'float32', n), bound('output', 'float32', n)], instructions, 1);
      // Zeros, so that a test sees when the first instruction has written.
      const zeros = () => new Storage('float32', n, { zeroed: true });
      return runOf(backend.load(program), [zeros(), zeros()], [1]);
    };

    it('runs in the order of submission and collects in that order', () => {
      const x = float32([0]);
      const loaded = backend.load(increment(1, 1));
      // x -> 2 (x + 1) each time only if the order holds: x = x + x, x = x + 1.
      const double = backend.load(
        programOf(
          [bound('inout', 'float32', 1)],
          [{ kernel: 'elementwise', inputs: [dense(0, [1])], outputs: [dense(0, [1])], attributes: [1, 0, 2, 1, add, 0, 1, 0, 0, -1, 1, 0] }],
        ),
      );
      const ids: number[] = [];
      for (let i = 0; i < 10; i++) {
        const runs = [runOf(loaded, [x], [1]), runOf(double, [x])];
        for (const run of runs) backend.submit(run);
        ids.push(...runs.map(({ id }) => id));
      }
      backend.wait(ids.at(-1)!);
      expect(backend.collect()).toEqual(ids.map((id): Completion => ({ id, failure: null })));
      expect(backend.collect()).toEqual([]);
      expect(x.data[0]).toBe(2 ** 11 - 2);
    });

    it('returns from submit and collect while a program runs', () => {
      const x = Storage.from('float32', new Float32Array(200_000));
      const run = runOf(backend.load(increment(200_000, 5000)), [x], [1]);
      backend.submit(run);
      expect(backend.collect()).toEqual([]);
      expect(x.data.at(-1)).toBeLessThan(5000);
      backend.wait(run.id);
      expect(backend.collect()).toEqual([{ id: run.id, failure: null }]);
      expect(x.data.at(-1)).toBe(5000);
    });

    it('runs inline only after what is queued', () => {
      const x = Storage.from('float32', new Float32Array(200_000));
      backend.submit(runOf(long(), [x], [1]));
      expect(backend.runInline(runOf(long(), [x], [1]))).toBeNull();
      expect(x.data[199_999]).toBe(120);
      expect(backend.collect()).toHaveLength(1);
    });

    it('calls back on the event loop', async () => {
      const run = runOf(long(), [new Storage('float32', 200_000)], [1]);
      const ended = new Promise<Completion[]>((resolve) =>
        backend.onCompletion(() => {
          const completions = backend.collect();
          if (completions.length > 0) resolve(completions);
        }),
      );
      backend.submit(run);
      expect(await ended).toEqual([{ id: run.id, failure: null }]);
      backend.onCompletion(() => undefined);
    });

    it('fails what depends on a failed run, with the first cause, and nothing else', () => {
      const x = float32([0]);
      const good = backend.load(increment(1, 1));
      const bad = runOf(backend.load(lookUp(1, 1)), [float32([1]), int32([-1]), float32([0])]);
      const dependent = runOf(good, [x], [10], [bad.id]);
      const independent = runOf(good, [x], [1], []);
      const chained = runOf(good, [x], [100], [independent.id, dependent.id]);
      for (const run of [bad, dependent, independent, chained]) backend.submit(run);
      backend.wait(chained.id);
      const [first, second, third, fourth] = backend.collect();
      expect(first).toMatchObject({ id: bad.id, failure: { kind: 'value', instruction: 0, cause: -1 } });
      const inherited = { kind: 'value', instruction: -1, cause: bad.id, message: first!.failure!.message };
      expect(second).toEqual({ id: dependent.id, failure: inherited });
      expect(third).toEqual({ id: independent.id, failure: null });
      expect(fourth).toEqual({ id: chained.id, failure: inherited });
      expect(x.data[0]).toBe(1);
    });

    it('still knows a failure that ended before its dependent was submitted', () => {
      const x = float32([0]);
      const bad = runOf(backend.load(lookUp(1, 1)), [float32([1]), int32([1]), float32([0])]);
      backend.submit(bad);
      backend.wait(bad.id);
      const dependent = runOf(backend.load(increment(1, 1)), [x], [1], [bad.id]);
      backend.submit(dependent);
      backend.wait(dependent.id);
      expect(backend.collect()[1]).toMatchObject({ id: dependent.id, failure: { cause: bad.id } });
      expect(x.data[0]).toBe(0);
    });

    it('aborts what is queued, and what depends on it', () => {
      const x = Storage.from('float32', new Float32Array(200_000));
      // Nothing behind it begins before it is aborted.
      const front = endless();
      const [first, second] = [runOf(long(), [x], [1]), runOf(long(), [x], [1])];
      const dependent = runOf(long(), [x], [1], [second.id]);
      const independent = runOf(long(), [x], [1]);
      for (const run of [front, first, second, dependent, independent]) backend.submit(run);
      expect(backend.abort(second.id)).toBe(true);
      expect(backend.abort(front.id)).toBe(true);
      backend.wait(independent.id);
      const ended = backend.collect();
      expect(ended.map(({ id, failure }) => [id, failure?.kind, failure?.cause])).toEqual([
        [front.id, 'aborted', -1],
        [first.id, undefined, undefined],
        [second.id, 'aborted', -1],
        [dependent.id, 'aborted', second.id],
        [independent.id, undefined, undefined],
      ]);
      expect(x.data[0]).toBe(120);
    });

    it('does not abort what has begun to overwrite state, has ended or was never there', () => {
      const x = Storage.from('float32', new Float32Array(200_000));
      const run = runOf(backend.load(increment(200_000, 2000)), [x], [1]);
      backend.submit(run);
      while (x.data[0] === 0) backend.collect();
      backend.abort(run.id);
      expect(backend.abort(run.id + 1)).toBe(false);
      backend.wait(run.id);
      expect(backend.abort(run.id)).toBe(false);
      expect(backend.collect()).toEqual([{ id: run.id, failure: null }]);
      expect(x.data.at(-1)).toBe(2000);
    });

    it('aborts a running program between two instructions', () => {
      const run = endless();
      const [, out] = run.bindings;
      backend.submit(run);
      while (out!.data[0] === 0) backend.collect();
      expect(backend.abort(run.id)).toBe(true);
      backend.wait(run.id);
      const [{ failure }] = backend.collect() as [Completion];
      expect(failure).toMatchObject({ kind: 'aborted', cause: -1 });
      expect(failure!.instruction).toBeGreaterThan(0);
      expect(failure!.instruction).toBeLessThan(9_999);
    });

    it('writes down when the first instruction began and when each ended, and only where asked to', () => {
      const x = Storage.from('float32', new Float32Array(200_000));
      const loaded = backend.load(increment(200_000, 3));
      for (const submit of [false, true]) {
        const run = { ...runOf(loaded, [x], [1]), times: new Float64Array(5) };
        const start = backend.now();
        if (submit) {
          backend.submit(run);
          backend.wait(run.id);
          backend.collect();
        } else backend.runInline(run);
        const all = [start, ...run.times.subarray(0, 4), backend.now()];
        expect(all).toEqual([...all].sort((a, b) => a - b));
        expect(run.times[3]! - run.times[0]!).toBeGreaterThan(1000);
        expect(run.times[4]).toBe(0);
        backend.runInline(runOf(loaded, [x], [1]));
        expect(run.times[4]).toBe(0);
      }
      expect(() => backend.runInline({ ...runOf(loaded, [x], [1]), times: new Float64Array(3) })).toThrow(/3 times/);
    });

    it('goes on after a failure', () => {
      const x = float32([0]);
      const run = runOf(backend.load(increment(1, 3)), [x], [1]);
      backend.submit(run);
      backend.wait(run.id);
      expect(backend.collect()).toEqual([{ id: run.id, failure: null }]);
      expect(x.data[0]).toBe(3);
    });

    it('returns from wait for runs that ended long ago or were never queued', () => {
      backend.wait(1);
      backend.wait(1_000_000_000);
    });

    it('refuses ids that do not count up', () => {
      const run = runOf(backend.load(increment(1, 1)), [float32([0])], [1]);
      backend.submit(run);
      expect(() => backend.submit(run)).toThrow(/count up/);
      backend.wait(run.id);
      expect(backend.collect()).toHaveLength(1);
    });
  });
});
