import { permutation, philox, unit53 } from '../../../lib/tensor/philox';
import type { KernelName } from '../../../lib/graph/program/kernels';
import type { DType } from '../../../lib/tensor/dtype';
import { backends } from './backends';
import { chainCall, runKernel, type Chain } from './builder';
import { expectEqual, expectWithin, roundoff } from './numbers';

const seeds: [seed: number, offset: number][] = [
  [0, 0],
  [1, 2],
  [0xffffffff, 0xffffffff],
  [2 ** 53 - 1, 2 ** 40 + 12345],
];

/** Philox 4x32-10 in big integers, straight from its definition. */
function philoxReference(seed: number, offset: number, block: number): bigint[] {
  const low = (value: bigint): bigint => value & 0xffffffffn;
  const wide = [BigInt(block), BigInt(offset)];
  let [c0, c1, c2, c3] = wide.flatMap((value) => [low(value), value >> 32n]) as [bigint, bigint, bigint, bigint];
  let [k0, k1] = [low(BigInt(seed)), BigInt(seed) >> 32n];
  for (let round = 0; round < 10; round++) {
    const [p0, p1] = [0xd2511f53n * c0, 0xcd9e8d57n * c2];
    [c0, c1, c2, c3] = [(p1 >> 32n) ^ c1 ^ k0, low(p1), (p0 >> 32n) ^ c3 ^ k1, low(p0)];
    [k0, k1] = [low(k0 + 0x9e3779b9n), low(k1 + 0xbb67ae85n)];
  }
  return [c0, c1, c2, c3];
}

it('takes the known answers of Random123 for Philox', () => {
  const words = new Uint32Array(4);
  philox(0, 0, 0, words);
  expect([...words]).toEqual([0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
  expect(philoxReference(0, 0, 0).map(Number)).toEqual([...words]);
});

describe.each(backends)('random numbers on %s', (_name, backend) => {
  function draw(kernel: KernelName, dtype: DType, n: number, seed: number, offset: number): number[] {
    const outputs = [{ dtype, shape: [n] }];
    // The slots are not the first ones, so that their use shows.
    return runKernel(backend, { kernel, outputs, attributes: [2, 1], scalars: [9, offset, seed] })[0]!;
  }

  /** The slots are not the first ones, as above; before and after other steps, and a block of it in the middle of others. */
  function drawUniform(dtype: 'float32' | 'float64', n: number, seed: number, offset: number): number[] {
    const chain: Chain = {
      inputs: [],
      scalars: [
        [2, 'float64'],
        [1, 'float64'],
      ],
      registers: 3,
      steps: [['uniform', dtype, 2, 0, 1]],
      results: [[2, dtype]],
      shape: [n],
      values: [9, offset, seed],
    };
    return runKernel(backend, chainCall(chain))[0]!;
  }

  it.each(seeds)('uniform with seed %d and offset %d', (seed, offset) => {
    for (const n of [0, 1, 2, 5, 100, 4099]) {
      const float32 = Array.from(
        { length: n },
        (_, i) => Number(philoxReference(seed, offset, i >> 2)[i & 3]! >> 8n) / 2 ** 24,
      );
      expectEqual(drawUniform('float32', n, seed, offset), float32);
      const float64 = Array.from({ length: n }, (_, i) => {
        const words = philoxReference(seed, offset, i >> 1).map(Number);
        return unit53(words[2 * (i & 1)]!, words[2 * (i & 1) + 1]!);
      });
      expectEqual(drawUniform('float64', n, seed, offset), float64);
    }
  });

  it.each(seeds)('normal with seed %d and offset %d', (seed, offset) => {
    for (const n of [0, 1, 2, 7, 3001]) {
      const exact = Array.from({ length: n }, (_, i) => {
        const words = philoxReference(seed, offset, i >> 1).map(Number);
        const radius = Math.sqrt(-2 * Math.log(1 - unit53(words[0]!, words[1]!)));
        const angle = 2 * Math.PI * unit53(words[2]!, words[3]!);
        return radius * (i % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
      });
      for (const dtype of ['float32', 'float64'] as const)
        expectWithin(
          draw('normal', dtype, n, seed, offset),
          exact,
          (i) => 64 * roundoff[dtype] * (0.1 + Math.abs(exact[i]!)),
        );
    }
  });

  it('normal has the mean, the variance and the tails that it should', () => {
    const n = 100000;
    const values = draw('normal', 'float32', n, 5, 6);
    const moment = (power: number): number => values.reduce((sum, value) => sum + value ** power, 0) / n;
    // Four standard errors each.
    expect(Math.abs(moment(1))).toBeLessThan(4 / Math.sqrt(n));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(4 * Math.sqrt(96 / n));
  });

  it.each(seeds)('permutation with seed %d and offset %d', (seed, offset) => {
    for (const n of [0, 1, 2, 10, 1437]) {
      const expected = new Int32Array(n);
      permutation(seed, offset, n, expected);
      const actual = draw('permutation', 'int32', n, seed, offset);
      expectEqual(actual, [...expected]);
      expectEqual(
        [...actual].sort((a, b) => a - b),
        Array.from({ length: n }, (_, i) => i),
      );
    }
  });
});
