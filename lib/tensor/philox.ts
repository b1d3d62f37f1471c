/**
 * Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): four random words for each
 * counter, under a key. Here key = the seed's low and high word, counter = (block low, block high, offset low, offset
 * high): every random node has its own offset, every four words of it their own block. Native code does the same
 * (native/kernels), to the same bits.
 */
export function philox(seed: number, offset: number, block: number, out: Uint32Array): void {
  let k0 = seed >>> 0;
  let k1 = Math.floor(seed / 2 ** 32) >>> 0;
  let c0 = block >>> 0;
  let c1 = Math.floor(block / 2 ** 32) >>> 0;
  let c2 = offset >>> 0;
  let c3 = Math.floor(offset / 2 ** 32) >>> 0;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(0xd2511f53, c0);
    const low0 = Math.imul(0xd2511f53, c0) >>> 0;
    const high1 = multiplyHigh(0xcd9e8d57, c2);
    const low1 = Math.imul(0xcd9e8d57, c2) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = (k0 + 0x9e3779b9) >>> 0;
    k1 = (k1 + 0xbb67ae85) >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** The upper 32 bits of the product of two unsigned 32-bit integers. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + ((aLow * bLow) >>> 16);
  const middle2 = aLow * bHigh + (middle & 0xffff);
  return (aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(middle2 / 65536)) >>> 0;
}

/** 53 random bits in [0, 1) from two words. */
export function unit53(a: number, b: number): number {
  return ((a >>> 5) * 67108864 + (b >>> 6)) / 9007199254740992;
}

/*
 * How the kernels use the words w[0..3] of block b, element i:
 *   uniform float32      b = i >> 2: (w[i & 3] >>> 8) / 2^24
 *   uniform float64      b = i >> 1: unit53(w[2 (i & 1)], w[2 (i & 1) + 1])
 *   normal               b = i >> 1: u = 1 - unit53(w[0], w[1]), v = unit53(w[2], w[3]), r = sqrt(-2 ln u);
 *                        even i: r cos(2 pi v), odd i: r sin(2 pi v); in float64, then rounded (Box and Muller 1958)
 *   permutation          p = 0..n-1; for i = n-1 down to 1: j = floor(unit53(w[0], w[1]) * (i + 1)) with b = i; swap p[i], p[j]
 */

/** A random order of 0..n-1 (Fisher and Yates), the same as the kernel `permutation` gives. */
export function permutation(seed: number, offset: number, n: number, out: Int32Array): void {
  const words = new Uint32Array(4);
  for (let i = 0; i < n; i++) out[i] = i;
  for (let i = n - 1; i > 0; i--) {
    philox(seed, offset, i, words);
    const j = Math.floor(unit53(words[0]!, words[1]!) * (i + 1));
    const swapped = out[i]!;
    out[i] = out[j]!;
    out[j] = swapped;
  }
}
