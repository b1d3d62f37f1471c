import { nn, tensor, type Variable } from '../../lib';
import { Adafactor, Adagrad, Adan, LAMB, Lion, Muon, RMSprop, SGD, type MomentumForm } from '../../lib/optim';
import { onEachBackend } from '../helpers/backends';
import { count } from '../helpers/ndarray';
import { averaged, expectTrajectory, gradientAt, startOf } from './trajectories';

const rms = (x: number[]): number => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0) / x.length);
const length = (x: number[]): number => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0));
const mean = (x: number[]): number => x.reduce((sum, v) => sum + v, 0) / x.length;

/** Rules that PyTorch 1.13 does not have, against the formulas of their papers in plain loops over float64 numbers. */
onEachBackend('rules as their authors write them', () => {
  const forms: Record<MomentumForm, (m: number, g: number, beta: number, lr: number) => { m: number; move: number }> = {
    torch: (m, g, beta, lr) => ({ m: beta * m + g, move: -lr * (beta * m + g) }),
    classical: (m, g, beta, lr) => ({ m: beta * m - lr * g, move: beta * m - lr * g }),
    averaged: (m, g, beta, lr) => ({ m: beta * m - (1 - beta) * g, move: lr * (beta * m - (1 - beta) * g) }),
  };

  test.each(Object.keys(forms) as MomentumForm[])('SGD, momentum in the form %s', async (momentumForm) => {
    const [lr, momentum] = [0.05, 0.8];
    await expectTrajectory(
      [5],
      (parameters) => new SGD(parameters, { lr, momentum, momentumForm, weightDecay: 0.1, maximize: true }),
      (theta, g, _t, memory) => {
        memory.m ??= theta.map(() => 0);
        return theta.map((value, i) => {
          const { m, move } = forms[momentumForm](memory.m![i]!, -g[i]! + 0.1 * value, momentum, lr);
          memory.m![i] = m;
          return value + move;
        });
      },
    );
  });

  test.each(['classical', 'averaged'] as const)('SGD, Nesterov in the form %s', async (momentumForm) => {
    const [lr, beta] = [0.05, 0.8];
    const share = momentumForm === 'classical' ? lr : 1 - beta;
    await expectTrajectory(
      [5],
      (parameters) => new SGD(parameters, { lr, momentum: beta, momentumForm, nesterov: true }),
      (theta, g, _t, memory) => {
        const old = memory.m ?? theta.map(() => 0);
        memory.m = old.map((m, i) => beta * m - share * g[i]!);
        const ahead = memory.m.map((m, i) => beta * m - share * g[i]!);
        return theta.map((value, i) => value + (momentumForm === 'classical' ? 1 : lr) * ahead[i]!);
      },
    );
  });

  test('the classical form moves as PyTorch does while the rate is constant', async () => {
    const run = async (momentumForm: MomentumForm): Promise<number[]> => {
      const parameter = new nn.Parameter(tensor(startOf([4]), { dtype: 'float64' }));
      const optimizer = new SGD([parameter], { lr: 0.1, momentum: 0.9, momentumForm });
      for (let t = 1; t <= 20; t++) {
        parameter.grad = tensor(gradientAt([4], t), { dtype: 'float64' });
        await optimizer.step();
      }
      return [...parameter.dataSync()].map(Number);
    };
    const [torch, classical] = [await run('torch'), await run('classical')];
    classical.forEach((value, i) => expect(value).toBeCloseTo(torch[i]!, 12));
  });

  test.each([0, 1e-3])('Adagrad with the mean of squares so far, eps %d', async (eps) => {
    await expectTrajectory(
      [6],
      (parameters) => new Adagrad(parameters, { lr: 0.1, average: true, eps }),
      (theta, g, t, memory) => {
        memory.sum = g.map((value, i) => (memory.sum?.[i] ?? 0) + value * value);
        return theta.map((value, i) => value - (0.1 * g[i]!) / (Math.sqrt(memory.sum![i]! / t) + eps));
      },
    );
  });

  test('Adagrad with the mean of squares and the rate lr / √t is Adagrad', async () => {
    const [a, b] = [1, 2].map(() => new nn.Parameter(tensor(startOf([4]), { dtype: 'float64' })));
    const plain = new Adagrad([a!], { lr: 0.1, eps: 0 });
    const mean = new Adagrad([b!], { lr: 0.1, eps: 0, average: true });
    for (let t = 1; t <= 20; t++) {
      for (const parameter of [a!, b!]) parameter.grad = tensor(gradientAt([4], t), { dtype: 'float64' });
      mean.paramGroups[0]!.lr = 0.1 / Math.sqrt(t);
      await plain.step();
      await mean.step();
    }
    [...b!.dataSync()].forEach((value, i) => expect(Number(value)).toBeCloseTo(Number(a!.dataSync()[i]), 12));
  });

  test.each([0, 0.5])('RMSprop from σ₀ = |g₀| without eps, momentum %d', async (momentum) => {
    await expectTrajectory(
      [6],
      (parameters) => new RMSprop(parameters, { lr: 0.01, alpha: 0.9, eps: 0, init: 'gradient', momentum }),
      (theta, g, t, memory) => {
        memory.sigma = g.map((value, i) =>
          t === 1 ? Math.abs(value) : Math.sqrt(0.9 * memory.sigma![i]! ** 2 + 0.1 * value * value),
        );
        memory.m = g.map((value, i) => momentum * (memory.m?.[i] ?? 0) + value / memory.sigma![i]!);
        return theta.map((value, i) => value - 0.01 * memory.m![i]!);
      },
    );
  });

  test.each([
    ['RMSprop', (p: Variable[]) => new RMSprop(p, { lr: 0.1, eps: 0, init: 'gradient' })],
    ['Adagrad', (p: Variable[]) => new Adagrad(p, { lr: 0.1, eps: 0 })],
  ] as const)('%s without eps stays where there never was a gradient', async (_name, make) => {
    const parameter = new nn.Parameter(tensor([1, 2]));
    const optimizer = make([parameter]);
    parameter.grad = tensor([0, -3]);
    await optimizer.step();
    expect(parameter.dataSync()[0]).toBe(1);
    expect(parameter.dataSync()[1]).toBeCloseTo(2.1, 6);
  });

  test.each([{ lr: 1e-2 }, { lr: 0.1, betas: [0.5, 0.8] as const, weightDecay: 0.3, maximize: true }])(
    'Lion %j',
    async (options) => {
      const { lr, betas = [0.9, 0.99] as const, weightDecay = 0, maximize = false } = options;
      await expectTrajectory(
        [7],
        (parameters) => new Lion(parameters, options),
        (theta, gradient, _t, memory) => {
          const g = gradient.map((value) => (maximize ? -value : value));
          const m = memory.m ?? g.map(() => 0);
          const c = g.map((value, i) => betas[0] * m[i]! + (1 - betas[0]) * value);
          memory.m = g.map((value, i) => betas[1] * m[i]! + (1 - betas[1]) * value);
          return theta.map((value, i) => value - lr * (Math.sign(c[i]!) + weightDecay * value));
        },
      );
    },
  );

  test.each([
    { lr: 1e-2, weightDecay: 0 },
    { lr: 0.1, betas: [0.5, 0.8] as const, eps: 1e-2, weightDecay: 0.3, maximize: true },
  ])('LAMB %j', async (options) => {
    const { lr, betas = [0.9, 0.999] as const, eps = 1e-6, weightDecay, maximize = false } = options;
    await expectTrajectory(
      [2, 4],
      (parameters) => new LAMB(parameters, options),
      (theta, gradient, t, memory) => {
        const g = gradient.map((value) => (maximize ? -value : value));
        const m = averaged(memory, 'm', g, betas[0]);
        const v = averaged(
          memory,
          'v',
          g.map((value) => value * value),
          betas[1],
        );
        const r = theta.map(
          (value, i) =>
            m[i]! / (1 - betas[0] ** t) / (Math.sqrt(v[i]! / (1 - betas[1] ** t)) + eps) + weightDecay * value,
        );
        const trust = length(theta) / length(r);
        return theta.map((value, i) => value - lr * trust * r[i]!);
      },
    );
  });

  test('LAMB moves a parameter of zeros', async () => {
    const parameter = new nn.Parameter(tensor([0, 0], { dtype: 'float64' }));
    const optimizer = new LAMB([parameter], { lr: 0.1, eps: 0 });
    parameter.grad = tensor([2, -5], { dtype: 'float64' });
    await optimizer.step();
    expect([...parameter.dataSync()].map((value) => Number(value).toFixed(12))).toEqual([
      '-0.100000000000',
      '0.100000000000',
    ]);
  });

  test.each([{ lr: 1e-2 }, { lr: 0.1, betas: [0.5, 0.8, 0.9] as const, eps: 1e-2, weightDecay: 0.3, maximize: true }])(
    'Adan %j',
    async (options) => {
      const { lr, betas = [0.98, 0.92, 0.99] as const, eps = 1e-8, weightDecay = 0, maximize = false } = options;
      await expectTrajectory(
        [7],
        (parameters) => new Adan(parameters, options),
        (theta, gradient, t, memory) => {
          const g = gradient.map((value) => (maximize ? -value : value));
          const d = g.map((value, i) => value - (memory.before ?? g)[i]!);
          memory.before = g;
          const m = averaged(memory, 'm', g, betas[0]);
          const v = averaged(memory, 'v', d, betas[1]);
          const n = averaged(
            memory,
            'n',
            g.map((value, i) => (value + betas[1] * d[i]!) ** 2),
            betas[2],
          );
          return theta.map((value, i) => {
            const direction = m[i]! / (1 - betas[0] ** t) + (betas[1] * v[i]!) / (1 - betas[1] ** t);
            const step = (lr * direction) / (Math.sqrt(n[i]! / (1 - betas[2] ** t)) + eps);
            return (value - step) / (1 + lr * weightDecay);
          });
        },
      );
    },
  );

  test.each([
    [[5], {}],
    [[3, 4], {}],
    [[2, 3, 2], { lr: 0.5, beta2Decay: -0.5, eps: [1e-3, 0.1], d: 0.3, weightDecay: 0.1, maximize: true }],
  ] as const)('Adafactor of shape %j with %j', async (shape, options) => {
    const given: Partial<ConstructorParameters<typeof Adafactor>[1]> = options;
    const { lr = 1e-2, beta2Decay = -0.8, eps = [1e-30, 1e-3], d = 1, weightDecay = 0, maximize = false } = given ?? {};
    const [rows, columns] = shape.length > 1 ? [shape.at(-2)!, shape.at(-1)!] : [1, shape[0]];
    await expectTrajectory(
      shape,
      (parameters) => new Adafactor(parameters, options),
      (theta, gradient, t, memory) => {
        const g = gradient.map((value) => (maximize ? -value : value));
        const keep = 1 - t ** beta2Decay;
        const squares = g.map((value) => value * value + eps[0]);
        const second = shape.length === 1 ? averaged(memory, 'v', squares, keep) : factored(squares, keep, memory);
        const u = g.map((value, i) => value / Math.sqrt(second[i]!));
        const clip = Math.max(1, rms(u) / d);
        const rate = Math.max(eps[1], rms(theta)) * Math.min(lr, 1 / Math.sqrt(t));
        return theta.map((value, i) => value * (1 - lr * weightDecay) - (rate * u[i]!) / clip);
      },
    );

    /** R C / mean(R) of each matrix. */
    function factored(squares: number[], keep: number, memory: Record<string, number[]>): number[] {
      const at = (matrix: number, i: number, j: number): number => squares[(matrix * rows + i) * columns + j]!;
      const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
      return range(squares.length / (rows * columns)).flatMap((matrix) => {
        const r = range(rows).map((i) => mean(range(columns).map((j) => at(matrix, i, j))));
        const c = range(columns).map((j) => mean(range(rows).map((i) => at(matrix, i, j))));
        const [ofRows, ofColumns] = [averaged(memory, `r${matrix}`, r, keep), averaged(memory, `c${matrix}`, c, keep)];
        return ofRows.flatMap((row) => ofColumns.map((column) => (row * column) / mean(ofRows)));
      });
    }
  });

  test.each([
    [[3, 4], { lr: 0.02 }],
    [[5, 2], { lr: 0.02, nesterov: false, weightDecay: 0, maximize: true }],
    [[3, 2, 1, 2], { lr: 0.02 }], // Filters are a matrix.
    [[4, 4], { lr: 0.1, momentum: 0.5, nsSteps: 3, nsCoefficients: [1.5, -0.5, 0], adjustLr: 'matchRmsAdamw' }],
  ] as const)('Muon of shape %j with %j', async (shape, options) => {
    const given: Partial<ConstructorParameters<typeof Muon>[1]> = options;
    const { lr = 1e-3, momentum = 0.95, nesterov = true, weightDecay = 0.1, maximize = false } = given ?? {};
    const { nsSteps = 5, nsCoefficients: [a, b, c] = [3.4445, -4.775, 2.0315], adjustLr } = given ?? {};
    const [n, m] = [shape[0], count(shape) / shape[0]];
    await expectTrajectory(
      shape,
      (parameters) => new Muon(parameters, options),
      (theta, gradient, _t, memory) => {
        const g = gradient.map((value) => (maximize ? -value : value));
        const buffer = averaged(memory, 'm', g, momentum);
        const d = nesterov ? buffer.map((value, i) => momentum * value + (1 - momentum) * g[i]!) : buffer;
        let x = d.map((value) => value / length(d));
        for (let step = 0; step < nsSteps; step++) {
          // X Xᵀ X and X Xᵀ X Xᵀ X, whichever side is shorter.
          const cubed = times(times(x, transposed(x, n, m), n, m, n), x, n, n, m);
          const fifth = times(times(x, transposed(x, n, m), n, m, n), cubed, n, n, m);
          x = x.map((value, i) => a * value + b * cubed[i]! + c * fifth[i]!);
        }
        const factor = adjustLr === undefined ? Math.sqrt(Math.max(1, n / m)) : 0.2 * Math.sqrt(Math.max(n, m));
        return theta.map((value, i) => value * (1 - lr * weightDecay) - lr * factor * x[i]!);
      },
    );
  });

  test.each([
    [[5], { lr: 0.02 }, 3e-4],
    [[5], { lr: 0.01, adjustLr: 'matchRmsAdamw', weightDecay: 0 }, 0.01],
    [[2, 3], { lr: 0.02, useMuon: false, adamwLrFactor: 0.5, adamwBetas: [0.5, 0.8], adamwEps: 1e-2 }, 0.01],
    [[2], { lr: 0.02, maximize: true }, 3e-4],
  ] as const)('Muon moves shape %j with %j by AdamW', async (shape, options, lr) => {
    const given: Partial<ConstructorParameters<typeof Muon>[1]> = options;
    const { adamwBetas: [b1, b2] = [0.9, 0.95], adamwEps = 1e-10, weightDecay = 0.1, maximize = false } = given ?? {};
    await expectTrajectory(
      shape,
      (parameters) => new Muon(parameters, options),
      (theta, gradient, t, memory) => {
        const g = gradient.map((value) => (maximize ? -value : value));
        const m = averaged(memory, 'm', g, b1);
        const squares = g.map((value) => value * value);
        const v = averaged(memory, 'v', squares, b2);
        return theta.map((value, i) => {
          const step = m[i]! / (1 - b1 ** t) / (Math.sqrt(v[i]! / (1 - b2 ** t)) + adamwEps);
          return value * (1 - lr * weightDecay) - lr * step;
        });
      },
    );
  });

  test('Adafactor leaves rows and columns without gradients where they are, also in float32', async () => {
    const parameter = new nn.Parameter(tensor([1, 2, 3, 4], { shape: [2, 2] }));
    const optimizer = new Adafactor([parameter]);
    parameter.grad = tensor([1e3, 0, 0, 0], { shape: [2, 2] });
    await optimizer.step();
    const [moved, ...rest] = parameter.dataSync();
    expect(moved).toBeLessThan(1);
    expect(rest).toEqual([2, 3, 4]);
  });
});

const transposed = (x: number[], n: number, m: number): number[] =>
  Array.from({ length: n * m }, (_, i) => x[(i % n) * m + Math.floor(i / n)]!);

function times(a: number[], b: number[], n: number, k: number, m: number): number[] {
  return Array.from({ length: n * m }, (_, i) => {
    const [row, column] = [Math.floor(i / m), i % m];
    return Array.from({ length: k }, (__, j) => a[row * k + j]! * b[j * m + column]!).reduce((x, y) => x + y, 0);
  });
}
