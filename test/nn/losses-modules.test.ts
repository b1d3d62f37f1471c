import { logSoftmax, ones, sub, tensor, type Tensor } from '../../lib';
import { DTypeError, ShapeError, ValueError, type SaddlepointError } from '../../lib/errors';
import * as nn from '../../lib/nn';
import * as F from '../../lib/nn/functional';
import { onEachBackend } from '../helpers/backends';
import { randomArray } from '../helpers/ndarray';

const x64 = (shape: readonly number[], seed: number, low = -2, high = 2): Tensor =>
  tensor(Float64Array.from(randomArray(shape, seed, low, high).data), { shape: [...shape] });
const int = (data: readonly number[], shape: readonly number[] = [data.length]): Tensor =>
  tensor(Int32Array.from(data), { shape: [...shape] });

const a = x64([4, 3], 1);
const b = x64([4, 3], 2);
const c = x64([4, 3], 3);
const p = x64([4, 3], 4, 0.1, 0.9);
const labels = int([0, 2, 1, 2]);
const signs = tensor([1, -1, -1, 1]);
const weight = tensor([0.5, 2, 1]);
const sameSigns = tensor(new Float64Array(12).fill(-1), { shape: [4, 3] });
const manhattan = (u: Parameters<F.DistanceFunction>[0], v: Parameters<F.DistanceFunction>[1]): Tensor =>
  F.pairwiseDistance(u, v, { p: 1 });

onEachBackend('losses as modules', () => {
  const none = { reduction: 'none' } as const;
  test.each<[string, () => Tensor, () => Tensor]>([
    ['L1Loss', () => new nn.L1Loss(none).forward(a, b), () => F.l1Loss(a, b, none)],
    ['MSELoss', () => new nn.MSELoss().forward(a, b), () => F.mseLoss(a, b)],
    ['SmoothL1Loss', () => new nn.SmoothL1Loss({ beta: 2 }).forward(a, b), () => F.smoothL1Loss(a, b, { beta: 2 })],
    ['HuberLoss', () => new nn.HuberLoss({ delta: 0.4 }).forward(a, b), () => F.huberLoss(a, b, { delta: 0.4 })],
    [
      'CrossEntropyLoss',
      () => new nn.CrossEntropyLoss({ weight, labelSmoothing: 0.2, ignoreIndex: 1 }).forward(a, labels),
      () => F.crossEntropy(a, labels, { weight, labelSmoothing: 0.2, ignoreIndex: 1 }),
    ],
    ['NLLLoss', () => new nn.NLLLoss({ weight }).forward(a, labels), () => F.nllLoss(a, labels, { weight })],
    ['BCELoss', () => new nn.BCELoss({ weight }).forward(p, p), () => F.binaryCrossEntropy(p, p, { weight })],
    [
      'BCEWithLogitsLoss',
      () => new nn.BCEWithLogitsLoss({ posWeight: weight }).forward(a, p),
      () => F.binaryCrossEntropyWithLogits(a, p, { posWeight: weight }),
    ],
    ['FocalLoss', () => new nn.FocalLoss({ gamma: 1 }).forward(a, p), () => F.focalLoss(a, p, { gamma: 1 })],
    [
      'KLDivLoss',
      () => new nn.KLDivLoss({ reduction: 'batchmean' }).forward(logSoftmax(a, 1), p),
      () => F.klDiv(logSoftmax(a, 1), p, { reduction: 'batchmean' }),
    ],
    [
      'PoissonNLLLoss',
      () => new nn.PoissonNLLLoss({ full: true }).forward(a, p),
      () => F.poissonNllLoss(a, p, { full: true }),
    ],
    [
      'GaussianNLLLoss',
      () => new nn.GaussianNLLLoss({ eps: 0.5 }).forward(a, b, p),
      () => F.gaussianNllLoss(a, b, p, { eps: 0.5 }),
    ],
    [
      'HingeEmbeddingLoss',
      () => new nn.HingeEmbeddingLoss({ margin: 2 }).forward(a, sameSigns),
      () => F.hingeEmbeddingLoss(a, sameSigns, { margin: 2 }),
    ],
    [
      'MarginRankingLoss',
      () => new nn.MarginRankingLoss({ margin: 1 }).forward(a, b, sameSigns),
      () => F.marginRankingLoss(a, b, sameSigns, { margin: 1 }),
    ],
    ['SoftMarginLoss', () => new nn.SoftMarginLoss().forward(a, sameSigns), () => F.softMarginLoss(a, sameSigns)],
    [
      'MultiMarginLoss',
      () => new nn.MultiMarginLoss({ p: 2, weight }).forward(a, labels),
      () => F.multiMarginLoss(a, labels, { p: 2, weight }),
    ],
    [
      'MultiLabelMarginLoss',
      () => new nn.MultiLabelMarginLoss(none).forward(x64([3], 5), int([2, -1, 0])),
      () => F.multilabelMarginLoss(x64([3], 5), int([2, -1, 0]), none),
    ],
    [
      'MultiLabelSoftMarginLoss',
      () => new nn.MultiLabelSoftMarginLoss({ weight }).forward(a, p),
      () => F.multilabelSoftMarginLoss(a, p, { weight }),
    ],
    [
      'CosineEmbeddingLoss',
      () => new nn.CosineEmbeddingLoss({ margin: 0.1 }).forward(a, b, signs),
      () => F.cosineEmbeddingLoss(a, b, signs, { margin: 0.1 }),
    ],
    [
      'TripletMarginLoss',
      () => new nn.TripletMarginLoss({ swap: true, p: 1 }).forward(a, b, c),
      () => F.tripletMarginLoss(a, b, c, { swap: true, p: 1 }),
    ],
    [
      'TripletMarginWithDistanceLoss',
      () => new nn.TripletMarginWithDistanceLoss({ distanceFunction: manhattan }).forward(a, b, c),
      () => F.tripletMarginLoss(a, b, c, { p: 1 }),
    ],
    [
      'CTCLoss',
      () => new nn.CTCLoss({ blank: 2 }).forward(logSoftmax(a, 1), int([0, 1]), 4, 2),
      () => F.ctcLoss(logSoftmax(a, 1), int([0, 1]), 4, 2, { blank: 2 }),
    ],
    [
      'CosineSimilarity',
      () => new nn.CosineSimilarity({ dim: 0 }).forward(a, b),
      () => F.cosineSimilarity(a, b, { dim: 0 }),
    ],
    [
      'PairwiseDistance',
      () => new nn.PairwiseDistance({ p: 3, keepdim: true }).forward(a, b),
      () => F.pairwiseDistance(a, b, { p: 3, keepdim: true }),
    ],
  ])('%s is its function', (_name, module, fn) => {
    const [actual, expected] = [module(), fn()];
    expect(actual.shape).toEqual(expected.shape);
    expect(actual.dataSync()).toEqual(expected.dataSync());
    expect([...actual.dataSync()].every((value) => Number.isFinite(Number(value)))).toBe(true);
  });

  test('weights are buffers under the keys of PyTorch, and can be loaded', () => {
    expect([...new nn.BCEWithLogitsLoss({ weight, posWeight: weight }).stateDict().keys()]).toEqual([
      'weight',
      'pos_weight',
    ]);
    for (const loss of [
      new nn.CrossEntropyLoss({ weight }),
      new nn.NLLLoss({ weight }),
      new nn.BCELoss({ weight }),
      new nn.MultiMarginLoss({ weight }),
      new nn.MultiLabelSoftMarginLoss({ weight }),
    ])
      expect([...loss.stateDict().keys()]).toEqual(['weight']);
    expect(new nn.CrossEntropyLoss().stateDict().size).toBe(0);

    const loss = new nn.CrossEntropyLoss({ weight });
    expect([...loss.parameters()]).toEqual([]);
    loss.loadStateDict({ weight: tensor([1, 1, 8]) });
    const expected = F.crossEntropy(a, labels, { weight: tensor([1, 1, 8]) }).itemSync();
    expect(loss.forward(a, labels).itemSync()).toBe(expected);
  });

  test('say their options', () => {
    expect(String(new nn.HuberLoss({ delta: 2, reduction: 'sum' }))).toBe('HuberLoss(delta=2, reduction=sum)');
    expect(String(new nn.PairwiseDistance())).toBe('PairwiseDistance(p=2, eps=0.000001, keepdim=false)');
  });
});

describe('losses refuse', () => {
  const bad = 'average' as 'mean';
  test.each<[string, new (message: string) => SaddlepointError, RegExp, () => unknown]>([
    [
      'shapes that differ',
      ShapeError,
      /l1Loss: input and target.*\[4, 3\] and \[3\]/,
      () => F.l1Loss(a, tensor([1, 2, 3])),
    ],
    ['integers', DTypeError, /huberLoss: input is float32 or float64, got int32/, () => F.huberLoss(labels, labels)],
    ['no tensor', ValueError, /mseLoss: target is a tensor, got number/, () => F.mseLoss(a, 1 as never)],
    ['an unknown reduction', ValueError, /klDiv: .*batchmean.*average/, () => F.klDiv(a, a, { reduction: bad })],
    ['the mean of nothing', ValueError, /l1Loss: the mean of no elements/, () => F.l1Loss(ones([0]), ones([0]))],
    [
      'batchmean elsewhere',
      ValueError,
      /mseLoss.*batchmean/,
      () => F.mseLoss(a, b, { reduction: 'batchmean' as 'mean' }),
    ],
    [
      'batchmean of a scalar',
      ValueError,
      /klDiv.*scalar/,
      () => F.klDiv(ones([]), ones([]), { reduction: 'batchmean' }),
    ],
    ['a beta below 0', ValueError, /smoothL1Loss: beta.*-1/, () => F.smoothL1Loss(a, b, { beta: -1 })],
    ['a delta of 0', ValueError, /huberLoss: delta.*above 0, got 0/, () => F.huberLoss(a, b, { delta: 0 })],
    ['an eps of 0', ValueError, /poissonNllLoss: eps.*got 0/, () => F.poissonNllLoss(a, b, { eps: 0 })],
    ['a negative eps', ValueError, /gaussianNllLoss: eps.*got -1/, () => F.gaussianNllLoss(a, b, p, { eps: -1 })],
    ['a variance', ShapeError, /variance is \[4, 3\].*got \[3\]/, () => F.gaussianNllLoss(a, b, tensor([1, 1, 1]))],
    ['a wide weight', ShapeError, /weight \[2, 4, 3\]/, () => F.binaryCrossEntropy(p, p, { weight: ones([2, 4, 3]) })],
    [
      'a wide posWeight',
      ShapeError,
      /posWeight \[4\]/,
      () => F.binaryCrossEntropyWithLogits(a, p, { posWeight: ones([4]) }),
    ],
    ['an alpha of 2', ValueError, /focalLoss: alpha.*2/, () => F.focalLoss(a, p, { alpha: 2 })],
    ['a gamma below 0', ValueError, /focalLoss: gamma.*-1/, () => F.focalLoss(a, p, { gamma: -1 })],
    ['a NaN margin', ValueError, /hingeEmbeddingLoss: margin.*NaN/, () => F.hingeEmbeddingLoss(a, b, { margin: NaN })],
    ['other shapes to rank', ShapeError, /input1, input2 and target/, () => F.marginRankingLoss(a, b, signs)],
    ['p of 3', ValueError, /multiMarginLoss: p is 1 or 2, got 3/, () => F.multiMarginLoss(a, labels, { p: 3 })],
    ['float labels', DTypeError, /multiMarginLoss: target is int32/, () => F.multiMarginLoss(a, signs)],
    [
      'images of scores',
      ShapeError,
      /multiMarginLoss.*\[N, classes\]/,
      () => F.multiMarginLoss(ones([1, 2, 3]), labels),
    ],
    ['a short weight', ShapeError, /weight is \[3\].*\[2\]/, () => F.multiMarginLoss(a, labels, { weight: ones([2]) })],
    ['a list of labels', ShapeError, /multilabelMarginLoss/, () => F.multilabelMarginLoss(a, labels)],
    ['no classes', ShapeError, /multilabelSoftMarginLoss/, () => F.multilabelSoftMarginLoss(ones([]), ones([]))],
    [
      'a target of pairs',
      ShapeError,
      /cosineEmbeddingLoss.*target \[3\]/,
      () => F.cosineEmbeddingLoss(a, b, ones([3])),
    ],
    ['a triplet of two', ShapeError, /anchor, positive and negative/, () => F.tripletMarginLoss(a, b, ones([4, 2]))],
    [
      'a distance that is none',
      ValueError,
      /distanceFunction.*got number/,
      () => F.tripletMarginWithDistanceLoss(a, b, c, { distanceFunction: 3 as never }),
    ],
    [
      'a distance without tensors',
      ValueError,
      /distanceFunction returns a tensor, got number/,
      () => F.tripletMarginWithDistanceLoss(a, b, c, { distanceFunction: (() => 1) as never }),
    ],
    ['vectors that do not broadcast', ShapeError, /cosineSimilarity/, () => F.cosineSimilarity(a, ones([2]))],
    ['a dim that is not there', ShapeError, /cosineSimilarity: dim 2/, () => F.cosineSimilarity(a, b, { dim: 2 })],
    ['p of NaN', ValueError, /pairwiseDistance: p is a number/, () => F.pairwiseDistance(a, b, { p: NaN })],
    ['integer vectors', DTypeError, /pairwiseDistance: x1.*int32/, () => F.pairwiseDistance(labels, labels)],
    [
      'a blank that is no class',
      ValueError,
      /blank is a class, 0 to 2, got 3/,
      () => F.ctcLoss(a, labels, 4, 4, { blank: 3 }),
    ],
    ['too long an input', ValueError, /inputLengths.*0 to 4, got 5/, () => F.ctcLoss(a, labels, 5, 4)],
    ['too long a target', ValueError, /targetLengths.*0 to 4, got 5/, () => F.ctcLoss(a, labels, 4, 5)],
    ['half a length', ValueError, /inputLengths.*got 1.5/, () => F.ctcLoss(a, labels, [1.5], 4)],
    ['two lengths for one sample', ShapeError, /inputLengths.*1 samples, got 2/, () => F.ctcLoss(a, labels, [1, 2], 4)],
    ['lengths of floats', DTypeError, /inputLengths is int32/, () => F.ctcLoss(a, labels, signs, 4)],
    ['probabilities of a list', ShapeError, /logProbs is \[T, N, C\]/, () => F.ctcLoss(ones([3]), labels, 3, 4)],
    [
      'targets of another batch',
      ShapeError,
      /targets is \[2, S\]/,
      () => F.ctcLoss(ones([3, 2, 4]), int([1], [1, 1]), [3, 3], [1, 1]),
    ],
    [
      'targets in a row, too few',
      ShapeError,
      /are \[3\].*got \[2\]/,
      () => F.ctcLoss(ones([3, 2, 4]), int([1, 1]), [3, 3], [1, 2]),
    ],
    ['ignoreIndex for probabilities', ValueError, /ignoreIndex.*got 1/, () => F.crossEntropy(a, p, { ignoreIndex: 1 })],
  ])('%s', (_what, error, message, call) => {
    expect(call).toThrow(error);
    expect(call).toThrow(message);
  });

  test.each<[string, () => unknown]>([
    ['SmoothL1Loss', () => new nn.SmoothL1Loss({ beta: -1 })],
    ['HuberLoss', () => new nn.HuberLoss({ delta: 0 })],
    ['CrossEntropyLoss', () => new nn.CrossEntropyLoss({ labelSmoothing: 2 })],
    ['NLLLoss', () => new nn.NLLLoss({ weight: [1, 2] as never })],
    ['L1Loss', () => new nn.L1Loss({ reduction: bad })],
    ['KLDivLoss', () => new nn.KLDivLoss({ reduction: bad })],
    ['FocalLoss', () => new nn.FocalLoss({ gamma: -1 })],
    ['PoissonNLLLoss', () => new nn.PoissonNLLLoss({ eps: 0 })],
    ['GaussianNLLLoss', () => new nn.GaussianNLLLoss({ eps: 0 })],
    ['MultiMarginLoss', () => new nn.MultiMarginLoss({ p: 0 })],
    ['TripletMarginLoss', () => new nn.TripletMarginLoss({ margin: Infinity })],
    ['TripletMarginWithDistanceLoss', () => new nn.TripletMarginWithDistanceLoss({ distanceFunction: 1 as never })],
    ['CTCLoss', () => new nn.CTCLoss({ blank: -1 })],
    ['PairwiseDistance', () => new nn.PairwiseDistance({ p: NaN })],
    ['CosineSimilarity', () => new nn.CosineSimilarity({ eps: -1 })],
  ])('options of %s when it is made', (name, make) => {
    expect(make).toThrow(ValueError);
    expect(make).toThrow(new RegExp(`^${name}:`));
  });

  test('nothing where probabilities stand for no class to be ignored', () => {
    expect(F.crossEntropy(a, p, { ignoreIndex: -100 }).shape).toEqual([]);
    expect(F.l1Loss(ones([0]), ones([0]), { reduction: 'sum' }).itemSync()).toBe(0);
    expect(F.tripletMarginLoss(ones([0, 2]), ones([0, 2]), sub(ones([0, 2]), 1), { reduction: 'none' }).shape).toEqual([
      0,
    ]);
  });
});
