import { ValueError } from '../errors';
import { abortErrorOf, signalOf, type AbortOptions } from '../graph/abort';
import { readData } from '../graph/reading';
import { Module, type Layer } from '../nn/module';
import { checkNames, checkNumber } from '../optim/options';
import { checkInteger } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import {
  fitConstant,
  fitLinear,
  fitLogistic,
  fitSmallNetwork,
  type Baseline,
  type BaselineData,
  type BaselineLoss,
  type Task,
} from './baselines';
import { toFloat64 } from './baselines/samples';
import { dataHints, type DataHint } from './data-hints';
import { lossFor } from './baselines/losses';
import { trainFurther } from './further-training';
import { imitable } from './imitation';
import { measured, measureModel, readSamples, type Measured } from './measure';
import { decide, type Rival, type Verdict } from './procedure';
import { layerStatistics, type LayerStatistics } from './statistics';
import { evidenceOf, type Evidence } from './evidence';
import { suggestionsFor, type Suggestion } from './suggestions';

export interface DiagnoseOptions extends AbortOptions {
  readonly train: BaselineData;
  readonly validation: BaselineData;
  readonly task: Task;
  /** What the model was trained with. Default: the loss of the task. */
  readonly loss?: Exclude<BaselineLoss, 'hinge'>;
  /** Milliseconds that it should take at most; baselines that have begun are fitted to their end. Default: 60,000. */
  readonly budget?: number;
  /** Of baselines and of further training. Default: 0. */
  readonly seed?: number;
  readonly onProgress?: (progress: { readonly stage: string; readonly milliseconds: number }) => void;
}

export interface Diagnosis {
  readonly verdict: Verdict;
  /** From 0.5 to 1. */
  readonly confidence: number;
  /** The verdict in words. */
  readonly reason: string;
  /** For undecided: what would separate the possible verdicts. */
  readonly wouldTell?: string;
  readonly evidence: readonly Evidence[];
  /** In order of the gain to be expected, each with the line of code to try. */
  readonly suggestions: readonly Suggestion[];
  readonly model: { readonly train: Measured; readonly validation: Measured };
  readonly baselines: readonly Rival[];
  readonly statistics: LayerStatistics;
  readonly hints: readonly DataHint[];
}

const SEEDS = 3;
/** Of fewer there is no spread. */
const LEAST_SEEDS = 2;
/** Units of the network that asks whether a larger model goes lower. */
const WIDE = 128;
const FURTHER_STEPS = 300;
const STATISTICS_SAMPLES = 256;
const LOSSES: { readonly [task in Task]: Exclude<BaselineLoss, 'hinge'> } = {
  multiclass: 'crossEntropy',
  binary: 'binaryCrossEntropy',
  multilabel: 'binaryCrossEntropy',
  regression: 'meanSquareError',
};

/**
 * Is it the model, the optimizer or the data? Fits simple baselines on the same training data, trains the model further from
 * where it stands (and puts everything back), and decides by `decide` (procedure.ts): training loss before validation loss.
 * The model is the trained one, giving values (regression) or logits. Throws ValueError, ShapeError or DTypeError for data that
 * do not fit the task or the model, AbortError by the signal.
 *
 *     const { verdict, reason, suggestions } = await diagnose(model, { train, validation, task: 'multiclass' });
 */
export async function diagnose(model: Layer, options: DiagnoseOptions): Promise<Diagnosis> {
  const op = 'diagnose';
  if (!(model instanceof Module)) throw new ValueError(`${op}: model is a Module, got ${typeof model}`);
  if (typeof options !== 'object' || options === null) throw new ValueError(`${op}: needs { train, validation, task }`);
  const names = { train: 0, validation: 0, task: 0, loss: 0, budget: 0, seed: 0, onProgress: 0, signal: 0 };
  checkNames(op, options, names);
  const { task, budget = 60_000, seed = 0, onProgress } = options;
  checkNumber(op, 'budget', budget, 1);
  checkInteger(op, 'seed', seed, 0);
  const signal = signalOf(op, options) ?? undefined;
  const began = performance.now();
  const tell = (stage: string): void => {
    if (signal?.aborted === true) throw abortErrorOf(signal);
    onProgress?.({ stage, milliseconds: performance.now() - began });
  };

  tell('measuring the model');
  const train = await readSamples(op, options.train, task);
  const { outputs, features, count } = train.samples;
  const validation = await readSamples(op, options.validation, task, task === 'multiclass' ? outputs : undefined);
  const before = {
    train: await measureModel(op, model, train, signal),
    validation: await measureModel(op, model, validation, signal),
  };
  const size = Math.min(count, STATISTICS_SAMPLES);
  const first = ({ shape }: Tensor): [number, number][] => shape.map((dim, i) => [0, i === 0 ? size : dim]);
  const batch = { x: train.x.slice(first(train.x)), y: train.y.slice(first(train.y)) };
  const statistics = await layerStatistics(model, batch, lossFor(task), { signal });
  const hints = await dataHints(options.train, task, {
    loss: options.loss ?? LOSSES[task],
    signal,
  });

  const rivals: Rival[] = [];
  const fitting = { signal };
  const add = async (fitted: readonly Baseline[], isContained: boolean, name = fitted[0]!.name): Promise<void> => {
    const [losses, mean, spread] = spreadOf(fitted.map(({ trainLoss }) => trainLoss));
    const best = fitted[losses.indexOf(Math.min(...losses))]!;
    const predicted = toFloat64(await readData(best.predict(validation.x)));
    const { loss: validationLoss } = measured(op, predicted, validation);
    rivals.push({ name, trainLoss: mean, validationLoss, spread, isContained });
  };
  const { isLinear, hidden } = imitable(model, features, outputs);
  tell('fitting a constant');
  const constant = await fitConstant(options.train, task, fitting);
  await add([constant], true);
  tell('fitting a linear model');
  const linear = task === 'regression' ? fitLinear : fitLogistic;
  // A small penalty gives separable data an optimum, and changes the loss by less than what counts.
  const penalty = task === 'regression' ? {} : { C: 100 };
  await add([await linear(options.train, task, { ...fitting, ...penalty })], isLinear);
  const networks = async (width: number): Promise<Baseline[]> => {
    const fitted: Baseline[] = [];
    for (let i = 0; i < SEEDS && (i < LEAST_SEEDS || performance.now() - began < 0.6 * budget); i++) {
      tell(`fitting a network of ${width} hidden units, seed ${seed + i}`);
      fitted.push(
        await fitSmallNetwork(options.train, task, {
          ...fitting,
          hidden: width,
          seed: seed + i,
          learningRates: [0.01],
        }),
      );
    }
    return fitted;
  };
  const width = Math.min(hidden, 64);
  if (width > 0) await add(await networks(width), true, `network of ${width} hidden units`);
  await add(await networks(WIDE), hidden >= WIDE, `network of ${WIDE} hidden units`);

  tell('training further');
  const until = began + budget;
  const further = await trainFurther(model, train, task, { steps: FURTHER_STEPS, until, seed, signal });
  const decision = decide({
    trainLoss: before.train.loss,
    validationLoss: before.validation.loss,
    constantLoss: constant.trainLoss,
    rivals,
    furtherLoss: further.steps > 0 ? further.loss : null,
    hints,
  });
  tell('done');
  const evidence = evidenceOf(before, rivals, further, statistics, hints);
  return {
    ...decision,
    evidence,
    suggestions: suggestionsFor(decision, { hints, statistics, further, rivals, trainLoss: before.train.loss }),
    model: before,
    baselines: rivals,
    statistics,
    hints,
  };
}

function spreadOf(losses: readonly number[]): [losses: readonly number[], mean: number, deviation: number] {
  const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
  if (losses.length < 2) return [losses, mean, 0];
  const variance = losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0) / (losses.length - 1);
  return [losses, mean, Math.sqrt(variance)];
}
