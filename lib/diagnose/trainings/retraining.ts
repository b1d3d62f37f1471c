import { noGrad } from '../../graph/modes';
import { slice } from '../../ops/shape';
import type { Examination } from '../examination';
import type { Rival, RivalKind } from '../procedure';
import { drawFreshWeights } from './fresh-weights';
import { preserving } from './preserving';
import { makeShallower } from './shallower';
import { trainModel, type Curve, type Trained } from './training';

/** The model, or a part of it, as another training made it. */
export interface Retraining {
  readonly rival: Rival;
  readonly lr: number;
  readonly steps: number;
  /** One for each learning rate. */
  readonly curves: readonly Curve[];
}

const FURTHER_RATES = [1e-2, 1e-3, 1e-4];
const FURTHER_STEPS = 300;
const FRESH_RATES = [1e-2, 1e-3];
const FRESH_STEPS = 600;
/** A training of fewer says nothing. */
const LEAST_STEPS = 50;
const SEEDS = 3;

/** Does a fresh optimizer get further from where the model stands? Null without time for it. */
export async function trainFurther(examination: Examination, share: number): Promise<Retraining | null> {
  const { model, seed } = examination;
  return preserving(model, async (restore) => {
    const { spent } = examination;
    const found: Trained[] = [];
    for (const [i, lr] of FURTHER_RATES.entries()) {
      restore();
      examination.tell(`training further at ${lr}`);
      const until = spent + ((share - spent) * (i + 1)) / FURTHER_RATES.length;
      const trained = await trainModel(examination, { lr, steps: FURTHER_STEPS, decays: false, share: until, seed });
      if (trained !== null) found.push(trained);
    }
    if (found.length === 0) return null;
    const best = bestOf(found);
    const name = `the model after ${best.steps} more steps of Adam at ${best.lr}`;
    return retrainingOf('further', name, best, [best], found);
  });
}

/** Does the model do better from other first weights? Null without time for it. */
export async function trainAfresh(examination: Examination, share: number): Promise<Retraining | null> {
  return preserving(examination.model, () =>
    trainFresh(examination, share, 'afresh', 'the same model, trained afresh'),
  );
}

/** Does a model with fewer of the same layers do better? Null for a model that is no stack, and without time for it. */
export async function trainShallower(examination: Examination, share: number): Promise<Retraining | null> {
  const { model, train } = examination;
  const outside = train.x.shape.slice(1).map((dim): [number, number] => [0, dim]);
  const shallower = makeShallower(
    model,
    noGrad(() => slice(train.x, [[0, 1], ...outside])),
  );
  if (shallower === null) return null;
  const name = `the model without ${shallower.leftOut} of its ${shallower.repeated} repeated layers, trained afresh`;
  try {
    return await preserving(model, () => trainFresh(examination, share, 'shallower', name));
  } finally {
    shallower.restore();
  }
}

/** With every learning rate from the first seed's weights, and with the best of them from further seeds'. */
async function trainFresh(
  examination: Examination,
  share: number,
  kind: RivalKind,
  name: string,
): Promise<Retraining | null> {
  const { model, seed } = examination;
  const attempt = async (lr: number, draw: number, steps: number, until: number): Promise<Trained | null> => {
    examination.tell(`${name} at ${lr}, seed ${draw}`);
    drawFreshWeights(model, draw);
    return trainModel(examination, { lr, steps, decays: true, share: until, seed: draw });
  };
  // How many steps there is time for has to be known before a rate can fall to 0 within them.
  const began = examination.milliseconds;
  if ((await attempt(FRESH_RATES[0]!, seed, LEAST_STEPS, share)) === null) return null;
  const millisecondsPerStep = (examination.milliseconds - began) / LEAST_STEPS;
  const trainings = FRESH_RATES.length + SEEDS - 1;
  const steps = Math.min(FRESH_STEPS, Math.floor(examination.left(share) / trainings / millisecondsPerStep));
  if (steps < LEAST_STEPS) return null;

  const found: Trained[] = [];
  for (const lr of FRESH_RATES) {
    const trained = await attempt(lr, seed, steps, share);
    if (trained !== null) found.push(trained);
  }
  if (found.length === 0) return null;
  const best = bestOf(found);
  const seeds = [best];
  for (let i = 1; i < SEEDS; i++) {
    const trained = await attempt(best.lr, seed + i, steps, share);
    if (trained?.steps === steps) seeds.push(trained);
  }
  return retrainingOf(kind, `${name} by Adam at ${best.lr}`, best, seeds, found);
}

function bestOf(found: readonly Trained[]): Trained {
  const lossOf = ({ train: { loss } }: Trained): number => (Number.isNaN(loss) ? Infinity : loss);
  return found.reduce((best, one) => (lossOf(one) < lossOf(best) ? one : best));
}

function retrainingOf(
  kind: RivalKind,
  name: string,
  { lr, steps, validation, train }: Trained,
  seeds: readonly Trained[],
  rates: readonly Trained[],
): Retraining {
  const { mean, spread } = spreadOf(seeds.map((one) => one.train.loss));
  return {
    rival: { kind, name, train: { ...train, loss: mean }, validation, spread, isContained: true },
    lr,
    steps,
    curves: rates.map((one) => ({ name: `${kind}, learning rate ${one.lr}`, ...one.curve })),
  };
}

/** Mean and standard deviation, 0 of a single value. */
export function spreadOf(values: readonly number[]): { mean: number; spread: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (values.length < 2) return { mean, spread: 0 };
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
  return { mean, spread: Math.sqrt(variance) };
}
