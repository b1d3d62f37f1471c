import { execFileSync } from 'node:child_process';

const taskset = (...words: string[]): string =>
  execFileSync('taskset', [...words, String(process.pid)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

/**
 * Keeps this process, and those that it starts from now on, to `count` processors: on a shared machine each has a
 * speed of its own, and contenders that sit on different ones are not compared. Gives what undoes it. Needs Linux's
 * taskset; does nothing without.
 */
export function keepToProcessors(count: number): () => void {
  let list: string;
  try {
    list = taskset('--cpu-list', '--pid').split(':').at(-1)!.trim();
  } catch {
    return () => undefined;
  }
  const keepTo = (processors: string): unknown => taskset('--all-tasks', '--cpu-list', '--pid', processors);
  keepTo(processorsOf(list).slice(-count).join(','));
  return () => void keepTo(list);
}

/** Of a list as Linux writes it: 0-3,7 */
export function processorsOf(list: string): number[] {
  return list.split(',').flatMap((range) => {
    const [first, last = first] = range.split('-').map(Number) as [number, number?];
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
}
