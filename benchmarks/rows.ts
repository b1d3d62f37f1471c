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
}

export type Unit = 'ms' | 'us';

const perSecond = { ms: 1e3, us: 1e6 };

/** The row of two medians in seconds; `peer` is null where there is none. */
export function rowOf(
  where: Pick<Row, 'suite' | 'case' | 'threads' | 'unit'>,
  ours: number,
  peer: { readonly name: string; readonly seconds: number } | null,
): Row {
  const scale = perSecond[where.unit];
  const { suite, case: title, threads, unit } = where;
  const row = { suite, case: title, threads, unit, ours: ours * scale };
  if (peer === null) return { ...row, peer: null, peerName: null, ratio: null };
  return { ...row, peer: peer.seconds * scale, peerName: peer.name, ratio: ours / peer.seconds };
}

/** A row in one line, for whoever waits for the table. */
export function lineOf({ case: title, ours, unit, peer, peerName }: Row): string {
  const beside = peer === null ? '' : `, ${peerName} ${peer.toPrecision(4)}`;
  return `  ${title}: ${ours.toPrecision(4)} ${unit}${beside}`;
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
  ]);
  const all = [['suite', 'case', 'threads', 'ours', 'unit', 'peer', 'is', 'ratio'], ...cells];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string => row.map((cell, column) => cell.padEnd(widths[column]!)).join('  ');
  return all.map((row) => line(row).trimEnd()).join('\n');
}
