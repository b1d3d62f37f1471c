import { Bench } from '../../benchmarks/bench';
import { alternate, median, timed, timedAwaited, type Contender } from '../../benchmarks/measure';
import { Peers } from '../../benchmarks/peers/pool';
import { rowOf, table } from '../../benchmarks/rows';

/** Takes as long as it says. */
const takes = (name: string, seconds: number): Contender => ({ name, time: () => seconds });

describe('median', () => {
  test.each([
    [[3], 3],
    [[3, 1, 2], 2],
    [[10, 1, 2, 9], 5.5],
  ])('of %j is %d', (values, expected) => expect(median(values)).toBe(expected));

  test('of nothing is an error', () => expect(() => median([])).toThrow('median'));
});

describe('timing', () => {
  test.each([
    [1, 1],
    [4, 5],
  ])('%d calls are measured by %d', async (count, expected) => {
    let [calls, awaited] = [0, 0];
    await timed('', () => void calls++).time(count);
    await timedAwaited('', () => Promise.resolve(awaited++)).time(count);
    expect([calls, awaited]).toEqual([expected, expected]);
  });

  test('contenders take turns, and each gets its median', async () => {
    const order: string[] = [];
    const contender = (name: string, times: readonly number[]): Contender => {
      let i = 0;
      return { name, time: () => (order.push(name), times[i++ % times.length]!) };
    };
    // Two calls each to warm up; long enough for samples of one call.
    const medians = await alternate([contender('a', [1, 1, 7, 2, 3]), contender('b', [5, 5, 5, 6, 9])], { samples: 3 });
    expect(order.join('')).toBe('aabb' + 'ababab');
    expect(medians).toEqual([3, 6]);
  });
});

describe('rows', () => {
  const where = { suite: 's', case: 'c', threads: 2, unit: 'ms' } as const;

  test('have the ratio of ours to the peer', () =>
    expect(rowOf(where, 0.003, { name: 'torch', amount: 0.002 })).toEqual({
      ...where,
      ours: 3,
      peer: 2,
      peerName: 'torch',
      ratio: 1.5,
    }));

  test('without a peer have null', () =>
    expect(rowOf({ ...where, unit: 'us' }, 0.003, null)).toEqual({
      ...where,
      unit: 'us',
      ours: 3000,
      peer: null,
      peerName: null,
      ratio: null,
    }));

  test('line up in a table', () => {
    const lines = table([rowOf(where, 0.003, { name: 'torch', amount: 0.002 }), rowOf(where, 12, null)]).split('\n');
    expect(lines).toEqual([
      'suite  case  threads  ours      unit  peer   is     ratio',
      's      c     2        3.000     ms    2.000  torch  1.500',
      's      c     2        1.200e+4  ms    -      -      -',
    ]);
  });
});

describe('a bench', () => {
  const bench = () => new Bench('s', 2, /^c/, new Peers([], () => undefined));

  test('makes a row for each rival, of its best', async () => {
    const made = bench();
    const limits = [takes('a', 0.2), takes('b', 0.3), takes('a', 0.1)];
    await made.compare({ name: 'c', unit: 'ms', ours: () => takes('plain', 0.2), limits });
    expect(made.rows.map(({ peerName, ours, peer, ratio }) => [peerName, ours, peer, ratio])).toEqual([
      ['a', 200, 100, 2],
      ['b', 200, 300, 0.2 / 0.3],
    ]);
  });

  test('makes one row where there is no rival, and none for what the filter leaves out', async () => {
    const made = bench();
    await made.compare({ name: 'c', unit: 'us', ours: () => takes('plain', 0.2) });
    made.figure('c too', 'ms', 0.5);
    made.figure('other', 'ms', 0.5);
    await made.compare({
      name: 'other',
      unit: 'us',
      ours: () => {
        throw new Error('not asked for');
      },
    });
    expect(made.rows).toEqual([
      { suite: 's', case: 'c', threads: 2, unit: 'us', ours: 2e5, peer: null, peerName: null, ratio: null },
      { suite: 's', case: 'c too', threads: 2, unit: 'ms', ours: 500, peer: null, peerName: null, ratio: null },
    ]);
  });
});
