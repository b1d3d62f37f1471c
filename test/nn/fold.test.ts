import { manualSeed, nn, randn, tensor, zeros } from '../../lib';
import { ShapeError, ValueError } from '../../lib/errors';
import * as F from '../../lib/nn/functional';
import { onEachBackend } from '../helpers/backends';
import { testRecorded } from './recorded-layers';

testRecorded('fold');

onEachBackend('folding', () => {
  test('fold is the adjoint of unfold: <unfold x, g> = <x, fold g>', () => {
    manualSeed(1);
    const options = { dilation: [1, 2], padding: [2, 1], stride: [3, 2] };
    const x = randn([2, 3, 8, 9], { dtype: 'float64' });
    const columns = F.unfold(x, [3, 2], options);
    const g = randn(columns.shape, { dtype: 'float64' });
    const back = F.fold(g, [8, 9], [3, 2], options);
    expect(columns.mul(g).sum().itemSync()).toBeCloseTo(x.mul(back).sum().itemSync(), 10);
  });

  test('infinities stay where they are', () => {
    const y = F.unfold(tensor([[[1, Infinity, 3]]]), [1, 2]);
    expect([...y.dataSync()]).toEqual([1, Infinity, Infinity, 3]);
  });

  test('Unflatten undoes Flatten', () => {
    const x = randn([2, 3, 4, 5]);
    const flat = new nn.Flatten().forward(x);
    expect(new nn.Unflatten(1, [3, -1, 5]).forward(flat).shape).toEqual([2, 3, 4, 5]);
    expect(new nn.Unflatten(-1, [3, 4, 5]).forward(flat).shape).toEqual([2, 3, 4, 5]);
    expect(() => new nn.Unflatten(1, [7, -1]).forward(flat)).toThrow(/Unflatten: \[7, -1\] does not multiply to 60/);
    expect(() => new nn.Unflatten(1, [-1, -1]).forward(flat)).toThrow(ShapeError);
    expect(() => new nn.Unflatten(1, [])).toThrow(ValueError);
  });

  test('pixelUnshuffle undoes pixelShuffle, and shuffling channels both ways too', () => {
    const x = randn([2, 12, 3, 5]);
    expect([...F.pixelUnshuffle(F.pixelShuffle(x, 2), 2).dataSync()]).toEqual([...x.dataSync()]);
    expect([...F.channelShuffle(F.channelShuffle(x, 3), 4).dataSync()]).toEqual([...x.dataSync()]);
  });

  test.each([
    ['another number of windows', /fold: takes \[N, C \* 4, 12\]/, () => F.fold(zeros([1, 8, 11]), [4, 5], 2)],
    ['rows without channels', /fold: takes/, () => F.fold(zeros([1, 7, 12]), [4, 5], 2)],
    ['a window that does not fit', /unfold: a window of 4/, () => F.unfold(zeros([1, 3, 3]), 4)],
    ['channels without a square', /pixelShuffle.*\* 4/, () => F.pixelShuffle(zeros([6, 2, 2]), 2)],
    ['odd sizes', /pixelUnshuffle/, () => F.pixelUnshuffle(zeros([1, 3, 2]), 2)],
    ['groups that do not divide', /channelShuffle.*divisible by 4/, () => F.channelShuffle(zeros([1, 6, 2]), 4)],
  ])('refuses %s', (_what, message, act) => {
    expect(act).toThrow(ShapeError);
    expect(act).toThrow(message);
  });

  test.each([
    ['a stride of 0', () => new nn.Unfold(2, { stride: 0 })],
    ['an outputSize of 0', () => new nn.Fold(0, 2)],
    ['a factor of 1.5', () => new nn.PixelShuffle(1.5)],
  ])('refuses %s', (_what, act) => expect(act).toThrow(ValueError));
});
