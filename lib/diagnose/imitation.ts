import { Conv2d } from '../nn/layers/conv';
import { Linear } from '../nn/layers/linear';
import type { Layer } from '../nn/module';

/**
 * Which simpler predictors a model could imitate, as far as its layers tell: a bottleneck of fewer units or channels than
 * outputs cannot pass a linear function on, and fewer parameters cannot hold one; a network of one hidden layer is in it if all
 * its layers are linear and as wide. `hidden` is that width, 0 for none.
 */
export function imitable(model: Layer, features: number, outputs: number): { isLinear: boolean; hidden: number } {
  const modules = [...model.modules()];
  const convolutions = modules.flatMap((module) => (module instanceof Conv2d ? [module.weight.shape[0]!] : []));
  const widths = modules.flatMap((module) => (module instanceof Linear ? [module.weight.shape[0]!] : []));
  const hidden = widths.slice(0, -1);
  const size = [...model.parameters()].reduce((sum, parameter) => sum + parameter.size, 0);
  const narrowest = Math.min(...convolutions, ...hidden, Infinity);
  const isLinear = narrowest >= Math.min(features, outputs) && size >= features * outputs;
  // A second layer passes a first one on only if it is at least as wide.
  return { isLinear, hidden: convolutions.length === 0 && hidden.length > 0 ? narrowest : 0 };
}
