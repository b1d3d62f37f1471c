import { signalOf } from '../../graph/abort';
import type { Slices } from '../../graph/program/slices';
import { inTurns } from '../../graph/turns';
import type { BaselineOptions } from './types';

const PROGRESS_MILLISECONDS = 50;

/** So many multiplications take about a tenth of a millisecond: a solver yields at least that often. */
export const SLICE_WORK = 100_000;

/** Runs a solver with a turn of the event loop every few milliseconds. Throws AbortError once the signal aborts. */
export function runInTurns<T>(op: string, slices: Slices<T>, options: BaselineOptions): Promise<T> {
  return inTurns(slices, signalOf(op, options));
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
