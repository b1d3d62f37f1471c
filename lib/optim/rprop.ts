import { ValueError } from '../errors';
import { gt, lt, maximum, minimum, mul, sign, sub, where } from '../ops/elementwise';
import type { Tensor } from '../tensor/tensor';
import { downhill } from './formulas';
import { Optimizer, type CommonOptions, type Parameters, type Update } from './optimizer';
import { checkCommon } from './options';

export interface RpropOptions extends CommonOptions {
  /** What a step size is multiplied by where the gradient's sign changed, below 1, and where it stayed, above 1. */
  etas: readonly [number, number];
  /** The smallest and the largest step. */
  stepSizes: readonly [number, number];
}

const defaults: RpropOptions = { lr: 1e-2, etas: [0.5, 1.2], stepSizes: [1e-6, 50], maximize: false };

/**
 * Rprop (Riedmiller and Braun 1993): each element has a step of its own, and only the gradient's sign counts. Meant for full
 * batches, where signs carry no noise. With g' of the step before and η = lr at first,
 *
 *     g g' > 0:  η ← min(η etas[1], stepSizes[1])
 *     g g' < 0:  η ← max(η etas[0], stepSizes[0]),  g ← 0
 *     θ ← θ - η sign(g)
 *
 * Throws ValueError unless 0 < etas[0] < 1 < etas[1] and 0 ≤ stepSizes[0] ≤ stepSizes[1].
 * Options and defaults: https://pytorch.org/docs/stable/generated/torch.optim.Rprop.html.
 *
 *     const optimizer = new Rprop(model.parameters(), { lr: 0.01 });
 *     await optimizer.step();
 */
export class Rprop extends Optimizer<RpropOptions> {
  protected override readonly perElement = true;

  constructor(parameters: Parameters<RpropOptions>, options: Partial<RpropOptions> = {}) {
    super(parameters, defaults, options);
  }

  protected update({ parameter, gradient, state, options }: Update<RpropOptions>): Tensor {
    const [shorter, longer] = options.etas;
    const [least, most] = options.stepSizes;
    const g = downhill(gradient, options.maximize);
    const agreement = mul(g, state.read('prev'));
    const before = state.read('stepSize', { fill: options.lr });
    const changed = where(gt(agreement, 0), mul(before, longer), where(lt(agreement, 0), mul(before, shorter), before));
    const size = state.write('stepSize', minimum(maximum(changed, least), most));
    const kept = state.write('prev', where(lt(agreement, 0), 0, g));
    return sub(parameter, mul(sign(kept), size));
  }

  protected check(options: RpropOptions): void {
    checkCommon('Rprop', options);
    const [shorter, longer] = pairOf('etas', options.etas);
    const [least, most] = pairOf('stepSizes', options.stepSizes);
    if (!(shorter > 0 && shorter < 1 && longer > 1 && longer < Infinity))
      throw new ValueError(`Rprop: etas are a number in (0, 1) and one above 1, got ${shorter}, ${longer}`);
    if (!(least >= 0 && least <= most && most < Infinity))
      throw new ValueError(`Rprop: stepSizes are the smallest and the largest step, got ${least}, ${most}`);
  }
}

function pairOf(name: string, value: unknown): readonly [number, number] {
  if (!Array.isArray(value) || value.length !== 2 || !value.every((item) => typeof item === 'number'))
    throw new ValueError(`Rprop: ${name} are two numbers, got ${String(value)}`);
  return value as unknown as [number, number];
}
