import { ShapeError, ValueError } from '../errors';
import { add, div, maximum, mul, sub } from '../ops/elementwise';
import { matmul } from '../ops/matmul';
import { t } from '../ops/shape';
import { checkInteger, formatShape } from '../tensor/shape';
import type { Tensor, Variable } from '../tensor/tensor';
import { average, downhill, norm, shrink } from './formulas';
import { Optimizer, type CommonOptions, type Parameters, type Update } from './optimizer';
import { checkBoolean, checkChoice, checkCommon, checkNumber } from './options';

export interface MuonOptions extends CommonOptions {
  /** Decoupled: lr weightDecay θ is taken off at each step. */
  weightDecay: number;
  /** How much of the running mean of the gradient is kept at each step, below 1. */
  momentum: number;
  /** Looks ahead along the momentum. */
  nesterov: boolean;
  /** a, b, c of the iteration. */
  nsCoefficients: readonly [number, number, number];
  /** How often it is done. */
  nsSteps: number;
  /** The least norm that a direction is divided by. */
  eps: number;
  /** How the rate grows with an [n, m] shape: √max(1, n / m), or 0.2 √max(n, m), whose steps are as long as AdamW's. */
  adjustLr: 'original' | 'matchRmsAdamw';
}

const defaults: MuonOptions = {
  lr: 1e-3,
  weightDecay: 0.1,
  momentum: 0.95,
  nesterov: true,
  nsCoefficients: [3.4445, -4.775, 2.0315],
  nsSteps: 5,
  eps: 1e-7,
  adjustLr: 'original',
  maximize: false,
};

/**
 * Muon (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/; matchRmsAdamw of Liu et al. 2025): momentum whose
 * directions all become equally long. For an [n, m] parameter,
 *
 *     M ← momentum M + (1 - momentum) G,   D = M            (nesterov: D = momentum M + (1 - momentum) G)
 *     X = D / ‖D‖;   nsSteps times:  A = X Xᵀ,  X ← a X + (b A + c A²) X
 *     θ ← (1 - lr weightDecay) θ - lr √max(1, n / m) X
 *
 * X is near U Vᵀ of D = U S Vᵀ: its singular values lie between about 0.7 and 1.2. Takes matrices only (ShapeError names the
 * shape of another): biases, gains and embeddings go to AdamW. Throws ValueError for an option outside its range.
 * Names and defaults: https://pytorch.org/docs/stable/generated/torch.optim.Muon.html.
 *
 *     const matrices = [...model.parameters()].filter((parameter) => parameter.rank === 2);
 *     const optimizer = new Muon(matrices, { lr: 0.02 });
 */
export class Muon extends Optimizer<MuonOptions> {
  constructor(parameters: Parameters<MuonOptions>, options: Partial<MuonOptions> = {}) {
    super(parameters, defaults, options);
  }

  protected update({ parameter, gradient, state, options }: Update<MuonOptions>): Tensor {
    const { lr, weightDecay, momentum, nesterov, maximize, adjustLr } = options;
    const g = downhill(gradient, maximize);
    const buffer = state.write('momentumBuffer', average(state.read('momentumBuffer'), g, momentum));
    const direction = orthogonalized(nesterov ? average(buffer, g, momentum) : buffer, options);
    const [rows, columns] = parameter.shape as [number, number];
    const factor =
      adjustLr === 'original' ? Math.sqrt(Math.max(1, rows / columns)) : 0.2 * Math.sqrt(Math.max(rows, columns));
    return sub(shrink(parameter, lr * weightDecay), mul(direction, lr * factor));
  }

  protected override accept({ shape }: Variable): void {
    if (shape.length !== 2)
      throw new ShapeError(`Muon: moves matrices only, got a parameter of shape ${formatShape(shape)}`);
  }

  protected check(options: MuonOptions): void {
    const { momentum, nesterov, nsCoefficients, nsSteps, eps, adjustLr } = options;
    checkCommon('Muon', options);
    checkNumber('Muon', 'momentum', momentum, 0, 1);
    checkBoolean('Muon', 'nesterov', nesterov);
    if (!Array.isArray(nsCoefficients) || nsCoefficients.length !== 3)
      throw new ValueError(`Muon: nsCoefficients are three numbers, got ${String(nsCoefficients)}`);
    nsCoefficients.forEach((value: unknown, index) =>
      checkNumber('Muon', `nsCoefficients[${index}]`, value, -Infinity),
    );
    checkInteger('Muon', 'nsSteps', nsSteps, 1);
    checkNumber('Muon', 'eps', eps, 0);
    checkChoice('Muon', 'adjustLr', adjustLr, ['original', 'matchRmsAdamw']);
  }
}

/** Newton-Schulz: every singular value is drawn towards 1. Done on the wide side, where X Xᵀ is smaller. */
function orthogonalized(direction: Tensor, { nsCoefficients: [a, b, c], nsSteps, eps }: MuonOptions): Tensor {
  const isTall = direction.shape[0]! > direction.shape[1]!;
  let x = isTall ? t(direction) : direction;
  x = div(x, maximum(norm(x), eps));
  for (let step = 0; step < nsSteps; step++) {
    const gram = matmul(x, t(x));
    const correction = add(mul(gram, b), mul(matmul(gram, gram), c));
    x = add(mul(x, a), matmul(correction, x));
  }
  return isTall ? t(x) : x;
}
