import { F, ones, tensor, type Tensor } from '../../lib';
import { DTypeError, ShapeError, ValueError } from '../../lib/errors';
import { onEachBackend } from '../helpers/backends';
import { gradgradcheck, numbersOf } from '../helpers/gradcheck';
import { randomArray } from '../helpers/ndarray';
import { testRecorded } from './recorded-layers';

testRecorded('grid');

const image = ones([2, 1, 3, 4]);
const grid = ones([2, 5, 6, 2]);
const bad = 'nowhere' as never;

onEachBackend('sampling by grids', () => {
  // First ones are recorded; PyTorch has no second derivative of it. Places are away from the corners of the formula.
  describe.each(['bilinear', 'nearest', 'bicubic'] as const)('%s', (mode) => {
    test.each(['zeros', 'border', 'reflection'] as const)('has second derivatives (%s)', (paddingMode) => {
      const spaces = [[3, 2], ...(mode === 'bicubic' ? [] : [[2, 1, 2]])];
      for (const sizes of spaces) {
        const dims = sizes.length;
        const count = 4;
        const pixels = randomArray([1, 1, ...sizes], 31);
        const shape = [1, ...sizes.slice(1).map(() => 1), count, dims];
        const places = Array.from({ length: count * dims }, (_, i) => -1.43 + (3.07 * i) / (count * dims));
        const sample = (x: Tensor, g: Tensor): Tensor => F.gridSample(x, g, { mode, paddingMode });
        const primals = [
          { shape: pixels.shape, data: pixels.data, dtype: 'float64' as const },
          { shape, data: places, dtype: 'float64' as const },
        ];
        gradgradcheck(sample, primals, { mayBeConstant: true });
      }
    });
  });

  test('the grid of the identity gives the image back, to the bit where centers are exact', () => {
    const x = tensor(Float64Array.from(randomArray([1, 2, 4, 8], 32).data), { shape: [1, 2, 4, 8] });
    const identity = F.affineGrid(tensor(Float64Array.of(1, 0, 0, 0, 1, 0), { shape: [1, 2, 3] }), x.shape);
    for (const mode of ['bilinear', 'nearest', 'bicubic'] as const)
      expect(numbersOf(F.gridSample(x, identity, { mode }))).toEqual(numbersOf(x));
  });

  test('places far outside are zeros, the nearest element, or some element of the mirrored image', () => {
    const x = tensor([1, 2, 3, 4], { shape: [1, 1, 2, 2] });
    const far = tensor([1e30, 1e30, -1e30, 1e30, Infinity, -Infinity, NaN, 0], { shape: [1, 1, 4, 2] });
    const sample = (paddingMode: F.GridPaddingMode): number[] => numbersOf(F.gridSample(x, far, { paddingMode }));
    expect(sample('zeros')).toEqual([0, 0, 0, 0]);
    expect(sample('border').slice(0, 3)).toEqual([4, 3, 2]);
    for (const value of sample('reflection')) expect(value >= 1 && value <= 4).toBe(true);
  });

  test('nothing to sample, and nothing to sample it with', () => {
    expect(F.gridSample(ones([0, 2, 3, 4]), ones([0, 5, 6, 2])).shape).toEqual([0, 2, 5, 6]);
    expect(F.gridSample(ones([2, 0, 3, 4]), grid).shape).toEqual([2, 0, 5, 6]);
    expect(numbersOf(F.gridSample(image, ones([2, 0, 6, 2])))).toEqual([]);
  });

  test.each<[unknown, string, () => unknown]>([
    [ShapeError, 'gridSample: input is .*got \\[2\\]', () => F.gridSample(ones([2]), grid)],
    [ShapeError, 'gridSample: there is nothing', () => F.gridSample(ones([2, 1, 0, 4]), grid)],
    [ShapeError, 'gridSample: grid is \\[2, H.*got \\[1, 5, 6, 2\\]', () => F.gridSample(image, ones([1, 5, 6, 2]))],
    [ShapeError, 'gridSample: grid is', () => F.gridSample(image, ones([2, 5, 6, 3]))],
    [
      DTypeError,
      'gridSample: grid has the input.s dtype float32, got float64',
      () => F.gridSample(image, grid.to('float64')),
    ],
    [DTypeError, 'gridSample: input is float32 or float64, got int32', () => F.gridSample(image.to('int32'), grid)],
    [ValueError, 'gridSample: grid is a tensor, got object', () => F.gridSample(image, [1] as never)],
    [ValueError, 'gridSample: mode is .*nowhere', () => F.gridSample(image, grid, { mode: bad })],
    [ValueError, 'gridSample: paddingMode is .*nowhere', () => F.gridSample(image, grid, { paddingMode: bad })],
    [ValueError, 'gridSample: alignCorners is .*nowhere', () => F.gridSample(image, grid, { alignCorners: bad })],
    [
      ValueError,
      'gridSample: mode bicubic is for two dims, got 3',
      () => F.gridSample(ones([1, 1, 2, 2, 2]), ones([1, 1, 1, 1, 3]), { mode: 'bicubic' }),
    ],
    [
      ShapeError,
      'affineGrid: theta is \\[1, 2, 3\\].*got \\[1, 3, 4\\]',
      () => F.affineGrid(ones([1, 3, 4]), [1, 1, 2, 2]),
    ],
    [ShapeError, 'affineGrid: size is .*got \\[1,2\\]', () => F.affineGrid(ones([1, 2, 3]), [1, 2])],
    [ValueError, 'affineGrid: size is integers of at least 1', () => F.affineGrid(ones([1, 2, 3]), [1, 1, 0, 2])],
    [DTypeError, 'affineGrid: theta is float32', () => F.affineGrid(ones([1, 2, 3], { dtype: 'int32' }), [1, 1, 2, 2])],
    [ValueError, 'affineGrid: alignCorners', () => F.affineGrid(ones([1, 2, 3]), [1, 1, 2, 2], { alignCorners: bad })],
  ])('refuses with %p: %s', (error, message, call) => {
    expect(call).toThrow(error as never);
    expect(call).toThrow(new RegExp(message));
  });
});
