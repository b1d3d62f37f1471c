import { ValueError } from '../errors';
import { checkNumber } from '../nn/check';
import { ReLU } from '../nn/layers/activation';
import { Sequential } from '../nn/layers/containers';
import { Dropout } from '../nn/layers/dropout';
import { Linear } from '../nn/layers/linear';
import type { Layer } from '../nn/module';
import { checkInteger } from '../tensor/shape';

export interface MLPOptions {
  /** The function between linear layers: ReLU where not given. */
  activation?: () => Layer;
  /** Dropped behind each of them: 0, where not given, adds no layer. */
  dropout?: number;
}

/**
 * A multi-layer perceptron: linear layers of the given widths, [N, widths[0]] to [N, widths.at(-1)], with an activation
 * between them; its keys are `0.weight`, `0.bias`, `2.weight`, ..., by the place in the sequence. Throws ValueError for
 * fewer than two widths, a width that is no integer of at least 1, and a dropout outside [0, 1].
 *
 *     const model = mlp([64, 128, 10], { dropout: 0.2 });
 */
export function mlp(widths: readonly number[], options: MLPOptions = {}): Sequential {
  const { activation = () => new ReLU(), dropout = 0 } = options;
  if (!Array.isArray(widths) || widths.length < 2)
    throw new ValueError(`mlp: widths are at least the input's and the output's, got ${String(widths)}`);
  widths.forEach((width, i) => checkInteger('mlp', `widths[${i}]`, width, 1));
  checkNumber('mlp', 'dropout', dropout, { least: 0, most: 1 });
  const model = new Sequential();
  for (let i = 1; i < widths.length; i++) {
    model.append(new Linear(widths[i - 1] as number, widths[i] as number));
    if (i === widths.length - 1) break;
    model.append(activation());
    if (dropout > 0) model.append(new Dropout({ p: dropout }));
  }
  return model;
}
