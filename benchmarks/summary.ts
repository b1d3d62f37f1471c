import type { Row } from './rows';

/** How many cases of a group were beside a peer, and how they stood. */
export interface Summary {
  readonly group: string;
  readonly threads: number;
  readonly cases: number;
  /** Of ours / the fastest peer. */
  readonly geometricMean: number;
  /** With a ratio above 1. */
  readonly slower: number;
}

/**
 * One for each suite, kind of kernel and group, in the order in which they come, and number of threads. A case counts once,
 * beside the fastest of its peers.
 */
export function summarize(rows: readonly Row[]): Summary[] {
  const fastest = new Map<string, Row>();
  for (const row of rows) {
    const name = `${row.suite}\n${row.case}\n${row.threads}`;
    if (row.ratio !== null && row.ratio > (fastest.get(name)?.ratio ?? 0)) fastest.set(name, row);
  }
  const ratios = new Map<string, { group: string; threads: number; values: number[] }>();
  for (const { suite, threads, work, ratio } of fastest.values())
    for (const group of groupsOf(suite, work?.group)) {
      const key = `${group}\n${threads}`;
      if (!ratios.has(key)) ratios.set(key, { group, threads, values: [] });
      ratios.get(key)!.values.push(ratio!);
    }
  return [...ratios.values()].map(({ group, threads, values }) => ({
    group,
    threads,
    cases: values.length,
    geometricMean: Math.exp(values.reduce((sum, ratio) => sum + Math.log(ratio), 0) / values.length),
    slower: values.filter((ratio) => ratio > 1).length,
  }));
}

/** A suite's name where its cases have no groups; of "conv, LeNet" the kind "conv" and itself. */
function groupsOf(suite: string, group: string | undefined): Set<string> {
  return group === undefined ? new Set([suite]) : new Set([group.split(',', 1)[0]!, group]);
}

/** The summaries as lines for a terminal; none where no row has a peer. */
export function describeSummaries(summaries: readonly Summary[]): string[] {
  return summaries.map(
    ({ group, threads, cases, geometricMean, slower }) =>
      `${group}, threads: ${threads}: geometric mean of ours / fastest peer ${geometricMean.toFixed(3)}, ` +
      `slower in ${slower} of ${cases} cases`,
  );
}
