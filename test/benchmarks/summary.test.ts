import { rowOf } from '../../benchmarks/rows';
import { describeSummaries, summarize } from '../../benchmarks/summary';

const work = (group: string) => ({ group, flops: 1, bytes: 1, peakFlops: 1, bandwidth: 1, cache: 'warm' as const });
const row = (title: string, ratio: number | null, group?: string, threads = 1, peer = 'torch') =>
  rowOf(
    { suite: 'kernels', case: title, threads, unit: 'us', work: group === undefined ? undefined : work(group) },
    ratio ?? 1,
    ratio === null ? null : { name: peer, amount: 1 },
  );

/** A least time of 1 second, so that the share of the roof is 1 / ratio. */
const summary = (group: string, threads: number, cases: number, ratio: number, slower: number, hasShare = true) => ({
  group,
  threads,
  cases,
  ratio: expect.closeTo(ratio, 12) as number,
  share: hasShare ? (expect.closeTo(1 / ratio, 12) as number) : null,
  slower,
});

test('each group, and the kind that its groups belong to, has the geometric mean beside the fastest peer', () =>
  expect(
    summarize([
      row('a', 0.5, 'conv, LeNet', 1, 'ort'),
      row('b', 2, 'conv, LeNet'),
      row('c', 4, 'conv, VGG-16'),
      row('c', 9, 'conv, VGG-16', 2),
      row('d', null, 'pool'),
      row('e', 3),
    ]),
  ).toEqual([
    summary('conv', 1, 3, 4 ** (1 / 3), 2),
    summary('conv, LeNet', 1, 2, 1, 1),
    summary('conv, VGG-16', 1, 1, 4, 1),
    summary('conv', 2, 1, 9, 1),
    summary('conv, VGG-16', 2, 1, 9, 1),
    summary('kernels', 1, 1, 3, 1, false),
  ]));

test('a case counts once, beside the fastest of its peers', () =>
  expect(
    summarize([row('a', 0.25, 'pool'), row('a', 0.5, 'pool', 1, 'ort')]).map(({ cases, ratio }) => [cases, ratio]),
  ).toEqual([[1, 0.5]]));

test('a group that is its own kind stands once', () =>
  expect(summarize([row('a', 2, 'softmax')]).map(({ group }) => group)).toEqual(['softmax']));

test('as text', () => {
  const text = 'threads: 1: geometric mean of ours / fastest peer 1.000, slower in 1 of 2 cases';
  expect(describeSummaries(summarize([row('a', 0.5, 'pool'), row('b', 2, 'pool')]))).toEqual([
    `pool, ${text}, 100 % of the roof`,
  ]);
  expect(describeSummaries(summarize([row('a', 0.5), row('b', 2)]))).toEqual([`kernels, ${text}`]);
});
