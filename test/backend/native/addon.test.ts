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
  const handle = addon.load(words);

  const anything = () =>
    fc.oneof(
      fc.anything(),
      fc.double(),
      fc.constantFrom(handle, words, new Float64Array(6), new ArrayBuffer(8), [], [1], [NaN], () => undefined),
    );

  it.each(['load', 'run', 'submit', 'addressOf', 'setIsa', 'setThreads', 'fmaPeak', 'exchange'])(
    '%s survives any arguments',
    (name) => {
      const threads = addon.threads;
      const isa = addon.isa;
      // Seconds of measuring and gigabytes are right answers to right arguments.
      const tame = (value: unknown) => (typeof value === 'number' && value > 0 ? Math.min(value, 0.001) : value);
      const heavy = name === 'fmaPeak' || name === 'exchange';
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
    ['submit', [handle, 1]],
    ['load', []],
    ['load', [new Float64Array(9)]],
    ['load', [new Int32Array(0)]],
    ['addressOf', [new Uint8Array(8)]],
    ['addressOf', [new SharedArrayBuffer(8)]],
    ['wait', ['1']],
    ['wait', [0]],
    ['wait', [2 ** 53]],
    ['onCompletion', [null]],
    ['exchange', [0]],
    ['exchange', [2 ** 40]],
    ['fmaPeak', [0]],
    ['fmaPeak', [1e9]],
  ])('%s(%p) throws', (name, values) => {
    addon.exchange(16);
    expect(() => methods[name]!(...values)).toThrow();
  });

  it.each([
    ['no address', 0, 16],
    ['a negative address', -64, 16],
    ['a fraction', 4096.5, 16],
    ['NaN', NaN, 16],
    ['an address that no machine has', 2 ** 60, 16],
    ['an address between elements', 4098, 16],
    ['too few bytes', 4096, 12],
    ['too many bytes', 4096, 20],
    ['bytes of NaN', 4096, NaN],
  ])('run refuses a binding with %s', (_, address, bytes) => {
    const good = new ArrayBuffer(64);
    const start = addon.addressOf(good);
    const exchange = addon.exchange(6);
    exchange.set([start, 16, start + 16, 16, start + 32, 16]);
    expect(addon.run(handle)).toBeNull();
    for (let i = 0; i < 3; i++) {
      exchange.set([start, 16, start + 16, 16, start + 32, 16]);
      exchange.set([address, bytes], 2 * i);
      expect(() => addon.run(handle)).toThrow(new RegExp(`binding ${i} `));
      expect(() => addon.submit(handle, 1e15)).toThrow(new RegExp(`binding ${i} `));
    }
  });

  it('runs a handle whose exchange array was given away', () => {
    const good = new ArrayBuffer(64);
    const start = addon.addressOf(good);
    const exchange = addon.exchange(6);
    exchange.set([start, 16, start + 16, 16, start + 32, 16]);
    structuredClone(exchange, { transfer: [exchange.buffer as ArrayBuffer] });
    expect(addon.run(handle)).toBeNull();
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
