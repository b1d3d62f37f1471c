const BITS = 300n;
const ONE = 1n << BITS;

/** sqrt(pi) / 2 in fixed point, with pi by Machin's formula. */
const HALF_SQRT_PI = squareRoot(pi() << BITS) / 2n;

function pi(): bigint {
  return 4n * (4n * arctanOfInverse(5n) - arctanOfInverse(239n));
}

function arctanOfInverse(x: bigint): bigint {
  let sum = 0n;
  let power = ONE / x;
  for (let n = 1n; power !== 0n; n += 2n) {
    sum += (n % 4n === 1n ? power : -power) / n;
    power /= x * x;
  }
  return sum;
}

function squareRoot(value: bigint): bigint {
  let root = 1n << BigInt(Math.ceil(value.toString(2).length / 2));
  for (;;) {
    const next = (root + value / root) >> 1n;
    if (next >= root) return root;
    root = next;
  }
}

/** The error function by its Maclaurin series in fixed point, correct to the last bit of a double but for rounding. */
export function erfReference(x: number): number {
  if (Number.isNaN(x)) return NaN;
  if (Math.abs(x) > 6.5) return Math.sign(x);
  if (Math.abs(x) < 1e-20) return (x * 2) / Math.sqrt(Math.PI);
  const exact = fixedPointOf(x);
  const square = (exact * exact) >> BITS;
  let term = exact;
  let sum = exact;
  for (let n = 1n; term !== 0n && n < 2000n; n++) {
    term = -((term * square) >> BITS) / n;
    sum += term / (2n * n + 1n);
    if (term === -1n) break;
  }
  return Number((sum << 100n) / HALF_SQRT_PI) / 2 ** 100;
}

function fixedPointOf(x: number): bigint {
  const exponent = Math.floor(Math.log2(Math.abs(x))) - 53;
  return (BigInt(x * 2 ** -exponent) << BITS) >> BigInt(-exponent);
}
