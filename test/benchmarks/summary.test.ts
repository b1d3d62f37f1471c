import { rowOf } from '../../benchmarks/rows';
import { describeSummaries, summarize } from '../../benchmarks/summary';

const work = (group: string) => ({ group, flops: 1, bytes: 1, peakFlops: 1, bandwidth: 1, cache: 'warm' as const });
const row = (title: string, ratio: number | null, group?: string, threads = 1, peer = 'torch') =>
  rowOf(
    { suite: 'kernels', case: title, threads, unit: 'us', work: group === undefined ? undefined : work(group) },
    ratio ?? 1,
    ratio === null ? null : { name: peer, amount: 1 },
  );

test('each group, and the kind that its groups belong to, has the geometric mean beside the fastest peer', () =>
  expect(
    summarize([
      row('a', 0.25, 'conv, LeNet'),
      row('a', 0.5, 'conv, LeNet', 1, 'ort'),
      row('b', 2, 'conv, LeNet'),
      row('c', 4, 'conv, VGG-16'),
      row('c', 9, 'conv, VGG-16', 2),
      row('d', null, 'pool'),
      row('e', 3),
    ]),
  ).toEqual([
    { group: 'conv', threads: 1, cases: 3, geometricMean: expect.closeTo(4 ** (1 / 3), 12) as number, slower: 2 },
    { group: 'conv, LeNet', threads: 1, cases: 2, geometricMean: expect.closeTo(1, 12) as number, slower: 1 },
    { group: 'conv, VGG-16', threads: 1, cases: 1, geometricMean: expect.closeTo(4, 12) as number, slower: 1 },
    { group: 'conv', threads: 2, cases: 1, geometricMean: expect.closeTo(9, 12) as number, slower: 1 },
    { group: 'conv, VGG-16', threads: 2, cases: 1, geometricMean: expect.closeTo(9, 12) as number, slower: 1 },
    { group: 'kernels', threads: 1, cases: 1, geometricMean: expect.closeTo(3, 12) as number, slower: 1 },
  ]));

test('a group that is its own kind stands once', () =>
  expect(summarize([row('a', 2, 'softmax')]).map(({ group }) => group)).toEqual(['softmax']));

test('as text', () =>
  expect(describeSummaries(summarize([row('a', 0.5, 'pool'), row('b', 2, 'pool')]))).toEqual([
    'pool, threads: 1: geometric mean of ours / fastest peer 1.000, slower in 1 of 2 cases',
  ]));
