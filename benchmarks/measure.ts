/** One measured case. */
export interface Row {
  readonly suite: string;
  readonly case: string;
  readonly threads: number;
  readonly unit: string;
  /** The median, in `unit`. */
  readonly ours: number;
  /** What it is measured against, in the same unit, and its name. */
  readonly reference: number;
  readonly referenceName: string;
  /** ours / reference. */
  readonly ratio: number;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/**
 * Median seconds of one call, over `repetitions` timings after one to warm up. Calls shorter than a millisecond are
 * timed in batches, so that the clock does not show.
 */
export function secondsOf(call: () => void, repetitions = 9): number {
  const timed = (count: number): number => {
    const start = process.hrtime.bigint();
    for (let i = 0; i < count; i++) call();
    return Number(process.hrtime.bigint() - start) / 1e9 / count;
  };
  timed(1);
  const count = Math.max(1, Math.ceil(1e-3 / Math.max(timed(3), 1e-9)));
  return median(Array.from({ length: repetitions }, () => timed(count)));
}

/** The rows as a table for a terminal. */
export function table(rows: readonly Row[]): string {
  const cells = rows.map((row) => [
    row.suite,
    row.case,
    String(row.threads),
    row.ours.toPrecision(4),
    row.unit,
    row.reference.toPrecision(4),
    row.referenceName,
    row.ratio.toFixed(3),
  ]);
  const all = [['suite', 'case', 'threads', 'ours', 'unit', 'reference', 'is', 'ratio'], ...cells];
  const widths = all[0]!.map((_, column) => Math.max(...all.map((row) => row[column]!.length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
