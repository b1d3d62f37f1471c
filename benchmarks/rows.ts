/** One measured case beside one peer, or alone. */
export interface Row {
  readonly suite: string;
  readonly case: string;
  readonly threads: number;
  readonly unit: Unit;
  /** The median. */
  readonly ours: number;
  /** The same of what it is measured against, and its name; null where there is nothing. */
  readonly peer: number | null;
  readonly peerName: string | null;
  /** ours / peer: lower is better. */
  readonly ratio: number | null;
  /** What was to be done, where that is known. */
  readonly work?: Work;
  /** How much of what the machine can do that is: its least time / ours. Above 1 where caches hold the data. */
  readonly share?: number;
}

/** Names a case, with any peer. */
export const nameOf = ({ suite, case: title, threads }: Row): string => `${suite}, ${title}, threads: ${threads}`;

/** Work, and what this machine can do at best, on as many threads. */
export interface Work {
  /** Cases that belong together. */
  readonly group: string;
  readonly flops: number;
  readonly bytes: number;
  /** Operations, and bytes, a second. */
  readonly peakFlops: number;
  readonly bandwidth: number;
  /** Whether caches may hold the inputs from call to call, or they were made to leave them. */
  readonly cache: 'warm' | 'cold';
}

/** The least seconds: computing and moving memory go on at the same time. */
export function leastSeconds({ flops, bytes, peakFlops, bandwidth }: Work): number {
  return Math.max(flops / peakFlops, bytes / bandwidth);
}

export type Unit = 'ms' | 'us' | 'MB';

/** Of a second, or a byte. */
const scales = { ms: 1e3, us: 1e6, MB: 1e-6 };

/** The row of two medians, in seconds or bytes; `peer` is null where there is none. */
export function rowOf(
  where: Pick<Row, 'suite' | 'case' | 'threads' | 'unit'> & { readonly work?: Work | undefined },
  ours: number,
  peer: { readonly name: string; readonly amount: number } | null,
): Row {
  const scale = scales[where.unit];
  const { suite, case: title, threads, unit, work } = where;
  const known = work === undefined ? {} : { work, share: leastSeconds(work) / ours };
  const row = { suite, case: title, threads, unit, ours: ours * scale, ...known };
  if (peer === null) return { ...row, peer: null, peerName: null, ratio: null };
  return { ...row, peer: peer.amount * scale, peerName: peer.name, ratio: ours / peer.amount };
}

/** A row in one line, for whoever waits for the table. */
export function lineOf({ case: title, ours, unit, peer, peerName, share }: Row): string {
  const ofRoof = share === undefined ? '' : ` (${(100 * share).toFixed(0)} % of the roof)`;
  const beside = peer === null ? '' : `, ${peerName} ${peer.toPrecision(4)}`;
  return `  ${title}: ${ours.toPrecision(4)} ${unit}${ofRoof}${beside}`;
}

/** The rows as a table for a terminal. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.suite,
    row.case,
    String(row.threads),
    row.ours.toPrecision(4),
    row.unit,
    row.peer?.toPrecision(4) ?? '-',
    row.peerName ?? '-',
    row.ratio?.toFixed(3) ?? '-',
    row.share === undefined ? '' : `${(100 * row.share).toFixed(0)} %`,
  ]);
  const share = rows.some((row) => row.share !== undefined) ? 'of roof' : '';
  const all = [['suite', 'case', 'threads', 'ours', 'unit', 'peer', 'is', 'ratio', share], ...cells];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ');
  return all.map((row) => line(row).trimEnd()).join('\n');
}
