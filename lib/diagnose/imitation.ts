import { Linear } from '../nn/layers/linear';
import type { Layer } from '../nn/module';

/**
 * Which simpler predictors a model could imitate, as far as its layers tell: a bottleneck of fewer units than outputs cannot
 * pass a linear function on; a network of one hidden layer is in it if it has hidden units of its own.
 */
export function imitable(model: Layer, features: number, outputs: number): { isLinear: boolean; hidden: number } {
  const widths = [...model.modules()].flatMap((module) => (module instanceof Linear ? [module.weight.shape[0]!] : []));
  const hidden = widths.slice(0, -1);
  const narrowest = Math.min(...hidden, Infinity);
  const isLinear = narrowest >= Math.min(features, outputs);
  // A second layer passes a first one on only if it is at least as wide.
  return { isLinear, hidden: hidden.length > 0 && Number.isFinite(narrowest) ? narrowest : 0 };
}
