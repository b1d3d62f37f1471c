import fs from 'node:fs';
import path from 'node:path';
import { documentOf, tableOf } from '../lib/page/html';
import type { Row, Work } from './rows';

type Worked = Row & { readonly work: Work; readonly share: number };

/** A report of rows as one page that needs nothing else: rooflines, ratios to the peers, and all figures. */
export function pageOf(rows: readonly Row[], heading: string): string {
  return documentOf({
    title: heading,
    body: `<p>Times are medians. A ratio is our time divided by a peer's: below 1 we are faster. The roof is the least time in which this
machine can do the work: its multiplications and additions at the measured peak, or its bytes at the measured bandwidth.
What caches hold, and convolutions by Winograd's algorithm, which multiply less, may stand above it.</p>
<div id="plots"></div>
${summary(rows)}
${figures(rows)}`,
    data: { rooflines: rooflines(rows), ratios: ratios(rows) },
    script: fs.readFileSync(path.join(__dirname, 'page', 'page.js'), 'utf8'),
  });
}

interface Point {
  readonly name: string;
  readonly x: number;
  readonly y: number;
}

/** For each number of threads: what the machine can do, and GFLOP/s against operations per byte, by group. */
function rooflines(rows: readonly Row[]) {
  const once = [...new Map(rows.filter(isWorked).map((row) => [`${row.threads} ${row.case}`, row])).values()];
  return groupsOf(once, ({ threads }) => String(threads)).map(([threads, all]) => ({
    title: `Rooflines, ${threads} ${threads === '1' ? 'thread' : 'threads'}`,
    peak: all[0]!.work.peakFlops / 1e9,
    bandwidth: all[0]!.work.bandwidth / 1e9,
    groups: groupsOf(all, groupOf).map(([group, members]) => ({
      group,
      points: members.map(({ case: name, work, ours, unit }): Point => ({
        name,
        x: work.flops / work.bytes,
        y: work.flops / (ours / perSecond(unit)) / 1e9,
      })),
    })),
  }));
}

/** For each peer and number of threads the ratios of all cases, case by case. */
function ratios(rows: readonly Row[]) {
  const beside = rows.filter(({ ratio }) => ratio !== null);
  return groupsOf(beside, ({ peerName, threads }) => `Beside ${peerName}, threads: ${threads}`).map(([title, all]) => ({
    title,
    groups: groupsOf(all, groupOf).map(([group, members]) => ({
      group,
      points: members.map(({ case: name, ratio }) => ({ name, y: ratio! })),
    })),
  }));
}

/** Geometric means of ratios and shares by group. */
function summary(rows: readonly Row[]): string {
  const lines = groupsOf(rows, (row) => `${groupOf(row)}|${row.threads}|${row.peerName ?? ''}`).map(([, members]) => {
    const [first] = members as [Row];
    const known = members.filter(({ ratio }) => ratio !== null).sort((a, b) => b.ratio! - a.ratio!);
    const worst = known[0];
    return [
      groupOf(first),
      String(first.threads),
      first.peerName ?? '',
      String(members.length),
      worst === undefined ? '' : geometricMean(known.map(({ ratio }) => ratio!)).toFixed(2),
      worst === undefined ? '' : `${worst.ratio!.toFixed(2)} ${worst.case}`,
      members.every(isWorked) ? `${(100 * geometricMean(members.map(({ share }) => share))).toFixed(0)} %` : '',
    ];
  });
  const head = ['group', 'threads', 'peer', 'cases', 'ratio (geometric mean)', 'worst', 'of the roof'];
  return `<h2>By group</h2>${tableOf(head, lines)}`;
}

function figures(rows: readonly Row[]): string {
  const lines = rows.map(({ suite, case: title, threads, ours, unit, peer, peerName, ratio, share }) => [
    suite,
    title,
    String(threads),
    `${ours.toPrecision(4)} ${unit}`,
    peer === null ? '' : `${peer.toPrecision(4)} ${unit} ${peerName}`,
    ratio?.toFixed(2) ?? '',
    share === undefined ? '' : `${(100 * share).toFixed(0)} %`,
  ]);
  return `<h2>All figures</h2>${tableOf(['suite', 'case', 'threads', 'ours', 'peer', 'ratio', 'of the roof'], lines)}`;
}

const perSecond = (unit: Row['unit']): number => ({ ms: 1e3, us: 1e6, MB: 1 })[unit];
const isWorked = (row: Row): row is Worked => row.work !== undefined;
const groupOf = ({ suite, work }: Row): string =>
  work === undefined ? suite : `${work.group}${work.cache === 'cold' ? ', cold' : ''}`;
const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

function groupsOf<T>(items: readonly T[], keyOf: (item: T) => string): [string, T[]][] {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return [...groups];
}
