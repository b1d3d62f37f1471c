import { nn, tensor, zeros } from '../../lib';
import { ShapeError, ValueError } from '../../lib/errors';
import * as F from '../../lib/nn/functional';
import { onEachBackend } from '../helpers/backends';
import { testRecorded } from './recorded-layers';

testRecorded('norm');

onEachBackend('normalisation', () => {
  test('InstanceNorm counts no batches, as PyTorch, and moves its statistics once', () => {
    const layer = new nn.InstanceNorm1d(1, { trackRunningStats: true, momentum: 0.5 });
    const y = layer.forward(tensor([[[0, 2]], [[4, 8]]]));
    y.sum().itemSync();
    y.dataSync();
    // Means 1 and 6; unbiased variances 2 and 8.
    expect(layer.runningMean!.itemSync()).toBeCloseTo(0.5 * 3.5, 6);
    expect(layer.runningVar!.itemSync()).toBeCloseTo(0.5 + 0.5 * 5, 6);
    expect(layer.numBatchesTracked!.itemSync()).toBe(0);
  });

  test('RMSNorm takes the machine epsilon where it is given none', () => {
    const layer = new nn.RMSNorm([2]);
    expect([...layer.stateDict().keys()]).toEqual(['weight']);
    const y = [...layer.forward(tensor([[3, 4]])).dataSync()].map(Number);
    expect(y[0]).toBeCloseTo(3 / Math.sqrt(12.5), 6);
    expect([...layer.forward(zeros([1, 2])).dataSync()]).toEqual([0, 0]);
    expect(layer.toString()).toBe('RMSNorm([2], eps=null, elementwiseAffine=true)');
  });

  test.each([
    ['other last dims', /layerNorm.*\[3, 4\].*\[2, 4, 3\]/, () => F.layerNorm(zeros([2, 4, 3]), [3, 4])],
    [
      'a weight of another shape',
      /rmsNorm: weight is \[3\]/,
      () => F.rmsNorm(zeros([2, 3]), 3, { weight: zeros([2]) }),
    ],
    ['groups that do not divide', /groupNorm.*numGroups 4/, () => F.groupNorm(zeros([2, 6, 3]), 4)],
    ['other channels', /InstanceNorm2d: takes/, () => new nn.InstanceNorm2d(3).forward(zeros([2, 4, 3, 3]))],
    ['other channels for groups', /GroupNorm: takes/, () => new nn.GroupNorm(2, 4).forward(zeros([2, 6, 3]))],
    ['images for BatchNorm3d', /BatchNorm3d: takes 5/, () => new nn.BatchNorm3d(2).forward(zeros([1, 2, 3, 3]))],
    ['two dims', /localResponseNorm: takes/, () => F.localResponseNorm(zeros([2, 3]), 2)],
  ])('refuses %s', (_what, message, act) => {
    expect(act).toThrow(ShapeError);
    expect(act).toThrow(message);
  });

  test.each([
    ['eps below 0', () => new nn.LayerNorm(3, { eps: -1 })],
    ['no dims', () => new nn.RMSNorm([])],
    ['groups that do not divide', () => new nn.GroupNorm(4, 6)],
    ['a single value', () => new nn.InstanceNorm1d(2).forward(zeros([3, 2, 1]))],
    ['missing statistics', () => F.instanceNorm(zeros([1, 2, 3]), { useInputStats: false })],
    ['a size of 0', () => new nn.LocalResponseNorm(0)],
  ])('refuses %s', (_what, act) => expect(act).toThrow(ValueError));
});
