import { F, tensor, ones, zeros, type Tensor } from '../../lib';
import { DTypeError, ShapeError, ValueError } from '../../lib/errors';
import { onEachBackend } from '../helpers/backends';
import { gradcheck, gradgradcheck, numbersOf } from '../helpers/gradcheck';
import { randomArray } from '../helpers/ndarray';
import { testRecorded } from './recorded-layers';

testRecorded('distance');

const points = { shape: [4, 3], data: randomArray([4, 3], 21).data, dtype: 'float64' as const };

onEachBackend('normalize and pdist', () => {
  // PyTorch has no second derivative of pdist.
  test.each([0.5, 1, 1.5, 2, 3, Infinity])('pdist has first and second derivatives (p %d)', (p) => {
    const distances = (x: Tensor): Tensor => F.pdist(x, { p });
    gradcheck(distances, [points]);
    gradgradcheck(distances, [points]);
  });

  test('pdist of no rows, or one, is empty', () => {
    expect(F.pdist(zeros([0, 2])).shape).toEqual([0]);
    expect(numbersOf(F.pdist(zeros([1, 2])))).toEqual([]);
    expect(numbersOf(F.pdist(zeros([3, 0])))).toEqual([0, 0, 0]);
  });

  test('pdist with p Infinity takes the largest difference', () => {
    const x = tensor([
      [0, 0],
      [3, -4],
      [1, 1],
    ]);
    expect(numbersOf(F.pdist(x, { p: Infinity }))).toEqual([4, 1, 5]);
  });

  test('normalize has first and second derivatives', () => {
    for (const p of [1.5, 2, 3]) {
      const unit = (x: Tensor): Tensor => F.normalize(x, { p });
      gradcheck(unit, [points]);
      gradgradcheck(unit, [points]);
    }
  });

  test.each<[unknown, string, () => unknown]>([
    [ShapeError, 'pdist: x is \\[N, D\\], got \\[3\\]', () => F.pdist(ones([3]))],
    [DTypeError, 'pdist: x is float32 or float64, got int32', () => F.pdist(ones([3, 2], { dtype: 'int32' }))],
    [ValueError, 'pdist: p is a number of at least 0, got -1', () => F.pdist(ones([3, 2]), { p: -1 })],
    [ValueError, 'pdist: p is a number of at least 0, got NaN', () => F.pdist(ones([3, 2]), { p: NaN })],
    [ValueError, 'pdist: x is a tensor, got object', () => F.pdist([[1]] as never)],
    [ShapeError, 'normalize: .*dim 1', () => F.normalize(ones([3]))],
    [DTypeError, 'normalize: x is float32 or float64, got int32', () => F.normalize(ones([3, 2], { dtype: 'int32' }))],
    [
      ValueError,
      'normalize: eps is a finite number of at least 0, got -1',
      () => F.normalize(ones([3, 2]), { eps: -1 }),
    ],
    [ValueError, 'normalize: p is a number.*got NaN', () => F.normalize(ones([3, 2]), { p: NaN })],
  ])('refuses with %p: %s', (error, message, call) => {
    expect(call).toThrow(error as never);
    expect(call).toThrow(new RegExp(message));
  });
});
