import { geometricMean } from './measure';
import { nameOf, type Row } from './rows';

/** How many cases of a group were beside a peer, and how they stood. */
export interface Summary {
  readonly group: string;
  readonly threads: number;
  readonly cases: number;
  /** Of ours / the fastest peer. */
  readonly ratio: number;
  /** Of their shares of what the machine can do; null where that is not known of all. */
  readonly share: number | null;
  /** With a ratio above 1. */
  readonly slower: number;
}

/**
 * One for each group of cases and each kind of group, in the order in which they come, and number of threads. A case counts
 * once, beside the fastest of its peers.
 */
export function summarize(rows: readonly Row[]): Summary[] {
  const cases = new Map<string, Row>();
  for (const row of rows)
    if (row.ratio !== null && row.ratio > (cases.get(nameOf(row))?.ratio ?? 0)) cases.set(nameOf(row), row);
  const groups = new Map<string, { group: string; threads: number; members: Row[] }>();
  for (const row of cases.values())
    for (const group of groupsOf(row)) {
      const key = `${group}, threads: ${row.threads}`;
      if (!groups.has(key)) groups.set(key, { group, threads: row.threads, members: [] });
      groups.get(key)!.members.push(row);
    }
  return [...groups.values()].map(({ group, threads, members }) => ({
    group,
    threads,
    cases: members.length,
    ratio: geometricMean(members.map(({ ratio }) => ratio!)),
    share: members.every(({ share }) => share !== undefined) ? geometricMean(members.map(({ share }) => share!)) : null,
    slower: members.filter(({ ratio }) => ratio! > 1).length,
  }));
}

/** The suite where its cases have no groups; of "conv, LeNet" the kind "conv" and itself. */
function groupsOf({ suite, work }: Row): Set<string> {
  return work === undefined ? new Set([suite]) : new Set([work.group.split(',', 1)[0]!, work.group]);
}

/** The summaries as lines for a terminal; none where no row has a peer. */
export function describeSummaries(summaries: readonly Summary[]): string[] {
  return summaries.map(({ group, threads, cases, ratio, share, slower }) => {
    const ofRoof = share === null ? '' : `, ${(100 * share).toFixed(0)} % of the roof`;
    const counted = `slower in ${slower} of ${cases} cases`;
    return `${group}, threads: ${threads}: geometric mean of ours / fastest peer ${ratio.toFixed(3)}, ${counted}${ofRoof}`;
  });
}
