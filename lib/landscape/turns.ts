import { runFor, type Slices } from '../graph/program/slices';

/** How long a slice may keep the event loop, in milliseconds. */
const SLICE = 4;

/** Runs work on numbers of JavaScript to its end; the event loop turns in between. */
export async function inTurns<T>(slices: Slices<T>): Promise<T> {
  for (;;) {
    const result = runFor(slices, SLICE);
    if (result !== null) return result;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
