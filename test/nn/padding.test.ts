import { nn, tensor, zeros } from '../../lib';
import { ShapeError, ValueError } from '../../lib/errors';
import * as F from '../../lib/nn/functional';
import type { TensorBase } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';
import { testRecorded } from './recorded-layers';

testRecorded('padding');

const numbers = (x: TensorBase): number[] => [...x.capture().dataSync()].map(Number);

onEachBackend('padding', () => {
  test('goes on as its mode says, in any dtype', () => {
    const x = tensor(Int32Array.of(1, 2, 3));
    expect(numbers(F.pad(x, [2, 1]))).toEqual([0, 0, 1, 2, 3, 0]);
    expect(numbers(F.pad(x, [2, 1], { mode: 'reflect' }))).toEqual([3, 2, 1, 2, 3, 2]);
    expect(numbers(F.pad(x, [2, 1], { mode: 'replicate' }))).toEqual([1, 1, 1, 2, 3, 3]);
    expect(numbers(F.pad(x, [2, 1], { mode: 'circular' }))).toEqual([2, 3, 1, 2, 3, 1]);
    expect(F.pad(x, [1, 1], { mode: 'reflect' }).dtype).toBe('int32');
  });

  test('ZeroPad1d to ZeroPad3d', () => {
    expect(new nn.ZeroPad1d(1).forward(zeros([2, 3])).shape).toEqual([2, 5]);
    expect(new nn.ZeroPad2d([1, 0, 2, 0]).forward(zeros([1, 2, 3])).shape).toEqual([1, 4, 4]);
    expect(new nn.ZeroPad3d(1).forward(zeros([1, 2, 3, 4, 5])).shape).toEqual([1, 2, 5, 6, 7]);
    expect(new nn.ConstantPad1d(2, 3.5).toString()).toBe('ConstantPad1d([2, 2], value=3.5)');
  });

  test.each([
    ['reflection of a whole dim', /pad: reflected padding/, () => F.pad(zeros([2, 3]), [3, 0], { mode: 'reflect' })],
    ['more than a round', /pad: circular padding/, () => F.pad(zeros([2, 3]), [4, 0], { mode: 'circular' })],
    ['repeating nothing', /pad: nothing to repeat/, () => F.pad(zeros([2, 0]), [1, 0], { mode: 'replicate' })],
    ['taking away too much', /pad: more is taken away/, () => F.pad(zeros([2, 3]), [-2, -2])],
    ['an odd number of sizes', /pad: padding has two sizes/, () => F.pad(zeros([2, 3]), [1])],
    ['images for a 1d layer', /ReflectionPad1d: takes/, () => new nn.ReflectionPad1d(1).forward(zeros([1, 2, 3, 4]))],
  ])('refuses %s', (_what, message, act) => {
    expect(act).toThrow(ShapeError);
    expect(act).toThrow(message);
  });

  test.each([
    ['an unknown mode', () => F.pad(zeros([3]), [1, 1], { mode: 'mirror' as 'reflect' })],
    ['half an element', () => F.pad(zeros([3]), [0.5, 1])],
    ['three sizes of two', () => new nn.ZeroPad1d([1, 2, 3])],
    ['NaN for the value', () => new nn.ConstantPad2d(1, NaN)],
  ])('refuses %s', (_what, act) => expect(act).toThrow(ValueError));
});
