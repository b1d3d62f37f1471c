import { readData } from '../graph/reading';
import {
  fitConstant,
  fitLinear,
  fitLogistic,
  fitSmallNetwork,
  fitSupportVectorMachine,
  type Baseline,
} from './baselines';
import { toFloat64 } from './baselines/samples';
import type { Examination } from './examination';
import { imitable } from './imitation';
import { measured } from './measure';
import type { Rival } from './procedure';
import { spreadOf } from './trainings/retraining';

const SEEDS = 3;
/** Of fewer there is no spread. */
const LEAST_SEEDS = 2;
/** Units of the network that asks whether a larger model goes lower. */
const WIDE = 128;
/** A kernel machine has a row of numbers for every sample. */
const MAX_SAMPLES_OF_KERNEL = 2000;

/** Simple predictors, each at the best that it can do on the same training data. */
export async function fitRivals(examination: Examination, share: number): Promise<Rival[]> {
  const { model, train, task, seed, signal } = examination;
  const { features, outputs, count } = train.samples;
  const { isLinear, hidden } = imitable(model, features, outputs);
  const data = { x: train.x, y: train.y };
  const fitting = { signal, ...(task === 'multiclass' ? { classes: outputs } : {}) };
  const rivals: Rival[] = [];
  const add = async (name: string, isContained: boolean, fitted: readonly Baseline[]): Promise<void> => {
    rivals.push(await rivalOf(examination, name, isContained, fitted));
  };
  const networks = async (width: number): Promise<Baseline[]> => {
    const fitted: Baseline[] = [];
    for (let i = 0; i < SEEDS && (i < LEAST_SEEDS || examination.left(share) > 0); i++) {
      examination.tell(`fitting a network of ${width} hidden units, seed ${seed + i}`);
      const settings = { hidden: width, seed: seed + i, learningRates: [0.01] };
      fitted.push(await fitSmallNetwork(data, task, { ...fitting, ...settings }));
    }
    return fitted;
  };

  examination.tell('fitting a constant');
  await add('the best constant', true, [await fitConstant(data, task, fitting)]);
  examination.tell('fitting a linear model');
  // A small penalty gives separable data an optimum, and changes the loss by less than what counts.
  const linear =
    task === 'regression'
      ? await fitLinear(data, task, fitting)
      : await fitLogistic(data, task, { ...fitting, C: 100 });
  await add(task === 'regression' ? 'a linear model' : 'logistic regression', isLinear, [linear]);
  const width = Math.min(hidden, 64);
  if (width > 0) await add(`a network of ${width} hidden units`, true, await networks(width));
  await add(`a network of ${WIDE} hidden units`, hidden >= WIDE, await networks(WIDE));
  if (task === 'regression') return rivals;
  for (const kernel of ['linear', 'rbf'] as const) {
    if (examination.left(share) <= 0 || (kernel === 'rbf' && count > MAX_SAMPLES_OF_KERNEL)) continue;
    examination.tell(`fitting a ${kernel} support vector machine`);
    const machine = await fitSupportVectorMachine(data, task, { ...fitting, kernel, C: kernel === 'rbf' ? 10 : 1 });
    await add(`a support vector machine with ${kernel} kernel`, kernel === 'linear' && isLinear, [machine]);
  }
  return rivals;
}

async function rivalOf(
  { validation, signal }: Examination,
  name: string,
  isContained: boolean,
  fitted: readonly Baseline[],
): Promise<Rival> {
  const { mean, spread } = spreadOf(fitted.map(({ trainLoss }) => trainLoss));
  const best = fitted.reduce((a, b) => (b.trainLoss < a.trainLoss ? b : a));
  const predicted = toFloat64(await readData(best.predict(validation.x), { signal }));
  return {
    kind: 'baseline',
    name,
    train: { loss: best.loss === 'hinge' ? null : mean, accuracy: best.trainAccuracy },
    validation: measured(predicted, validation, best.loss),
    spread: best.loss === 'hinge' ? 0 : spread,
    isContained,
  };
}
