import type { DType } from '../../../lib/tensor/dtype';
import { dense, type Operand, sizeOf } from './builder';

// Looking up a global costs a microsecond inside jest.
const { abs, floor, imul } = Math;

/** Reproducible numbers: xorshift of 32 bits (Marsaglia 2003). */
export class Numbers {
  private state: number;

  constructor(seed: number) {
    this.state = imul(seed, 0x9e3779b9) | 1;
  }

  /** In [0, 1). */
  next(): number {
    this.state ^= this.state << 13;
    this.state ^= this.state >>> 17;
    this.state ^= this.state << 5;
    return (this.state >>> 0) / 2 ** 32;
  }

  between(low: number, high: number): number {
    return low + (high - low) * this.next();
  }

  /** From low to high, both included. */
  integer(low: number, high: number): number {
    return floor(this.between(low, high + 1));
  }

  reals(dtype: DType, shape: readonly number[], low = -2, high = 2): Operand {
    return dense(
      dtype,
      shape,
      this.list(sizeOf(shape), () => this.between(low, high)),
    );
  }

  integers(dtype: DType, shape: readonly number[], low = -4, high = 4): Operand {
    return dense(
      dtype,
      shape,
      this.list(sizeOf(shape), () => this.integer(low, high)),
    );
  }

  private list(size: number, make: () => number): number[] {
    return size === 0 ? [0] : Array.from({ length: size }, make);
  }
}

/** Half the distance between 1 and the next number. */
export const roundoff: { readonly [D in 'float32' | 'float64']: number } = { float32: 2 ** -24, float64: 2 ** -53 };

/** Fails unless both are equal bit by bit as JavaScript sees them (NaN equals NaN, 0 equals -0). */
export function expectEqual(actual: ArrayLike<number>, expected: ArrayLike<number>): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++)
    if (actual[i] !== expected[i] && !(actual[i] !== actual[i] && expected[i] !== expected[i]))
      throw new Error(`element ${i} is ${actual[i]}, not ${expected[i]}`);
}

/** Fails unless |actual - expected| <= bound for every element; what is not finite must be the same. */
export function expectWithin(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  bound: (index: number) => number,
): void {
  expect(actual.length).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i]!, expected[i]!];
    if (a === e || (a !== a && e !== e)) continue;
    if (!(abs(a - e) <= bound(i))) throw new Error(`element ${i} is ${a}, not ${e} to within ${bound(i)}`);
  }
}
