import type { Shape } from '../../tensor/shape';

const float64 = new Float64Array(1);
const halves = new Int32Array(float64.buffer);
/** The two halves of a float64 follow. */
const ESCAPE = -0x80000000;

/** A structure as 32-bit words: two structures with equal words are one program. Filled anew by every trace. */
export class Signature {
  #words = new Int32Array(1024);
  #length = 0;

  clear(): void {
    this.#length = 0;
  }

  /** Bit for bit: NaN is equal to itself, and 0 is not -0. */
  add(value: number): void {
    if (this.#length + 3 > this.#words.length) this.#grow();
    const words = this.#words;
    if ((value | 0) === value && value !== ESCAPE && !Object.is(value, -0)) {
      words[this.#length++] = value;
      return;
    }
    float64[0] = value;
    words[this.#length++] = ESCAPE;
    words[this.#length++] = halves[0]!;
    words[this.#length++] = halves[1]!;
  }

  addAll(values: readonly number[]): void {
    for (let i = 0; i < values.length; i++) this.add(values[i]!);
  }

  /** `add` of what is known to be a 32-bit integer, not the least one. */
  addInteger(value: number): void {
    if (this.#length === this.#words.length) this.#grow();
    this.#words[this.#length++] = value;
  }

  addShape(shape: Shape): void {
    for (let i = 0; i < shape.length; i++) this.addInteger(shape[i]!);
  }

  /** FNV-1a over the words. */
  get hash(): number {
    let hash = 0x811c9dc5;
    for (let i = 0; i < this.#length; i++) hash = Math.imul(hash ^ this.#words[i]!, 0x01000193);
    return hash;
  }

  equals(words: Int32Array): boolean {
    if (words.length !== this.#length) return false;
    for (let i = 0; i < words.length; i++) if (words[i] !== this.#words[i]) return false;
    return true;
  }

  copy(): Int32Array {
    return this.#words.slice(0, this.#length);
  }

  #grow(): void {
    const words = new Int32Array(2 * this.#words.length);
    words.set(this.#words);
    this.#words = words;
  }
}
