import fc from 'fast-check';
import { loadAddon } from '../../../lib/backend/native/loader';
import { encode } from '../../../lib/graph/program/encode';
import { multiply } from './programs';

const { addon: loaded } = loadAddon();

// The addon's own checks, behind those of NativeBackend: whatever the arguments are, an exception and no crash.
(loaded === null ? describe.skip : describe)('the addon', () => {
  if (loaded === null) {
    test('needs the addon', () => undefined);
    return;
  }
  const addon = loaded;
  const methods = addon as unknown as Record<string, (...values: unknown[]) => unknown>;
  const words = encode(multiply(4));
  const { handle, exchange } = addon.load(words);

  const good = new ArrayBuffer(64);

  const anything = () =>
    fc.oneof(
      fc.anything(),
      fc.double(),
      fc.constantFrom(handle, words, new Float64Array(6), new ArrayBuffer(8), [], [1], [NaN], () => undefined),
    );

  it.each(['load', 'run', 'submit', 'abort', 'addressOf', 'setIsa', 'setThreads', 'fmaPeak', 'now'])(
    '%s survives any arguments',
    (name) => {
      const threads = addon.threads;
      const isa = addon.isa;
      // Seconds of measuring are the right answer to right arguments.
      const tame = (value: unknown) => (typeof value === 'number' && value > 0 ? Math.min(value, 0.001) : value);
      const heavy = name === 'fmaPeak';
      fc.assert(
        fc.property(fc.array(anything(), { maxLength: 4 }), (values) => {
          try {
            methods[name]!(...(heavy ? values.map(tame) : values));
          } catch (error) {
            expect((error as Error).message).not.toBe('');
          }
        }),
        { numRuns: 500 },
      );
      addon.setThreads(threads);
      addon.setIsa(isa);
    },
  );

  it.each([
    ['run', []],
    ['run', [{}]],
    ['run', [handle]], // the exchange array says nothing of its bindings
    ['run', [handle + 1]],
    ['run', [handle + 2 ** 20]],
    ['run', [handle + 0.5]],
    ['run', [-1]],
    ['run', [NaN]],
    ['run', [2 ** 60]],
    ['run', ['0']],
    ['submit', [handle, 1]],
    ['submit', [handle + 1, 1]],
    ['abort', [0]],
    ['abort', ['1']],
    ['load', []],
    ['load', [new Float64Array(9)]],
    ['load', [new Int32Array(0)]],
    ['addressOf', [new Uint8Array(8)]],
    ['addressOf', [new SharedArrayBuffer(8)]],
    ['wait', ['1']],
    ['wait', [0]],
    ['wait', [2 ** 53]],
    ['onCompletion', [null]],
    ['fmaPeak', [0]],
    ['fmaPeak', [1e9]],
  ])('%s(%p) throws', (name, values) => {
    exchange.fill(0);
    expect(() => methods[name]!(...values)).toThrow();
  });

  it.each([
    ['no address', 0],
    ['a negative address', -64],
    ['a fraction', 4096.5],
    ['NaN', NaN],
    ['infinity', Infinity],
    ['an address that no machine has', 2 ** 60],
    ['an address between elements', 4098],
  ])('run refuses a binding with %s', (_, address) => {
    const start = addon.addressOf(good);
    const fill = (): void => exchange.set([start, start + 16, start + 32, 0]);
    fill();
    expect(addon.run(handle)).toBeUndefined();
    for (let i = 0; i < 3; i++) {
      fill();
      exchange[i] = address;
      expect(() => addon.run(handle)).toThrow(new RegExp(`binding ${i} `));
      expect(() => addon.submit(handle, 1e15)).toThrow(new RegExp(`binding ${i} `));
    }
  });

  it.each([-8, 4.5, 4097, NaN, 2 ** 60])('run refuses %p as the place of its times', (address) => {
    const start = addon.addressOf(good);
    exchange.set([start, start + 16, start + 32, address]);
    expect(() => addon.run(handle)).toThrow(/times have an impossible address/);
    expect(() => addon.submit(handle, 1e15)).toThrow(/times have an impossible address/);
  });

  it('runs again with what its exchange array has kept', () => {
    const start = addon.addressOf(good);
    exchange.set([start, start + 16, start + 32, 0]);
    const [a, b, out] = [0, 16, 32].map((offset) => new Float32Array(good, offset, 4)) as [Float32Array, Float32Array, Float32Array];
    a.set([1, 2, 3, 4]);
    b.fill(2);
    addon.run(handle);
    expect([...out]).toEqual([2, 4, 6, 8]);
    a.fill(5);
    addon.run(handle);
    expect([...out]).toEqual([10, 10, 10, 10]);
    // Another place for the result, the rest as it is.
    exchange[2] = start + 48;
    out.fill(0);
    addon.run(handle);
    expect([...out, ...new Float32Array(good, 48, 4)]).toEqual([0, 0, 0, 0, 10, 10, 10, 10]);
  });

  it('runs a program whose exchange array was given away', () => {
    const other = addon.load(words);
    const start = addon.addressOf(good);
    other.exchange.set([start, start + 16, start + 32, 0]);
    structuredClone(other.exchange, { transfer: [other.exchange.buffer as ArrayBuffer] });
    expect(addon.run(other.handle)).toBeUndefined();
  });

  it('measures the peak of multiply-adds', () => {
    expect(addon.fmaPeak(0.01)).toBeGreaterThan(0.1);
  });

  it('exports lists that nobody can write by assignment', () => {
    expect(() => {
      (addon as { version: string }).version = 'x';
    }).toThrow();
  });
});
