import type { DataHint } from './data-hints';
import type { FurtherTraining } from './further-training';
import type { Measured } from './measure';
import { show, type Rival } from './procedure';
import type { LayerStatistics } from './statistics';

export interface Evidence {
  readonly name: string;
  readonly message: string;
  readonly value: number;
}

/** Shares of a layer, and a ratio between layers, from where on they are worth a word: rules of thumb. */
export const DEAD = 0.5;
const SATURATED = 0.5;
const UNEVEN = 1e4;

/** Every number behind a verdict, in words. */
export function evidenceOf(
  { train, validation }: { train: Measured; validation: Measured },
  rivals: readonly Rival[],
  further: FurtherTraining,
  { activations, parameters }: LayerStatistics,
  hints: readonly DataHint[],
): Evidence[] {
  const evidence: Evidence[] = [
    { name: 'train loss', value: train.loss, message: `the model's training loss is ${show(train.loss)}` },
    { name: 'validation loss', value: validation.loss, message: `its validation loss is ${show(validation.loss)}` },
    ...rivals.map(({ name, trainLoss, validationLoss, spread }) => ({
      name,
      value: trainLoss,
      message: `a ${name} has ${show(trainLoss)}${spread > 0 ? ` ± ${show(spread)}` : ''} in training and ${show(validationLoss)} in validation`,
    })),
    {
      name: 'further training',
      value: further.loss,
      message: `${further.steps} more steps of Adam at ${further.lr} bring the training loss to ${show(further.loss)}`,
    },
  ];
  for (const { name, dead } of activations)
    if (dead !== null && dead > DEAD)
      evidence.push({
        name: 'dead units',
        value: dead,
        message: `${show(100 * dead)} % of the units of ${name} are 0 for every sample`,
      });
  for (const { name, saturated } of activations)
    if (saturated !== null && saturated > SATURATED)
      evidence.push({
        name: 'saturation',
        value: saturated,
        message: `${show(100 * saturated)} % of ${name} is saturated`,
      });
  const norms = parameters.filter(({ name }) => name.endsWith('weight')).map(({ gradientNorm }) => gradientNorm);
  const ratio = Math.max(...norms) / Math.max(Math.min(...norms), Number.MIN_VALUE);
  if (norms.length > 1 && ratio > UNEVEN)
    evidence.push({
      name: 'gradient ratio',
      value: ratio,
      message: `gradients of the weights differ by a factor of ${show(ratio)} between layers`,
    });
  return [...evidence, ...hints.map(({ kind, value, message }) => ({ name: kind, value, message }))];
}
