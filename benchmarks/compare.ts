import fs from 'node:fs';
import { UsageError } from './arguments';
import { geometricMean } from './measure';
import { nameOf, type Row } from './rows';

export interface Change {
  readonly name: string;
  readonly before: number;
  readonly after: number;
  readonly unit: string;
  /** after / before: above 1 is slower. */
  readonly ratio: number;
}

export interface Comparison {
  /** In both files, the most slowed down first. */
  readonly changes: readonly Change[];
  readonly geometricMean: number;
  /** In one file only. */
  readonly unmatched: readonly string[];
}

/** Our own times in two files of rows. A case that has a row for each of several peers counts once. */
export function compareRows(before: readonly Row[], after: readonly Row[]): Comparison {
  const [old, now] = [before, after].map((rows) => new Map(rows.map((row) => [nameOf(row), row]))) as [
    Map<string, Row>,
    Map<string, Row>,
  ];
  const changes: Change[] = [];
  for (const [name, row] of now) {
    const last = old.get(name);
    if (last !== undefined && last.unit === row.unit)
      changes.push({ name, before: last.ours, after: row.ours, unit: row.unit, ratio: row.ours / last.ours });
  }
  changes.sort((a, b) => b.ratio - a.ratio);
  const matched = new Set(changes.map(({ name }) => name));
  const unmatched = [...new Set([...old.keys(), ...now.keys()])].filter((name) => !matched.has(name));
  return { changes, geometricMean: geometricMean(changes.map(({ ratio }) => ratio)), unmatched };
}

/** What became slower or faster than `threshold` allows, as text. */
export function describeComparison({ changes, geometricMean, unmatched }: Comparison, threshold: number): string {
  const line = ({ name, before, after, unit, ratio }: Change): string =>
    `  ${ratio.toFixed(3)}  ${name}: ${before.toPrecision(4)} to ${after.toPrecision(4)} ${unit}`;
  const slower = changes.filter(({ ratio }) => ratio > threshold);
  const faster = changes.filter(({ ratio }) => ratio < 1 / threshold).reverse();
  return [
    `${changes.length} cases in both files, geometric mean of after / before: ${geometricMean.toFixed(3)}`,
    `slower by more than ${threshold}: ${slower.length}`,
    ...slower.map(line),
    `faster by more than ${threshold}: ${faster.length}`,
    ...faster.map(line),
    ...(unmatched.length === 0 ? [] : [`in one file only: ${unmatched.length}`]),
  ].join('\n');
}

/** The rows of a file that `--json` has written. Throws UsageError for any other. */
export function readRows(file: string): Row[] {
  let rows: unknown;
  try {
    rows = JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UsageError(`cannot read ${file}: ${(error as Error).message}`);
  }
  if (!Array.isArray(rows) || !rows.every(isRow)) throw new UsageError(`${file} has no rows of --json`);
  return rows;
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;

function isRow(value: unknown): value is Row {
  if (!isObject(value)) return false;
  const { suite, case: title, threads, unit, ours, ratio, work } = value;
  const isNamed = typeof suite === 'string' && typeof title === 'string' && typeof unit === 'string';
  const isPositive = (number: unknown): boolean => typeof number === 'number' && number > 0;
  const isGrouped = work === undefined || (isObject(work) && typeof work.group === 'string');
  return (
    isNamed && isGrouped && typeof threads === 'number' && isPositive(ours) && (ratio === null || isPositive(ratio))
  );
}
