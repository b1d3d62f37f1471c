import { manualSeed, nn, randn, zeros } from '../../lib';
import { ShapeError, ValueError } from '../../lib/errors';
import * as F from '../../lib/nn/functional';
import type { TensorBase } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';
import { testRecorded } from './recorded-layers';

testRecorded('conv');

const numbers = (x: TensorBase): number[] => [...x.capture().dataSync()].map(Number);

onEachBackend('convolution layers', () => {
  beforeEach(() => void manualSeed(1));

  test('transposed convolutions reach any size that a convolution could have come from', () => {
    const x = zeros([1, 2, 4, 5]);
    const layer = new nn.ConvTranspose2d(2, 3, 3, { stride: [2, 3], padding: 1 });
    expect(layer.forward(x).shape).toEqual([1, 3, 7, 13]);
    expect(layer.forward(x, { outputSize: [8, 15] }).shape).toEqual([1, 3, 8, 15]);
    expect(() => layer.forward(x, { outputSize: [9, 13] })).toThrow(
      /ConvTranspose2d: outputSize.*\[7, 13\].*\[8, 15\]/,
    );
    expect(() => layer.forward(x, { outputSize: [8] })).toThrow(ShapeError);
  });

  test('a transposed convolution is the transpose: <conv x, g> = <x, convTranspose g>', () => {
    const x = randn([2, 4, 5, 6, 7], { dtype: 'float64' });
    const weight = randn([6, 2, 2, 3, 2], { dtype: 'float64' });
    const options = { stride: [2, 1, 3], padding: [1, 0, 1], dilation: [1, 2, 1], groups: 2 };
    const y = F.conv3d(x, weight, null, options);
    const g = randn(y.shape, { dtype: 'float64' });
    const back = F.convTranspose3d(g, weight, null, { ...options, outputPadding: [1, 0, 1] });
    expect(back.shape).toEqual(x.shape);
    expect(y.mul(g).sum().itemSync()).toBeCloseTo(back.mul(x).sum().itemSync(), 9);
  });

  test('layers start uniform in ±1/√fanIn', () => {
    for (const [layer, bound] of [
      [new nn.Conv1d(4, 8, 9), 1 / 6],
      [new nn.Conv3d(4, 8, 2, { groups: 2 }), 1 / 4],
      // Of a transposed convolution PyTorch counts the second dim of the weight.
      [new nn.ConvTranspose1d(8, 4, 4), 1 / 4],
    ] as const)
      for (const parameter of layer.parameters()) {
        const largest = Math.max(...numbers(parameter).map(Math.abs));
        expect(largest).toBeLessThanOrEqual(bound);
        if (parameter.size > 100) expect(largest).toBeGreaterThan(0.9 * bound);
      }
  });

  test('says what it is', () => {
    expect(new nn.Conv1d(2, 4, 3, { padding: 'same', dilation: 2, paddingMode: 'circular' }).toString()).toBe(
      'Conv1d(2, 4, kernelSize=[3], stride=[1], padding=same, dilation=[2], paddingMode=circular)',
    );
    expect(new nn.ConvTranspose3d(2, 4, 3, { stride: 2, outputPadding: 1, groups: 2, bias: false }).toString()).toBe(
      'ConvTranspose3d(2, 4, kernelSize=[3, 3, 3], stride=[2, 2, 2], outputPadding=[1, 1, 1], groups=2, bias=false)',
    );
  });

  test.each([
    ['conv1d of images', /conv1d.*\[N, C, L\]/, () => F.conv1d(zeros([1, 2, 3, 4]), zeros([1, 2, 1]))],
    ['other channels', /conv3d.*takes 3 channels, got 2/, () => F.conv3d(zeros([2, 3, 3, 3]), zeros([1, 3, 1, 1, 1]))],
    ['a bias of two', /conv1d: bias is \[4\]/, () => F.conv1d(zeros([1, 2, 3]), zeros([4, 2, 1]), zeros([2]))],
    ['a kernel that does not fit', /conv1d: a window of 5/, () => F.conv1d(zeros([1, 1, 3]), zeros([1, 1, 5]))],
    [
      'groups that do not divide',
      /convTranspose2d.*groups 3/,
      () => F.convTranspose2d(zeros([4, 3, 3]), zeros([4, 1, 1, 1]), null, { groups: 3 }),
    ],
    [
      'nothing left',
      /convTranspose1d.*gives an output of \[-1\]/,
      () => F.convTranspose1d(zeros([1, 1, 1]), zeros([1, 1, 1]), null, { padding: 1 }),
    ],
  ])('refuses %s', (_what, message, act) => {
    expect(act).toThrow(ShapeError);
    expect(act).toThrow(message);
  });

  test.each([
    [
      'an outputPadding of a stride',
      () => new nn.ConvTranspose1d(1, 1, 2, { outputPadding: 1 }).forward(zeros([1, 4])),
    ],
    ["'same' with a stride", () => new nn.Conv1d(1, 1, 2, { padding: 'same', stride: 2 })],
    ['an unknown paddingMode', () => new nn.Conv2d(1, 1, 2, { paddingMode: 'mirror' as 'reflect' })],
    ['three strides of two', () => new nn.Conv2d(1, 1, 2, { stride: [1, 1, 1] })],
    ['groups of 0', () => F.conv1d(zeros([1, 1, 1]), zeros([1, 1, 1]), null, { groups: 0 })],
  ])('refuses %s', (_what, act) => expect(act).toThrow(ValueError));
});
