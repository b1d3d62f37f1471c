import { DataLoader } from '../../lib/data/loader';
import { ValueError } from '../../lib/errors';
import type { Dataset } from '../../lib/data';
import '../../lib';

const COUNT = 10;
/** Image i is [[i, -i]], with label i % 3. */
const dataset: Dataset = {
  name: 'made',
  images: Float32Array.from({ length: 2 * COUNT }, (_, i) => (i % 2 === 0 ? i / 2 : -(i - 1) / 2)),
  imageShape: [1, 1, 2],
  labels: Int32Array.from({ length: COUNT }, (_, i) => i % 3),
  classes: 3,
  train: Int32Array.from({ length: 8 }, (_, i) => i),
  test: Int32Array.of(8, 9),
};

const epoch = (loader: DataLoader): number[][] =>
  [...loader].map(({ images }) => [...images.dataSync()].map(Number).filter((_, i) => i % 2 === 0));

test('gives images and labels in batches, those to train with in order', () => {
  const loader = new DataLoader(dataset, { batchSize: 3 });
  const batches = [...loader];
  expect(loader.length).toBe(3);
  expect(batches.map(({ images }) => images.shape)).toEqual([
    [3, 1, 1, 2],
    [3, 1, 1, 2],
    [2, 1, 1, 2],
  ]);
  expect([...batches[1]!.images.dataSync()].map(Math.abs as (x: number | bigint) => number)).toEqual([
    3, 3, 4, 4, 5, 5,
  ]);
  expect([...batches[1]!.labels.dataSync()]).toEqual([0, 1, 2]);
  expect(batches[1]!.labels.dtype).toBe('int32');
});

test('dropLast leaves out what does not fill a batch', () => {
  expect(epoch(new DataLoader(dataset, { batchSize: 3, dropLast: true }))).toEqual([
    [0, 1, 2],
    [3, 4, 5],
  ]);
});

test('takes other indices', () => {
  expect(epoch(new DataLoader(dataset, { indices: dataset.test }))).toEqual([[8, 9]]);
});

test('shuffles by seed and epoch: the same every time, another order in every epoch', () => {
  const make = (seed: number): DataLoader => new DataLoader(dataset, { batchSize: 8, shuffle: true, seed });
  const loader = make(1);
  const [first, second] = [epoch(loader)[0]!, epoch(loader)[0]!];
  expect([...first].sort((a, b) => a - b)).toEqual([...dataset.train]);
  expect(second).not.toEqual(first);
  const again = make(1);
  expect([epoch(again)[0], epoch(again)[0]]).toEqual([first, second]);
  expect(epoch(make(2))[0]).not.toEqual(first);
});

test('an epoch that is left early is over', () => {
  const loader = new DataLoader(dataset, { batchSize: 2, shuffle: true, seed: 1 });
  const other = new DataLoader(dataset, { batchSize: 2, shuffle: true, seed: 1 });
  for (const { labels } of loader) {
    expect(labels.size).toBe(2);
    break;
  }
  epoch(other);
  expect(epoch(loader)).toEqual(epoch(other));
});

test('continues in the middle of an epoch from its state', () => {
  const options = { batchSize: 3, shuffle: true, seed: 5 };
  const whole = new DataLoader(dataset, options);
  const expected = [...epoch(whole), ...epoch(whole)];
  const first = new DataLoader(dataset, options);
  const iterator = first[Symbol.iterator]();
  iterator.next();
  const second = new DataLoader(dataset, { ...options, seed: 0 });
  second.loadStateDict(first.stateDict());
  expect([...epoch(second), ...epoch(second)]).toEqual(expected.slice(1));
  expect(second.stateDict()).toEqual({ seed: 5, epoch: 2, batch: 0 });
});

test.each<[string, () => unknown]>([
  ['batchSize', () => new DataLoader(dataset, { batchSize: 0 })],
  ['seed', () => new DataLoader(dataset, { seed: -1 })],
  ['index 10', () => new DataLoader(dataset, { indices: Int32Array.of(1, 10) })],
  ['index -1', () => new DataLoader(dataset, { indices: Int32Array.of(-1) })],
  ['no images', () => new DataLoader(dataset, { indices: new Int32Array(0) })],
  ['dropLast', () => new DataLoader(dataset, { batchSize: 9, dropLast: true })],
  ['batch 8', () => new DataLoader(dataset, { batchSize: 1 }).loadStateDict({ seed: 0, epoch: 0, batch: 8 })],
])('refuses %s', (message, make) => {
  expect(make).toThrow(ValueError);
  expect(make).toThrow(message);
});
