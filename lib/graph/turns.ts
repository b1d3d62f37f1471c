import { abortErrorOf, type AbortSignalLike } from './abort';
import { runFor, type Slices } from './program/slices';

/** How long a slice may keep the event loop, in milliseconds. */
const SLICE = 3;

/** Runs work on numbers of JavaScript to its end; the event loop turns in between. Throws AbortError once the signal aborts. */
export async function inTurns<T>(slices: Slices<T>, signal?: AbortSignalLike | null): Promise<T> {
  for (;;) {
    if (signal?.aborted === true) throw abortErrorOf(signal);
    const result = runFor(slices, SLICE);
    if (result !== null) return result;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}
