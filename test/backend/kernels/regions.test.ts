import { backends } from './backends';
import { type Chain, broadcast, chainCall, dense, runKernel, segmentsCall } from './builder';
import { Numbers } from './numbers';

describe.each(backends)('regions on %s', (_name, backend) => {
  it('runs segments of other shapes, strides and numbers as if each were alone', () => {
    const numbers = new Numbers(5);
    const shapes = [[3], [4, 5], [0], [700], [], [2, 1, 300]];
    const chains = shapes.map((shape, s): Chain => {
      const x = numbers.reals('float32', shape);
      const y =
        s % 2 === 0
          ? numbers.reals('float32', shape)
          : broadcast(
              numbers.reals(
                'float32',
                shape.map(() => 1),
              ),
              shape,
            );
      return {
        inputs: [x, y],
        scalars: [[s % 3, 'float32']],
        registers: 5,
        steps: [
          ['mul', 'float32', 3, 0, 2],
          ['sub', 'float32', 4, 3, 1],
        ],
        results: [
          [4, 'float32'],
          [3, 'float32'],
        ],
        shape,
        values: [0.5, -2, 7],
      };
    });
    expect(runKernel(backend, segmentsCall(chains))).toEqual(
      chains.flatMap((chain) => runKernel(backend, chainCall(chain))),
    );
  });

  it.each([
    [[5, 7], 1],
    [[3, 1000], 1],
    [[2, 3, 1500], 2],
    [[2, 100, 1031], 1],
    [[200003], 0],
    [[4, 0], 1],
    [[0, 4], 1],
    [[6, 1], 1],
    [[3, 4], 2],
  ] as [number[], number][])('folds %j from dim %i on to the bits of reductions of their own', (shape, kept) => {
    for (const dtype of ['float32', 'float64', 'int32'] as const) {
      const numbers = new Numbers(6);
      const x = dtype === 'int32' ? numbers.integers(dtype, shape, -30000, 30000) : numbers.reals(dtype, shape);
      const y = broadcast(
        numbers.reals(
          'float32',
          shape.map(() => 1),
        ),
        shape,
      );
      const isEmpty = shape.slice(kept).includes(0);
      const names = isEmpty ? (['sum'] as const) : (['sum', 'max', 'min'] as const);
      const chain: Chain = {
        inputs: [x, y],
        registers: 4,
        steps: [
          ['mul', dtype, 2, 0, 0],
          ['neg', dtype, 3, 2],
        ],
        results: [[3, dtype]],
        folds: names.map((name, i) => [name, i % 2 === 0 ? 3 : 2, dtype]),
        kept,
        shape,
      };
      const [negated, ...folded] = runKernel(backend, chainCall(chain));
      const squares = runKernel(backend, chainCall({ ...chain, results: [[2, dtype]], folds: [] }))[0]!;
      names.forEach((kernel, i) => {
        const input = dense(dtype, shape, i % 2 === 0 ? negated! : squares);
        const outputs = [{ dtype, shape: shape.slice(0, kept) }];
        expect(folded[i]).toEqual(runKernel(backend, { kernel, inputs: [input], outputs, attributes: [kept] })[0]);
      });
      // Nobody reads the values themselves.
      const alone = runKernel(backend, chainCall({ ...chain, results: [], kept }));
      expect(alone).toEqual(folded);
    }
  });

  it('refuses folds of other shapes, of bools, and over nothing but for sums', () => {
    const chain: Chain = {
      inputs: [dense('float32', [2, 3], [1])],
      registers: 3,
      steps: [
        ['neg', 'float32', 1, 0],
        ['gt', 'float32', 2, 0, 1],
      ],
      results: [],
      folds: [['max', 1, 'float32']],
      kept: 1,
      shape: [2, 3],
    };
    expect(runKernel(backend, chainCall(chain))).toEqual([[-1, -1]]);
    expect(() => runKernel(backend, chainCall({ ...chain, shape: [3, 3] }))).toThrow();
    expect(() => runKernel(backend, chainCall({ ...chain, folds: [['sum', 2, 'bool']] }))).toThrow();
    expect(() => runKernel(backend, chainCall({ ...chain, folds: [['sum', 2, 'float32']] }))).toThrow();
    const empty = { ...chain, inputs: [dense('float32', [2, 0], [1])], shape: [2, 0] };
    expect(() => runKernel(backend, chainCall(empty))).toThrow(/nothing/);
    expect(() => runKernel(backend, segmentsCall([chain, chain]))).toThrow(/segments/);
  });

  it('refuses segments of several dtypes, and numbers of inputs that do not divide', () => {
    const [x, y] = [dense('float32', [2], [1]), dense('int32', [2], [1])];
    const chain: Chain = {
      inputs: [x],
      registers: 2,
      steps: [['neg', 'float32', 1, 0]],
      results: [[1, 'float32']],
      shape: [2],
    };
    expect(() => runKernel(backend, segmentsCall([chain, { ...chain, inputs: [y] }]))).toThrow(/dtypes/);
    expect(() => runKernel(backend, segmentsCall([chain, { ...chain, inputs: [] }]))).toThrow(/segments/);
  });
});
