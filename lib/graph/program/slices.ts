/** Work that can be left for a while wherever it yields. */
export type Slices<T> = Generator<void, T, void>;

/** All of it at once. */
export function runSlices<T>(slices: Slices<T>): T {
  for (;;) {
    const { done, value } = slices.next();
    if (done === true) return value;
  }
}
