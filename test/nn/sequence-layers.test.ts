import { F, manualSeed, nn, ones, optim, randn, tensor, zeros } from '../../lib';
import { DTypeError, ShapeError, ValueError } from '../../lib/errors';
import type { Tensor, TensorBase } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';
import { gradcheck, gradgradcheck, jvpcheck, type Primal } from '../helpers/gradcheck';
import { randomArray } from '../helpers/ndarray';

const numbers = (x: TensorBase): number[] => [...x.capture().dataSync()].map(Number);
const indices = (...values: number[]): Tensor => tensor(Int32Array.from(values));
const primal = (shape: number[], seed: number): Primal => ({
  shape,
  data: [...randomArray(shape, seed, -1, 1).data],
  dtype: 'float64',
});

function expectClose(actual: readonly number[], expected: readonly number[], tolerance = 1e-10): void {
  expect(actual).toHaveLength(expected.length);
  actual.forEach((x, i) => expect(Math.abs(x - expected[i]!)).toBeLessThanOrEqual(tolerance));
}

onEachBackend('scaledDotProductAttention', () => {
  const [q, k, v] = [primal([2, 3, 4], 1), primal([2, 5, 4], 2), primal([2, 5, 3], 3)];
  const given = (): Tensor[] =>
    [q, k, v].map(({ data, shape }) => tensor(Float64Array.from(data), { shape: [...shape] }));

  /** Attention by loops; `score` changes each score. */
  function expected(scale: number, score: (value: number, l: number, s: number) => number): number[] {
    const out: number[] = [];
    for (let n = 0; n < 2; n++)
      for (let l = 0; l < 3; l++) {
        const scores = Array.from({ length: 5 }, (_, s) => {
          let dot = 0;
          for (let e = 0; e < 4; e++) dot += q.data[(n * 3 + l) * 4 + e]! * k.data[(n * 5 + s) * 4 + e]!;
          return Math.exp(score(dot * scale, l, s));
        });
        const total = scores.reduce((a, b) => a + b, 0);
        for (let e = 0; e < 3; e++)
          out.push(scores.reduce((sum, p, s) => sum + (p / total) * v.data[(n * 5 + s) * 3 + e]!, 0));
      }
    return out;
  }

  test('is the formula', () => {
    const [x, y, z] = given() as [Tensor, Tensor, Tensor];
    expectClose(
      numbers(F.scaledDotProductAttention(x, y, z)),
      expected(0.5, (a) => a),
    );
    expectClose(
      numbers(F.scaledDotProductAttention(x, y, z, { scale: 2 })),
      expected(2, (a) => a),
    );
    const causal = F.scaledDotProductAttention(x, y, z, { isCausal: true });
    expectClose(
      numbers(causal),
      expected(0.5, (a, l, s) => (s > l ? -Infinity : a)),
    );
    const seen = tensor([1, 0, 1, 1, 0].map(Boolean));
    const masked = F.scaledDotProductAttention(x, y, z, { attnMask: seen });
    expectClose(
      numbers(masked),
      expected(0.5, (a, _l, s) => (s === 1 || s === 4 ? -Infinity : a)),
    );
    const bias = tensor([0.5, -1, 2], { dtype: 'float64' })
      .reshape([3, 1])
      .mul(tensor([1, 2, 0, 1, 3], { dtype: 'float64' }));
    const biased = F.scaledDotProductAttention(x, y, z, { attnMask: bias });
    const table = numbers(bias);
    expectClose(
      numbers(biased),
      expected(0.5, (a, l, s) => a + table[l * 5 + s]!),
    );
  });

  test('has first, second and forward derivatives', () => {
    const fn = (...[x, y, z]: Tensor[]): Tensor => F.scaledDotProductAttention(x!, y!, z!, { isCausal: true });
    gradcheck(fn, [q, k, v]);
    gradgradcheck(fn, [primal([2, 3], 1), primal([2, 3], 2), primal([2, 2], 3)], { tolerance: 1e-6 });
    jvpcheck(fn, [q, k, v]);
  });

  test('is one operation without dropout, and its formula with it', () => {
    const [x, y] = [randn([2, 12, 4], { dtype: 'float64' }), randn([2, 9, 4], { dtype: 'float64' })];
    const seen = randn([12, 9], { dtype: 'float64' }).gt(-0.5);
    const operations = (output: Tensor): Set<string> => {
      const found = new Set<string>();
      const stack = [output];
      for (let at = stack.pop(); at !== undefined; at = stack.pop()) {
        if (at.op === null) continue;
        found.add(at.op.name);
        stack.push(...at.inputs);
      }
      return found;
    };
    const fused = F.scaledDotProductAttention(x, y, y, { attnMask: seen });
    const dropped = F.scaledDotProductAttention(x, y, y, { attnMask: seen, dropoutP: 1e-300 });
    expect(operations(fused)).toContain('attention');
    expect(operations(fused)).not.toContain('softmax');
    expect(operations(dropped)).toContain('softmax');
    expectClose(numbers(fused), numbers(dropped));

    const layer = new nn.MultiheadAttention(8, 2, { addZeroAttn: true }).double();
    const z = randn([9, 2, 8], { dtype: 'float64' });
    const [alone] = layer.forward(z, z, z, { needWeights: false, keyPaddingMask: seen.narrow(0, 0, 2) });
    const [beside, shares] = layer.forward(z, z, z, { keyPaddingMask: seen.narrow(0, 0, 2) });
    expect(operations(alone)).toContain('attention');
    expect(shares!.shape).toEqual([2, 9, 10]);
    expectClose(numbers(alone), numbers(beside));
  });

  test('drops weights, not values', () => {
    manualSeed(3);
    const y = F.scaledDotProductAttention(zeros([400, 2]), zeros([10, 2]), ones([10, 1]), { dropoutP: 0.5 });
    const values = numbers(y);
    // Each is a tenth of twice a binomial of 10: mean 1, deviation √10 / 10.
    expect(Math.abs(values.reduce((a, b) => a + b, 0) / 400 - 1)).toBeLessThan((5 * 0.32) / 20);
    expect(new Set(values.map((x) => Math.round(x * 10))).size).toBeGreaterThan(4);
  });

  test('refuses what does not fit', () => {
    const [x, y, z] = given() as [Tensor, Tensor, Tensor];
    expect(() => F.scaledDotProductAttention(x, z, z)).toThrow(ShapeError);
    expect(() => F.scaledDotProductAttention(x, y, x)).toThrow(/\[2, 3, 4\], \[2, 5, 4\], \[2, 3, 4\]/);
    expect(() => F.scaledDotProductAttention(x, y, z, { isCausal: true, attnMask: ones([3, 5]) })).toThrow(ValueError);
    expect(() => F.scaledDotProductAttention(x, y, z, { attnMask: ones([3, 4]) })).toThrow(ShapeError);
    expect(() => F.scaledDotProductAttention(x, y, z, { dropoutP: 2 })).toThrow(ValueError);
    expect(() => F.scaledDotProductAttention(x, y, z, { scale: NaN })).toThrow(/scale is a finite number/);
    const long = tensor([1, 0, 1, 1, 0], { dtype: 'int64' });
    expect(() => F.scaledDotProductAttention(x, y, z, { attnMask: long })).toThrow(DTypeError);
  });

  test('generateSquareSubsequentMask', () => {
    expect(numbers(nn.Transformer.generateSquareSubsequentMask(2))).toEqual([0, -Infinity, 0, 0]);
  });
});

onEachBackend('recurrent layers', () => {
  test('gradients of gradients', () => {
    const layer = new nn.LSTM(2, 2).double();
    gradgradcheck((x) => layer.forward(x)[0], [primal([2, 1, 2], 4)], { tolerance: 1e-6 });
    const gru = new nn.GRU(2, 2).double();
    jvpcheck((x) => gru.forward(x)[0], [primal([3, 1, 2], 5)]);
  });

  test('a layer is its cell, step by step', () => {
    const layer = new nn.GRU(3, 4);
    const cell = new nn.GRUCell(3, 4);
    const state = layer.stateDict();
    cell.loadStateDict(new Map([...state].map(([key, value]) => [key.replace('_l0', ''), value])));
    const x = randn([6, 2, 3]);
    const [outputs] = layer.forward(x);
    let h: Tensor | null = null;
    for (let t = 0; t < 6; t++) {
      h = cell.forward(x.select(0, t), h);
      expectClose(numbers(outputs.select(0, t)), numbers(h), 1e-6);
    }
  });

  test('dropout is between layers, in training only', () => {
    const layer = new nn.RNN(3, 4, { numLayers: 2, dropout: 0.5 });
    const x = randn([3, 2, 3]);
    expect(numbers(layer.forward(x)[0])).not.toEqual(numbers(layer.forward(x)[0]));
    layer.eval();
    expect(numbers(layer.forward(x)[0])).toEqual(numbers(layer.forward(x)[0]));
    const single = new nn.RNN(3, 4, { dropout: 0.5 });
    expect(numbers(single.forward(x)[0])).toEqual(numbers(single.forward(x)[0]));
  });

  test('an LSTM learns to remember the first of its inputs', async () => {
    manualSeed(1);
    const lstm = new nn.LSTM(1, 8, { batchFirst: true });
    const head = new nn.Linear(8, 1);
    const optimizer = new optim.Adam([...lstm.parameters(), ...head.parameters()], { lr: 0.03 });
    const x = randn([16, 6, 1]);
    const y = x.select(1, 0);
    const loss = (): Tensor => F.mseLoss(head.forward(lstm.forward(x)[0].select(1, 5)), y);
    const before = loss().itemSync();
    for (let step = 0; step < 60; step++) {
      optimizer.zeroGrad();
      loss().backward();
      await optimizer.step();
    }
    expect(loss().itemSync()).toBeLessThan(0.1 * before);
  });

  test.each([
    ['a hidden size of 0', () => new nn.RNN(2, 0)],
    ['no layers', () => new nn.GRU(2, 2, { numLayers: 0 })],
    ['a projection as large as the state', () => new nn.LSTM(2, 3, { projSize: 3 })],
    ['dropout above 1', () => new nn.LSTM(2, 3, { dropout: 1.5 })],
    ['another function', () => new nn.RNN(2, 2, { nonlinearity: 'cube' as 'tanh' })],
    ['another function in a cell', () => new nn.RNNCell(2, 2, { nonlinearity: 'cube' as 'tanh' })],
    ['one state for an LSTM', () => new nn.LSTM(2, 2).forward(ones([1, 1, 2]), ones([1, 1, 2]) as never)],
  ])('refuses %s', (_what, make) => expect(make).toThrow(ValueError));

  test('refuses shapes that do not fit', () => {
    const layer = new nn.LSTM(3, 4, { bidirectional: true });
    expect(() => layer.forward(ones([2, 2, 2]))).toThrow(/\[T, N, inputSize\].*inputSize 3, got \[2, 2, 2\]/);
    expect(() => layer.forward(ones([0, 2, 3]))).toThrow(/at least 1 step/);
    expect(() => layer.forward(ones([1, 2, 3]), [ones([1, 2, 4]), ones([2, 2, 4])])).toThrow(/h0 is \[2, 2, 4\]/);
    expect(() => new nn.LSTMCell(3, 4).forward(ones([2, 3]), [ones([2, 4]), ones([2, 3])])).toThrow(/c is \[2, 4\]/);
    expect(() => new nn.GRUCell(3, 4).forward(ones([2, 2]))).toThrow(ShapeError);
  });
});

onEachBackend('attention and transformer layers', () => {
  test('stacks hold copies', () => {
    const layer = new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 8, dropout: 0 });
    const encoder = new nn.TransformerEncoder(layer, 2, { norm: new nn.LayerNorm(4) });
    const [first, second] = encoder.layers;
    expect(first).not.toBe(layer);
    expect(numbers(first!.linear1.weight)).toEqual(numbers(second!.linear1.weight));
    expect(numbers(first!.linear1.weight)).toEqual(numbers(layer.linear1.weight));
    const x = randn([3, 2, 4]);
    const expected = encoder.norm!.forward(layer.forward(layer.forward(x)));
    expectClose(numbers(encoder.forward(x)), numbers(expected), 1e-6);
    expect([...encoder.stateDict().keys()]).toContain('layers.1.self_attn.out_proj.bias');
    const decoder = new nn.TransformerDecoder(new nn.TransformerDecoderLayer(4, 2, { dropout: 0 }), 3);
    expect(decoder.forward(x, randn([5, 2, 4])).shape).toEqual([3, 2, 4]);
  });

  test('starts as PyTorch: projections by Glorot, biases 0', () => {
    const layer = new nn.MultiheadAttention(16, 4);
    expect(new Set(numbers(layer.inProjBias!))).toEqual(new Set([0]));
    expect(Math.max(...numbers(layer.inProjWeight!).map(Math.abs))).toBeLessThanOrEqual(Math.sqrt(6 / 64));
  });

  test('dropout drops in training only', () => {
    const layer = new nn.TransformerEncoderLayer(4, 2, { dimFeedforward: 8, dropout: 0.5, batchFirst: true });
    const x = randn([2, 3, 4]);
    expect(numbers(layer.forward(x))).not.toEqual(numbers(layer.forward(x)));
    layer.eval();
    expect(numbers(layer.forward(x))).toEqual(numbers(layer.forward(x)));
  });

  test.each([
    ['heads that do not divide', () => new nn.MultiheadAttention(6, 4)],
    ['a width of 0', () => new nn.MultiheadAttention(0, 1)],
    ['another activation', () => new nn.TransformerEncoderLayer(4, 2, { activation: 'cube' as 'relu' })],
    ['no layers', () => new nn.TransformerEncoder(new nn.TransformerEncoderLayer(4, 2), 0)],
    ['what is no layer', () => new nn.TransformerEncoder({} as never, 1)],
  ])('refuses %s', (_what, make) => expect(make).toThrow(ValueError));

  test('refuses inputs and masks that do not fit', () => {
    const layer = new nn.MultiheadAttention(4, 2);
    const x = ones([3, 2, 4]);
    expect(() => layer.forward(x, ones([3, 1, 4]), x)).toThrow(ShapeError);
    expect(() => layer.forward(ones([3, 2, 5]), x, x)).toThrow(/query \[L, N, 4\]/);
    expect(() => layer.forward(x, x, x, { keyPaddingMask: ones([3, 2]) })).toThrow(/keyPaddingMask is \[2, 3\]/);
    expect(() => layer.forward(x, x, x, { attnMask: ones([2, 3, 3]) })).toThrow(/\[3, 3\] or \[4, 3, 3\]/);
    expect(() => layer.forward(x, x, x, { attnMask: ones([3, 3], { dtype: 'int32' }) })).toThrow(DTypeError);
    expect(() =>
      new nn.Transformer({ dModel: 4, nhead: 1, numEncoderLayers: 1, numDecoderLayers: 1 }).forward(ones([1, 3]), x),
    ).toThrow(/src/);
  });
});

onEachBackend('embeddings', () => {
  test('fromPretrained takes the rows, frozen or not', () => {
    const rows = tensor(
      [
        [1, 2],
        [3, 4],
      ],
      { dtype: 'float64' },
    );
    const table = nn.Embedding.fromPretrained(rows);
    expect(numbers(table.forward(indices(1, 0)))).toEqual([3, 4, 1, 2]);
    expect(table.weight.requiresGrad).toBe(false);
    expect(nn.Embedding.fromPretrained(rows, { freeze: false }).weight.requiresGrad).toBe(true);
    const bag = nn.EmbeddingBag.fromPretrained(rows, { mode: 'sum' });
    expect(numbers(bag.forward(indices(1, 0, 1), { offsets: [0, 2] }))).toEqual([4, 6, 3, 4]);
    expect(() => nn.Embedding.fromPretrained(ones([3]))).toThrow(ShapeError);
  });

  test('the padding starts as zeros', () => {
    const table = new nn.Embedding(4, 3, { paddingIdx: -2 });
    expect(table.paddingIdx).toBe(2);
    expect(numbers(table.forward(indices(2)))).toEqual([0, 0, 0]);
    expect(numbers(table.forward(indices(1)))).not.toContain(0);
  });

  test('offsets are a tensor or numbers, and empty bags are zeros', () => {
    const weight = tensor([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    const words = indices(2, 0, 1);
    for (const mode of ['sum', 'mean', 'max'] as const) {
      const a = F.embeddingBag(words, weight, { mode, offsets: [0, 0, 2, 3] });
      const b = F.embeddingBag(words, weight, { mode, offsets: tensor([0n, 0n, 2n, 3n]) });
      expect(numbers(a)).toEqual(numbers(b));
      expect(numbers(a).slice(0, 2)).toEqual([0, 0]);
      expect(numbers(a).slice(4)).toEqual([3, 4, 0, 0]);
    }
    expect(F.embeddingBag(indices(), weight, { offsets: [0, 0], mode: 'max' }).shape).toEqual([2, 2]);
  });

  const weight = (): Tensor => ones([4, 2]);
  test.each([
    ['float indices', () => F.embedding(ones([2]), weight()), DTypeError],
    ['arguments in the other order', () => F.embedding(weight(), indices(1)), DTypeError],
    ['a weight of one dim', () => F.embedding(indices(1), ones([3])), ShapeError],
    ['padding outside', () => F.embedding(indices(1), weight(), { paddingIdx: 4 }), ValueError],
    ['maxNorm of a plain tensor', () => F.embedding(indices(1), weight(), { maxNorm: 1 }), ValueError],
    ['maxNorm below 0', () => new nn.Embedding(2, 2, { maxNorm: -1 }), ValueError],
    ['no rows', () => new nn.Embedding(0, 2), ValueError],
    ['another mode', () => F.embeddingBag(indices(1), weight(), { mode: 'min' as 'max', offsets: [0] }), ValueError],
    ['one dim without offsets', () => F.embeddingBag(indices(1), weight()), ValueError],
    ['rows with offsets', () => F.embeddingBag(indices(1, 2).reshape([1, 2]), weight(), { offsets: [0] }), ValueError],
    ['offsets not from 0', () => F.embeddingBag(indices(1, 2), weight(), { offsets: [1] }), ValueError],
    ['offsets that fall', () => F.embeddingBag(indices(1, 2), weight(), { offsets: [0, 2, 1] }), ValueError],
    ['offsets beyond', () => F.embeddingBag(indices(1, 2), weight(), { offsets: [0, 3] }), ValueError],
    [
      'weights for a mean',
      () => F.embeddingBag(indices(1).reshape([1, 1]), weight(), { perSampleWeights: ones([1, 1]) }),
      ValueError,
    ],
    [
      'weights of another shape',
      () => F.embeddingBag(indices(1).reshape([1, 1]), weight(), { mode: 'sum', perSampleWeights: ones([1]) }),
      ShapeError,
    ],
    [
      'a frequency of maxima',
      () => F.embeddingBag(indices(1), weight(), { mode: 'max', offsets: [0], scaleGradByFreq: true }),
      ValueError,
    ],
  ])('refuses %s', (_what, call, error) => expect(call).toThrow(error));

  test('bilinear refuses what does not fit', () => {
    expect(() => new nn.Bilinear(2, 3, 4).forward(ones([2, 2]), ones([2, 2]))).toThrow(ShapeError);
    expect(() => new nn.Bilinear(2, 0, 4)).toThrow(ValueError);
    expect(() => F.bilinear(ones([2]), ones([2]), ones([1, 2, 2]), ones([2]))).toThrow(/bias is \[1\]/);
  });
});
