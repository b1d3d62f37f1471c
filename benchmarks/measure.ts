import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';

/** Something that can be timed beside others. */
export interface Contender {
  readonly name: string;
  /** Mean seconds of one of `count` calls; more than one are preceded by one that does not count. */
  time(count: number): number | Promise<number>;
  /** Milliseconds for which its threads spin behind a sample, and take the others' processors; some where not given. */
  readonly spins?: number | undefined;
}

/** Calls before the first sample, so that just-in-time compilers are done; two at least. */
const WARM_UP_SECONDS = 1;
/** Enough for our kernels, and for peers without a just-in-time compiler. */
export const BRIEF_WARM_UP_SECONDS = 0.05;
/** A sample takes at least this long, so that the clock does not show; longer ones are interrupted on a busy machine. */
const SAMPLE_SECONDS = 0.01;
/** For which threads of OpenMP spin after their work. */
const SPIN_MILLISECONDS = 5;

export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('median: of no values');
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** 1 of no values. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / Math.max(1, values.length));
}

/** Times a function that returns when its work is done. */
export function timed(name: string, call: () => unknown): Contender {
  return {
    name,
    time: (count) => {
      if (count > 1) call();
      const start = performance.now();
      for (let i = 0; i < count; i++) call();
      return (performance.now() - start) / 1e3 / count;
    },
  };
}

/** Times a function whose promise resolves when its work is done. */
export function timedAwaited(name: string, call: () => PromiseLike<unknown>): Contender {
  return {
    name,
    time: async (count) => {
      if (count > 1) await call();
      const start = performance.now();
      for (let i = 0; i < count; i++) await call();
      return (performance.now() - start) / 1e3 / count;
    },
  };
}

/** Of the monitor, in nanoseconds: a loop that is never late shows this. */
const RESOLUTION = 1e6;

/** By how many seconds the event loop is late while something runs. */
export async function delayDuring(run: () => Promise<unknown>): Promise<{ p99: number; max: number }> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  await pause(200); // What was made before is not part of it.
  delay.enable();
  await pause(20); // The first turn only starts the clock.
  await run();
  delay.disable();
  return { p99: (delay.percentile(99) - RESOLUTION) / 1e9, max: (delay.max - RESOLUTION) / 1e9 };
}

/** Median seconds of each, over samples taken in turns: what the machine does meanwhile meets all of them alike. */
export async function alternate(
  contenders: readonly Contender[],
  { samples = 9, warmUpSeconds = WARM_UP_SECONDS } = {},
): Promise<number[]> {
  const counts: number[] = [];
  for (const contender of contenders)
    counts.push(Math.max(1, Math.ceil(SAMPLE_SECONDS / Math.max(await warmUp(contender, warmUpSeconds), 1e-8))));
  const taken: number[][] = contenders.map(() => []);
  const rest = Math.max(...contenders.map(({ spins }) => spins ?? SPIN_MILLISECONDS));
  for (let sample = 0; sample < samples; sample++)
    for (const [i, contender] of contenders.entries()) {
      await pause(rest);
      taken[i]!.push(await contender.time(counts[i]!));
    }
  return taken.map(median);
}

/** Gives the seconds of a call once warm. */
async function warmUp(contender: Contender, least: number): Promise<number> {
  let seconds = await contender.time(1);
  let spent = seconds;
  for (let count = 1; count === 1 || spent < least; count *= 2) {
    seconds = await contender.time(count);
    spent += Math.max(seconds, 1e-8) * count;
  }
  return seconds;
}
