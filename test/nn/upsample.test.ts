import { nn, tensor, zeros } from '../../lib';
import { interpolate, type InterpolateOptions } from '../../lib/nn/functional';
import { onEachBackend } from '../helpers/backends';
import { testRecorded } from './recorded-layers';

testRecorded('upsample');

onEachBackend('interpolation', () => {
  test('layers are interpolate with their options', () => {
    const x = tensor([[[[1, 2]]]]);
    expect([...new nn.UpsamplingNearest2d({ scaleFactor: 2 }).forward(x).dataSync()]).toEqual([1, 1, 2, 2, 1, 1, 2, 2]);
    expect([...new nn.UpsamplingBilinear2d({ size: [1, 3] }).forward(x).dataSync()]).toEqual([1, 1.5, 2]);
    expect(new nn.Upsample({ scaleFactor: 2, mode: 'bilinear' }).toString()).toBe(
      'Upsample(scaleFactor=2, mode="bilinear")',
    );
  });

  test.each([
    ['signals for bilinear', /interpolate: mode bilinear takes 4 dims/, { size: 2, mode: 'bilinear' }],
    ['both size and scaleFactor', /either size or scaleFactor/, { size: 2, scaleFactor: 2 }],
    ['neither', /either size or scaleFactor/, {}],
    ['an unknown mode', /mode is nearest/, { size: 2, mode: 'lanczos' as 'area' }],
    ['aligned corners without interpolation', /alignCorners is for linear/, { size: 2, alignCorners: true }],
    ['antialias without two dims', /antialias is for/, { size: 2, mode: 'linear', antialias: true }],
    ['two sizes for one dim', /interpolate: size/, { size: [2, 2] }],
    ['a factor of 0', /scaleFactor is a number above 0/, { scaleFactor: 0 }],
    ['a factor that leaves nothing', /leaves nothing of 3/, { scaleFactor: 0.1 }],
  ] as [string, RegExp, InterpolateOptions][])('refuses %s', (_what, message, options) =>
    expect(() => interpolate(zeros([1, 2, 3]), options)).toThrow(message),
  );
});
