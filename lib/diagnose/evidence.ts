import { show, type Measurements, type Rival } from './procedure';
import type { Standing } from './standing';
import type { LayerStatistics } from './statistics';

export interface Evidence {
  readonly name: string;
  readonly message: string;
  readonly value: number;
}

/** Everything that was found out, besides the verdict. */
export interface Findings extends Measurements {
  readonly statistics: LayerStatistics;
  readonly standing: Standing | null;
  /** That the model was trained with, where it is known. */
  readonly lr: number | undefined;
}

/** Shares of a layer, and a ratio between layers, from where on they are worth a word: rules of thumb. */
export const DEAD = 0.5;
const SATURATED = 0.5;
const UNEVEN = 1e4;

/** Every number behind a verdict, in words. */
export function evidenceOf(findings: Findings): Evidence[] {
  const { model, rivals, statistics, standing, lr, hints } = findings;
  const { train, validation } = model;
  return [
    { name: 'train loss', value: train.loss, message: `the model's training loss is ${show(train.loss)}` },
    {
      name: 'validation loss',
      value: validation.loss!,
      message: `its validation loss is ${show(validation.loss)}`,
    },
    ...rivals.map(ofRival),
    ...(standing === null ? [] : ofStanding(standing, lr)),
    ...ofLayers(statistics),
    ...hints.map(({ kind, value, message }) => ({ name: kind, value, message })),
  ];
}

function ofRival({ kind, name, train, validation, spread }: Rival): Evidence {
  const percent = (accuracy: number | null): string => `${show(100 * accuracy!)} %`;
  const message =
    train.loss === null
      ? `${name} is right for ${percent(train.accuracy)} in training and ${percent(validation.accuracy)} in validation`
      : `${name} has ${show(train.loss)}${spread > 0 ? ` ± ${show(spread)}` : ''} in training and ${show(validation.loss)} in validation`;
  return { name: kind === 'baseline' ? name : kind, value: train.loss ?? train.accuracy!, message };
}

function ofStanding({ kind, largestCurvature, smallestCurvature, explanation }: Standing, lr?: number): Evidence[] {
  const evidence: Evidence[] = [{ name: `point: ${kind}`, value: smallestCurvature, message: explanation }];
  if (largestCurvature > 0) {
    const limit = 2 / largestCurvature;
    const said = `plain gradient descent is stable here up to a learning rate of ${show(limit)}, two by the largest curvature`;
    const compared = lr === undefined ? '' : `; this training had ${show(lr)}`;
    evidence.push({ name: 'largest stable learning rate', value: limit, message: `${said}${compared}` });
  }
  return evidence;
}

function* ofLayers({ activations, parameters }: LayerStatistics): Iterable<Evidence> {
  for (const { name, dead } of activations)
    if (dead !== null && dead > DEAD) {
      const message = `${show(100 * dead)} % of the units of ${name} are 0 for every sample`;
      yield { name: 'dead units', value: dead, message };
    }
  for (const { name, saturated } of activations)
    if (saturated !== null && saturated > SATURATED)
      yield { name: 'saturation', value: saturated, message: `${show(100 * saturated)} % of ${name} is saturated` };
  const norms = parameters.filter(({ name }) => name.endsWith('weight')).map(({ gradientNorm }) => gradientNorm);
  const ratio = Math.max(...norms) / Math.max(Math.min(...norms), Number.MIN_VALUE);
  if (norms.length > 1 && ratio > UNEVEN) {
    const message = `gradients of the weights differ by a factor of ${show(ratio)} between layers`;
    yield { name: 'gradient ratio', value: ratio, message };
  }
}
