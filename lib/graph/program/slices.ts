/** Work that can be left for a while wherever it yields. */
export type Slices<T> = Generator<void, T, void>;

/** Compiling this much of anything takes well below a millisecond, also before V8 has optimized how. */
const ITEMS = 16;

/** Calls `visit` for every item, and yields now and then. */
export function* eachInSlices<T>(items: Iterable<T>, visit: (item: T) => void): Slices<void> {
  let count = 0;
  for (const item of items) {
    if (++count % ITEMS === 0) yield;
    visit(item);
  }
}

/** All of it at once. */
export function runSlices<T>(slices: Slices<T>): T {
  for (;;) {
    const { done, value } = slices.next();
    if (done === true) return value;
  }
}

/** Some of it, for about as long; what comes out, or null if that was not enough. */
export function runFor<T>(slices: Slices<T>, milliseconds: number): T | null {
  if (milliseconds === Infinity) return runSlices(slices);
  const began = performance.now();
  do {
    const { done, value } = slices.next();
    if (done === true) return value;
  } while (performance.now() - began < milliseconds);
  return null;
}
