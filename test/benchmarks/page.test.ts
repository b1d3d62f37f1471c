import { pageOf } from '../../benchmarks/page';
import { rowOf, table, type Work } from '../../benchmarks/rows';

const work: Work = { group: 'g<1>', flops: 2e9, bytes: 1e9, peakFlops: 1e11, bandwidth: 1e10, cache: 'warm' };
const torch = { name: 'torch', amount: 0.4 };
const rows = [
  rowOf({ suite: 'kernels', case: 'a </script> & "b"', threads: 1, unit: 'us', work }, 0.2, torch),
  rowOf({ suite: 'kernels', case: 'c', threads: 2, unit: 'us', work }, 0.1, torch),
  rowOf({ suite: 'overhead', case: 'd', threads: 1, unit: 'ms' }, 0.001, null),
];

test('a row with work is a share of the least time that the machine needs', () => {
  expect(rows.map(({ share }) => share)).toEqual([0.5, 1, undefined]);
  expect(table(rows).split('\n')[1]).toMatch(/0\.500 +50 %$/);
  expect(table(rows.slice(2))).not.toMatch(/roof/);
});

test('the page stands alone, and what it draws are the rows', () => {
  const page = pageOf(rows, 'a < b');
  expect(page).toContain('<h1>a &#60; b</h1>');
  expect(page).not.toMatch(/<(script|link|img)[^>]* (src|href)=/);
  expect(page.match(/<\/script>/g)).toHaveLength(2);
  expect(page).toContain('uPlot');
  const data = JSON.parse(/const data = (.*);\n/.exec(page)![1]!) as {
    rooflines: { title: string; peak: number; bandwidth: number; groups: { group: string; points: object[] }[] }[];
    ratios: { title: string; groups: { points: object[] }[] }[];
  };
  expect(data.rooflines.map(({ title, peak, bandwidth }) => [title, peak, bandwidth])).toEqual([
    ['Rooflines, 1 thread', 100, 10],
    ['Rooflines, 2 threads', 100, 10],
  ]);
  const [point] = data.rooflines[0]!.groups[0]!.points as { name: string; x: number; y: number }[];
  expect(point).toMatchObject({ name: rows[0]!.case, x: 2 });
  expect(point!.y).toBeCloseTo(10, 9);
  expect(data.ratios.map(({ title }) => title)).toEqual(['Beside torch, threads: 1', 'Beside torch, threads: 2']);
  expect(page).toMatch(/<td>g&#60;1&#62;<\/td><td>1<\/td><td>torch<\/td><td>1<\/td><td>0\.50<\/td>/);
});
