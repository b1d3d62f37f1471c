import { BackendError } from '../../../lib/errors';
import { PortableBackend } from '../../../lib/backend/portable';
import { Execution } from '../../../lib/backend/portable/runner';
import type { Completion, Run } from '../../../lib/graph/backend';
import type { BufferSpec, Instruction, Program, View } from '../../../lib/graph/program/program';
import { Storage } from '../../../lib/tensor/storage';
import { dense, makeRun, programOf } from '../kernels/builder';

const f = (shape: readonly number[]) => dense('float32', shape, [0.5, -0.25, 2]);

/** A run of one instruction that takes many milliseconds. */
function longRun(backend: PortableBackend, size = 400): { run: Run; out: Storage } {
  const call = { kernel: 'matmul' as const, inputs: [f([size, size]), f([size, size])], outputs: [] };
  const program = programOf({ ...call, outputs: [{ dtype: 'float32', shape: [size, size] }] });
  const out = Storage.from('float32', new Float32Array(size * size));
  const inputs = call.inputs.map(({ dtype, values }) => Storage.from(dtype, values));
  return { run: makeRun(backend, program, [...inputs, out]), out };
}

/** Looks up row `index` of a table of ten. */
function lookup(backend: PortableBackend, index: number): { run: Run; out: Storage } {
  const inputs = [f([10, 3]), dense('int32', [1], [index])];
  const program = programOf({ kernel: 'embedding', inputs, outputs: [{ dtype: 'float32', shape: [1, 3] }] });
  const out = Storage.from('float32', [9, 9, 9]);
  return { run: makeRun(backend, program, [...inputs.map((x) => Storage.from(x.dtype, x.values)), out]), out };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Collects until so many runs have ended; counts the turns that the event loop took. */
async function collectAll(
  backend: PortableBackend,
  count: number,
): Promise<{ completions: Completion[]; turns: number }> {
  const completions: Completion[] = [];
  let turns = 0;
  while (completions.length < count) {
    await turn();
    turns++;
    completions.push(...backend.collect());
  }
  return { completions, turns };
}

describe('the portable runner', () => {
  it('gives the event loop turns while a long instruction runs', async () => {
    const backend = new PortableBackend();
    const { run, out } = longRun(backend);
    const start = performance.now();
    backend.submit(run);
    expect(performance.now() - start).toBeLessThan(50);
    expect(backend.collect()).toEqual([]);
    const { completions, turns } = await collectAll(backend, 1);
    expect(completions).toEqual([{ id: run.id, failure: null }]);
    expect(turns).toBeGreaterThan(3);
    expect(out.data[5]).not.toBe(0);
  });

  it('runs first in, first out, and calls back when runs have ended', async () => {
    const backend = new PortableBackend();
    const ended: number[] = [];
    const allEnded = new Promise<void>((resolve) => {
      backend.onCompletion(() => {
        ended.push(...backend.collect().map(({ id }) => id));
        if (ended.length === 3) resolve();
      });
    });
    const runs = [longRun(backend, 200).run, lookup(backend, 3).run, lookup(backend, 4).run];
    for (const run of runs) backend.submit(run);
    await allEnded;
    expect(ended).toEqual(runs.map(({ id }) => id));
  });

  it('drives the queue up to the run that somebody waits for, and no further', async () => {
    const backend = new PortableBackend();
    const [first, second, third] = [longRun(backend), lookup(backend, 3), lookup(backend, 4)];
    for (const { run } of [first, second, third]) backend.submit(run);
    await turn();
    backend.wait(second.run.id);
    expect(Array.from(second.out.data, Number)).toEqual([0.5, -0.25, 2]);
    expect(backend.collect().map(({ id }) => id)).toEqual([first.run.id, second.run.id]);
    backend.wait(first.run.id);
    backend.wait(123456);
    expect(backend.collect()).toEqual([]);
    const { completions } = await collectAll(backend, 1);
    expect(completions).toEqual([{ id: third.run.id, failure: null }]);
  });

  it('calls back for runs that ended while somebody waited for another', async () => {
    const backend = new PortableBackend();
    const { run } = lookup(backend, 1);
    const called = new Promise<void>((resolve) => backend.onCompletion(resolve));
    backend.submit(run);
    backend.wait(run.id);
    await called;
    expect(backend.collect()).toHaveLength(1);
  });

  it('fails what comes after a failed run, with its cause, and nothing else', async () => {
    const backend = new PortableBackend();
    const bad = lookup(backend, 10);
    const child = lookup(backend, 1);
    const grandchild = lookup(backend, 2);
    const other = lookup(backend, 3);
    backend.submit(bad.run);
    backend.submit({ ...child.run, after: [bad.run.id] });
    backend.submit({ ...grandchild.run, after: [child.run.id] });
    backend.submit({ ...other.run, after: [12345] });
    const { completions } = await collectAll(backend, 4);
    const message = 'index 10 at position 0 is out of range [0, 10)';
    const inherited = { kind: 'value', instruction: -1, message, cause: bad.run.id };
    expect(completions).toEqual([
      { id: bad.run.id, failure: { kind: 'value', instruction: 0, message, cause: -1 } },
      { id: child.run.id, failure: inherited },
      { id: grandchild.run.id, failure: inherited },
      { id: other.run.id, failure: null },
    ]);
    expect([...child.out.data, ...grandchild.out.data]).toEqual([9, 9, 9, 9, 9, 9]);
  });

  it('remembers a failure until it has been collected', () => {
    const backend = new PortableBackend();
    const bad = lookup(backend, -1);
    backend.submit(bad.run);
    backend.wait(bad.run.id);
    const child = lookup(backend, 1);
    backend.submit({ ...child.run, after: [bad.run.id] });
    backend.wait(child.run.id);
    expect(backend.collect().map(({ failure }) => failure?.kind)).toEqual(['value', 'value']);
  });

  it('aborts between two parts of an instruction, or before a run begins; what depends on it fails too', async () => {
    const backend = new PortableBackend();
    const [first, second] = [longRun(backend), lookup(backend, 3)];
    backend.submit(first.run);
    backend.submit(second.run);
    backend.submit({ ...lookup(backend, 4).run, after: [first.run.id] });
    const last = lookup(backend, 5);
    backend.submit(last.run);
    await turn();
    for (const id of [first.run.id, second.run.id, 12345]) backend.abort(id);
    const { completions } = await collectAll(backend, 4);
    expect(completions.map(({ failure }) => [failure?.kind, failure?.instruction, failure?.cause])).toEqual([
      ['aborted', 0, -1],
      ['aborted', -1, -1],
      ['aborted', -1, first.run.id],
      [undefined, undefined, undefined],
    ]);
    expect(Array.from(last.out.data, Number)).toEqual([0.5, -0.25, 2]);
    // The program is as good as before.
    expect(backend.runInline(first.run)).toBeNull();
  });

  it('writes down when the first instruction began and when each ended', () => {
    const backend = new PortableBackend();
    const { run } = longRun(backend, 200);
    const times = new Float64Array(2);
    const start = backend.now();
    expect(backend.runInline({ ...run, times })).toBeNull();
    expect(times[0]).toBeGreaterThanOrEqual(start);
    expect(times[1]! - times[0]!).toBeGreaterThan(1e6);
    expect(times[1]).toBeLessThanOrEqual(backend.now());
  });

  it('runs again after a failure', () => {
    const backend = new PortableBackend();
    expect(backend.runInline(lookup(backend, 10).run)).toMatchObject({ kind: 'value' });
    const good = lookup(backend, 2);
    expect(backend.runInline(good.run)).toBeNull();
    expect(Array.from(good.out.data, Number)).toEqual([0.5, -0.25, 2]);
  });

  it('reports an arena for which there is no memory', () => {
    const backend = new PortableBackend();
    const program = {
      ...programOf({ kernel: 'normal', outputs: [], scalars: [] }),
      instructions: [],
      arenaBytes: 2 ** 52,
    };
    const failure = backend.runInline(makeRun(backend, program, []));
    expect(failure).toMatchObject({ kind: 'memory', instruction: -1 });
  });

  it('reports storages that do not fit', () => {
    const backend = new PortableBackend();
    const { run } = lookup(backend, 1);
    const [table, index, out] = run.bindings as [Storage, Storage, Storage];
    for (const bindings of [
      [table, index],
      [table, index, out, out],
      [table, out, index],
      [table, index, new Storage('float32', 2)],
    ])
      expect(backend.runInline({ ...run, bindings })).toMatchObject({ kind: 'internal' });
  });

  it('refuses programs that were loaded elsewhere', () => {
    const backend = new PortableBackend();
    const { run } = lookup(backend, 1);
    const foreign = { ...run, loaded: { program: run.loaded.program } };
    expect(() => backend.submit(foreign)).toThrow(BackendError);
    expect(() => backend.runInline(foreign)).toThrow(BackendError);
  });
});

describe('programs of several instructions', () => {
  const n = 1000;
  const view = (buffer: number): View => ({ buffer, offset: 0, shape: [n], strides: [1] });
  const chain = (input: number, output: number, opcode: number): Instruction => ({
    kernel: 'elementwise',
    inputs: [view(input)],
    outputs: [view(output)],
    attributes: [1, 0, 2, 1, opcode, 0, 1, 0, -1, -1, 1, 0],
    label: 'test',
  });
  const spec = (kind: BufferSpec['kind'], offset = 0): BufferSpec => ({ kind, dtype: 'float32', length: n, offset });
  const [neg, abs] = [10, 11];

  function program(buffers: BufferSpec[], instructions: Instruction[]): Program {
    return { buffers, instructions, scalars: 0, arenaBytes: 8192, estimatedNanoseconds: 1 };
  }

  it('pass arena buffers on, overwrite state in place, and keep no storage', () => {
    const backend = new PortableBackend();
    const buffers = [spec('inout'), spec('arena', 0), spec('arena', 4096), spec('output')];
    const loaded = backend.load(
      program(buffers, [chain(0, 1, neg), chain(1, 2, abs), chain(2, 3, neg), chain(0, 0, abs)]),
    );
    const x = Array.from({ length: n }, (_, i) => i - 500);
    for (let repetition = 0; repetition < 3; repetition++) {
      const [state, out] = [Storage.from('float32', x), new Storage('float32', n)];
      const run = {
        id: repetition + 1,
        loaded,
        bindings: [state, out],
        scalars: new Float64Array(0),
        after: [],
        times: null,
      };
      expect(backend.runInline(run)).toBeNull();
      expect(Array.from(out.data, Number)).toEqual(x.map((value) => -Math.abs(value)));
      expect(Array.from(state.data, Number)).toEqual(x.map(Math.abs));
    }
  });

  it('are not aborted once they overwrite state', () => {
    const backend = new PortableBackend();
    const loaded = backend.load(
      program([spec('inout'), spec('output')], [chain(0, 1, neg), chain(0, 0, neg), chain(0, 1, neg)]),
    );
    const abortAfter = (steps: number): string | undefined => {
      const bindings = [Storage.from('float32', new Array<number>(n).fill(2)), new Storage('float32', n)];
      const run = { id: 1, loaded, bindings, scalars: new Float64Array(0), after: [], times: null };
      const execution = new Execution(run);
      for (let i = 0; i < steps; i++) execution.step();
      execution.abort();
      while (!execution.step());
      expect(bindings[0]!.data[0]).toBe(execution.failure === null ? -2 : 2);
      return execution.failure?.kind;
    };
    // The first step binds.
    expect([0, 1, 2, 3].map(abortAfter)).toEqual(['aborted', 'aborted', 'aborted', undefined]);
  });

  it('keep their intermediates when another program needs a larger arena', () => {
    const backend = new PortableBackend();
    const small = backend.load(
      program([spec('input'), spec('arena'), spec('output')], [chain(0, 1, neg), chain(1, 2, neg)]),
    );
    const large = backend.load({
      ...program([spec('input'), spec('arena', 65536), spec('output')], [chain(0, 1, neg), chain(1, 2, abs)]),
      arenaBytes: 131072,
    });
    const x = Array.from({ length: n }, (_, i) => i - 500);
    for (const loaded of [small, large, small]) {
      const [input, out] = [Storage.from('float32', x), new Storage('float32', n)];
      backend.runInline({
        id: 1,
        loaded,
        bindings: [input, out],
        scalars: new Float64Array(0),
        after: [],
        times: null,
      });
      expect(Array.from(out.data, Number)).toEqual(x.map((value) => (loaded === large ? Math.abs(value) : value)));
    }
  });

  const io = [spec('input'), spec('output')];
  const good = chain(0, 1, neg);
  const changed = (change: Partial<View>): Instruction => ({ ...good, inputs: [{ ...view(0), ...change }] });
  it.each<[string, Program]>([
    ['a view beyond its buffer', program(io, [changed({ offset: 1 })])],
    ['strides beyond its buffer', program(io, [changed({ strides: [2] })])],
    ['negative strides', program(io, [changed({ offset: 999, strides: [-1] })])],
    ['a buffer that is not there', program(io, [changed({ buffer: 2 })])],
    ['another shape', program(io, [changed({ shape: [10] })])],
    ['an arena buffer beyond the arena', program([...io, spec('arena', 4224)], [good])],
    ['an arena buffer out of line', program([...io, spec('arena', 4)], [good])],
    ['writing an input', program([spec('input'), spec('input')], [good])],
    ['an output over an input', program([spec('arena', 0), spec('arena', 64)], [good])],
    ['an unknown kernel', program(io, [{ ...good, kernel: 'no' as 'sum' }])],
    ['an unknown opcode', program(io, [chain(0, 1, 99)])],
    ['an opcode of another dtype', program(io, [chain(0, 1, 21)])],
    ['too few attributes', program(io, [{ ...good, attributes: good.attributes.slice(1) }])],
    ['no attributes', program(io, [{ ...good, attributes: [] }])],
    ['a register that holds nothing', program(io, [{ ...good, attributes: [1, 0, 3, 1, 10, 0, 1, 2, -1, -1, 1, 0] }])],
    ['a written input register', program(io, [{ ...good, attributes: [1, 0, 2, 1, 10, 0, 0, 0, -1, -1, 1, 0] }])],
    ['an output that no step writes', program(io, [{ ...good, attributes: [1, 0, 3, 1, 10, 0, 2, 0, -1, -1, 1, 0] }])],
    [
      'a scalar that is not there',
      program(io, [{ ...good, attributes: [1, 1, 3, 1, 0, 10, 0, 2, 0, -1, -1, 2, 0, 0] }]),
    ],
    [
      'outputs that are not contiguous',
      program(
        [...io.slice(0, 1), { ...spec('output'), length: 1999 }],
        [{ ...good, outputs: [{ ...view(1), strides: [2] }] }],
      ),
    ],
    [
      'a strided input of a kernel that takes none',
      program(io, [{ ...good, kernel: 'softmax', attributes: [], inputs: [{ ...view(0), strides: [0] }] }]),
    ],
  ])('are refused with %s', (_title, malformed) => {
    expect(() => new PortableBackend().load(malformed)).toThrow(BackendError);
  });
});
