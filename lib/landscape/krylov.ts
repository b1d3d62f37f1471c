import { ValueError } from '../errors';
import type { AbortSignalLike } from '../graph/abort';
import { submit } from '../graph/evaluate';
import { noGrad } from '../graph/modes';
import { readItem } from '../graph/reading';
import { add, div, mul, sub } from '../ops/elementwise';
import { randn, type Generator as RandomGenerator } from '../ops/random';
import { sum } from '../ops/reduce';
import { normOf } from '../optim/clip';
import { epsilonOf, type DType } from '../tensor/dtype';
import type { Tensor } from '../tensor/tensor';

/** Vectors that one program reads at once: there are as many programs as group sizes, however large the basis is. */
const GROUP = 8;

/** A symmetric operator on vectors [size]. */
export interface Operator {
  readonly size: number;
  readonly dtype: DType;
  /** Records the product. */
  apply(vector: Tensor): Tensor;
}

/**
 * An orthonormal basis that Lanczos steps extend, and the operator as the basis sees it. Every new vector is made orthogonal
 * to all before it, twice (Daniel, Gragg, Kaufman and Stewart, 1976): without that, rounding brings back what was found.
 */
export class Krylov {
  basis: Tensor[] = [];
  /** What follows the basis: the rest of the last product, of length `beta` and orthogonal to it; not normalised. */
  rest: Tensor | null = null;
  /** The length of the rest, on the backend. */
  #restNorm: Tensor | null = null;
  beta = 0;
  /** Symmetric, [capacity, capacity]: the operator on the span of the basis. */
  projected: Float64Array;
  /** The largest difference between two elements of the projection that symmetry makes equal: what rounding does. */
  asymmetry = 0;
  /** The most vectors that there were at a time. */
  peak = 0;

  constructor(
    private readonly operator: Operator,
    readonly capacity: number,
    private readonly generator: RandomGenerator,
    private readonly signal: AbortSignalLike | undefined,
  ) {
    this.projected = new Float64Array(capacity * capacity);
  }

  get length(): number {
    return this.basis.length;
  }

  /** Appends the rest, or a random vector where nothing is left of it, and the operator's product with it. */
  async step(): Promise<void> {
    const { size, dtype } = this.operator;
    if (this.rest === null || this.beta === 0) {
      const start = noGrad(() => randn([size], { dtype, generator: this.generator }));
      await this.#orthogonalize(start);
      this.beta = 0;
    }
    const next = noGrad(() => div(this.rest!, this.#restNorm!));
    await this.#run([next]);
    this.rest = null;
    const index = this.basis.push(next) - 1;
    this.peak = Math.max(this.peak, index + 2);
    const product = this.operator.apply(next);
    await this.#run([product]);
    const coefficients = await this.#orthogonalize(product);
    this.beta = await readItem(this.#restNorm!);
    if (!Number.isFinite(this.beta) || !coefficients.every(Number.isFinite))
      throw new ValueError(
        'the Hessian times a vector is not finite here: the loss overflows, or has no second derivative',
      );
    for (let i = 0; i < index; i++)
      this.asymmetry = Math.max(this.asymmetry, Math.abs(coefficients[i]! - this.at(i, index)));
    this.#set(index, index, coefficients[index]!);
    // Rounding alone leaves this much of a product that lies in the span.
    if (this.beta <= epsilonOf(dtype) * Math.sqrt(size) * this.scale) this.beta = 0;
    if (index + 1 < this.capacity) this.#set(index, index + 1, this.beta);
  }

  /** The largest element of the projection. */
  get scale(): number {
    return this.projected.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  }

  /** The projection [length, length], row by row. */
  matrix(): Float64Array {
    const { length } = this;
    return Float64Array.from({ length: length * length }, (_, i) => this.at(Math.floor(i / length), i % length));
  }

  /**
   * Goes on from some Ritz vectors (Wu and Simon, "Thick-restart Lanczos method for large symmetric eigenvalue problems",
   * 2000): the basis becomes their span, on which the operator is diagonal but for what it shares with the rest.
   */
  async restart(values: readonly number[], weights: readonly Float64Array[]): Promise<void> {
    const last = this.length - 1;
    const kept = await this.combine(weights);
    this.basis = kept;
    this.projected.fill(0);
    values.forEach((value, i) => {
      this.#set(i, i, value);
      this.#set(i, values.length, this.beta * weights[i]![last]!);
    });
  }

  /** Linear combinations of the basis. */
  async combine(weights: readonly Float64Array[]): Promise<Tensor[]> {
    const results: Tensor[] = [];
    for (const weight of weights) {
      let result: Tensor | null = null;
      for (const [first, group] of this.#groups()) {
        const terms = noGrad(() => group.map((q, i) => mul(q, weight[first + i]!)));
        const before: Tensor[] = result === null ? [] : [result];
        result = noGrad(() => [...before, ...terms].reduce((a, b) => add(a, b)));
        await this.#run([result]);
      }
      results.push(result!);
      this.peak = Math.max(this.peak, this.length + results.length + 1);
    }
    return results;
  }

  at(i: number, j: number): number {
    return this.projected[i * this.capacity + j]!;
  }

  #set(i: number, j: number, value: number): void {
    this.projected[i * this.capacity + j] = this.projected[j * this.capacity + i] = value;
  }

  /** Makes what is orthogonal to the basis in a vector the rest; returns how much of each vector of the basis was in it. */
  async #orthogonalize(vector: Tensor): Promise<Float64Array> {
    const coefficients = new Float64Array(this.length);
    for (let pass = 0; pass < 2; pass++)
      for (const [first, group] of this.#groups()) {
        const from: Tensor = vector;
        const dots = noGrad(() => group.map((q) => sum(mul(q, from))));
        vector = noGrad(() => group.reduce((rest, q, i) => sub(rest, mul(q, dots[i]!)), from));
        await this.#run([vector, ...dots]);
        for (const [i, dot] of dots.entries()) coefficients[first + i]! += await readItem(dot);
      }
    const norm = noGrad(() => normOf([vector]));
    await this.#run([vector, norm]);
    [this.rest, this.#restNorm] = [vector, norm];
    return coefficients;
  }

  *#groups(): IterableIterator<[first: number, group: Tensor[]]> {
    for (let first = 0; first < this.length; first += GROUP) yield [first, this.basis.slice(first, first + GROUP)];
  }

  async #run(tensors: readonly Tensor[]): Promise<void> {
    await submit(tensors, { signal: this.signal });
  }
}
