import { abortErrorOf, signalOf } from '../../graph/abort';
import { runFor, type Slices } from '../../graph/program/slices';
import type { BaselineOptions } from './types';

const SLICE_MILLISECONDS = 3;
const PROGRESS_MILLISECONDS = 50;

/** So many multiplications take about a tenth of a millisecond: a solver yields at least that often. */
export const SLICE_WORK = 100_000;

/** Runs a solver with a turn of the event loop every few milliseconds. Throws AbortError once the signal aborts. */
export async function runInTurns<T>(op: string, slices: Slices<T>, options: BaselineOptions): Promise<T> {
  const signal = signalOf(op, options);
  for (;;) {
    if (signal?.aborted === true) throw abortErrorOf(signal);
    const result = runFor(slices, SLICE_MILLISECONDS);
    if (result !== null) return result;
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

/** What solvers tell their progress: it is passed on a few times a second. */
export type Report = (iteration: number, objective: number) => void;

export function reporter(name: string, { onProgress }: BaselineOptions): Report {
  let last = -Infinity;
  return (iteration, objective) => {
    if (onProgress === undefined || performance.now() - last < PROGRESS_MILLISECONDS) return;
    last = performance.now();
    onProgress({ name, iteration, objective });
  };
}
