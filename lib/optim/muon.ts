import { ValueError } from '../errors';
import { add, div, maximum, mul, sub } from '../ops/elementwise';
import { matmul } from '../ops/matmul';
import { flatten, reshape, t } from '../ops/shape';
import { checkInteger } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import { adamW, type AdamOptions } from './adam';
import { average, downhill, norm, shrink } from './formulas';
import { Optimizer, type CommonOptions, type Parameters, type Update } from './optimizer';
import { checkBetas, checkBoolean, checkChoice, checkCommon, checkNumber } from './options';
import type { RuleState } from './state';

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
  /** Whether matrices are Muon's; false gives all parameters of a group to AdamW: embeddings, the last layer. */
  useMuon: boolean;
  /** AdamW's rate as a multiple of lr, so that a schedule moves both; null for 0.015, or 1 with matchRmsAdamw. */
  adamwLrFactor: number | null;
  /** AdamW's betas. */
  adamwBetas: readonly [number, number];
  /** Added to AdamW's denominator. */
  adamwEps: number;
}

type AdamWOptions = Omit<AdamOptions, 'maximize'>;

/** 3e-4 / 0.02. */
const AUTHORS_FACTOR = 0.015;

const defaults: MuonOptions = {
  lr: 1e-3,
  weightDecay: 0.1,
  momentum: 0.95,
  nesterov: true,
  nsCoefficients: [3.4445, -4.775, 2.0315],
  nsSteps: 5,
  eps: 1e-7,
  adjustLr: 'original',
  useMuon: true,
  adamwLrFactor: null,
  adamwBetas: [0.9, 0.95],
  adamwEps: 1e-10,
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
 * X is near U Vᵀ of D = U S Vᵀ: its singular values lie between about 0.7 and 1.2. The filters of a convolution, [out, in, h, w],
 * are the matrix [out, in h w]. Biases and gains have no directions to make equal: parameters of fewer than two dims are AdamW's,
 * with `adamwBetas`, `adamwEps` and the rate adamwLrFactor lr (0.015 × 0.02 is the authors' 3e-4). So are all of a group with
 * `useMuon: false`. Throws ValueError for an option outside its range.
 * Names and defaults: https://pytorch.org/docs/stable/generated/torch.optim.Muon.html; of AdamW's part and useMuon,
 * MuonWithAuxAdam of https://github.com/KellerJordan/Muon.
 *
 *     const optimizer = new Muon(model.parameters(), { lr: 0.02 });
 *     const languageModel = new Muon([{ params: hidden }, { params: embeddings, useMuon: false }], { lr: 0.02 });
 */
export class Muon extends Optimizer<MuonOptions> {
  constructor(parameters: Parameters<MuonOptions>, options: Partial<MuonOptions> = {}) {
    super(parameters, defaults, options);
  }

  protected update({ parameter, gradient, state, options }: Update<MuonOptions>): Tensor {
    const g = downhill(gradient, options.maximize);
    return options.useMuon && parameter.rank >= 2
      ? muon(parameter, g, state, options)
      : adamW(parameter, g, state, adamwOptions(options));
  }

  protected check(options: MuonOptions): void {
    const { momentum, nesterov, nsCoefficients, nsSteps, eps, adjustLr, useMuon, adamwLrFactor, adamwBetas, adamwEps } =
      options;
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
    checkBoolean('Muon', 'useMuon', useMuon);
    if (adamwLrFactor !== null) checkNumber('Muon', 'adamwLrFactor', adamwLrFactor, 0);
    checkBetas('Muon', adamwBetas, 2, 'adamwBetas');
    checkNumber('Muon', 'adamwEps', adamwEps, 0);
  }
}

/** The new parameter; the gradient points uphill. */
function muon(parameter: Tensor, gradient: Tensor, state: RuleState, options: MuonOptions): Tensor {
  const { lr, weightDecay, momentum, nesterov, adjustLr } = options;
  const buffer = state.write('momentumBuffer', average(state.read('momentumBuffer'), gradient, momentum));
  const direction = flatten(nesterov ? average(buffer, gradient, momentum) : buffer, { startDim: 1 });
  const [rows, columns] = direction.shape as [number, number];
  const factor =
    adjustLr === 'original' ? Math.sqrt(Math.max(1, rows / columns)) : 0.2 * Math.sqrt(Math.max(rows, columns));
  const step = mul(reshape(orthogonalized(direction, options), parameter.shape), lr * factor);
  return sub(shrink(parameter, lr * weightDecay), step);
}

function adamwOptions({ lr, adamwLrFactor, adjustLr, adamwBetas, adamwEps, weightDecay }: MuonOptions): AdamWOptions {
  const factor = adamwLrFactor ?? (adjustLr === 'original' ? AUTHORS_FACTOR : 1);
  return { lr: lr * factor, betas: adamwBetas, eps: adamwEps, weightDecay, amsgrad: false };
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
