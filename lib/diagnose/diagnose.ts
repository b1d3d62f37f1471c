import { ValueError } from '../errors';
import { signalOf, type AbortOptions } from '../graph/abort';
import { Module, type Layer } from '../nn/module';
import { checkChoice, checkNames, checkNumber } from '../optim/options';
import { checkInteger } from '../tensor/shape';
import type { Tensor } from '../tensor/tensor';
import type { BaselineData, BaselineLoss, Task } from './baselines';
import { lossFor } from './baselines/losses';
import { dataHints, type DataHint } from './data-hints';
import { evidenceOf, type Evidence, type Findings } from './evidence';
import { Examination, type StageProgress } from './examination';
import { checkPredictions, measureModel, readSamples, type Measured } from './measure';
import { decide, type Rival, type Verdict } from './procedure';
import { fitRivals } from './rivals';
import { standingOf, type Standing } from './standing';
import { layerStatistics, type LayerStatistics } from './statistics';
import { suggestionsFor, type Suggestion } from './suggestions';
import { trainAfresh, trainFurther, trainShallower, type Retraining } from './trainings/retraining';
import type { Curve } from './trainings/training';

export interface DiagnoseOptions extends AbortOptions {
  readonly train: BaselineData;
  readonly validation: BaselineData;
  readonly task: Task;
  /** What the model was trained with. Default: the loss of the task, in which everything is measured. */
  readonly loss?: Exclude<BaselineLoss, 'hinge'>;
  /** The learning rate of that training: compared with the curvature where the model stands. */
  readonly lr?: number;
  /** Milliseconds that it should take at most; baselines that have begun are fitted to their end. Default: 60,000. */
  readonly budget?: number;
  /** Of baselines and trainings. Default: 0. */
  readonly seed?: number;
  readonly onProgress?: (progress: StageProgress) => void;
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
  readonly model: { readonly train: Measured & { readonly loss: number }; readonly validation: Measured };
  readonly rivals: readonly Rival[];
  /** How the losses of the model's other trainings went. */
  readonly curves: readonly Curve[];
  /** Where the model stands on the loss surface of some training samples; null where that was not to be found. */
  readonly standing: Standing | null;
  readonly statistics: LayerStatistics;
  readonly hints: readonly DataHint[];
}

const STATISTICS_SAMPLES = 256;
/** The share of the budget by which each stage has ended; what it leaves the next one has. */
const SHARES = { baselines: 0.35, further: 0.5, afresh: 0.75, shallower: 0.9 };
const LOSSES: { readonly [task in Task]: Exclude<BaselineLoss, 'hinge'> } = {
  multiclass: 'crossEntropy',
  binary: 'binaryCrossEntropy',
  multilabel: 'binaryCrossEntropy',
  regression: 'meanSquareError',
};
const OPTIONS = { train: 0, validation: 0, task: 0, loss: 0, lr: 0, budget: 0, seed: 0, onProgress: 0, signal: 0 };

/**
 * Is it the model, the optimizer or the data? Fits simple baselines on the same training data; trains the model on from where
 * it stands, from fresh weights and, if it is a stack, with fewer layers (and puts everything back); looks at its layers, the
 * data and the loss surface; and decides by `decide` (procedure.ts): training loss before validation loss. The model is the
 * trained one, giving values (regression) or logits. Throws ValueError, ShapeError or DTypeError for data that do not fit
 * the task or the model, AbortError by the signal.
 *
 *     const { verdict, reason, suggestions } = await diagnose(model, { train, validation, task: 'multiclass' });
 */
export async function diagnose(model: Layer, options: DiagnoseOptions): Promise<Diagnosis> {
  const examination = await examinationOf('diagnose', model, options);
  const { train, validation, signal, task } = examination;
  examination.tell('measuring the model');
  const batch = firstSamples(train, STATISTICS_SAMPLES);
  const measured = {
    train: await measureModel(examination.model, train, signal),
    validation: await measureModel(examination.model, validation, signal),
  };
  const statistics = await layerStatistics(examination.model, batch, lossFor(task), { signal });
  const hints = await dataHints(options.train, task, { loss: options.loss ?? LOSSES[task], signal });

  const baselines = await fitRivals(examination, SHARES.baselines);
  const retrainings: Retraining[] = [];
  for (const [train, share] of [
    [trainFurther, SHARES.further],
    [trainAfresh, SHARES.afresh],
    [trainShallower, SHARES.shallower],
  ] as const) {
    const retraining = await train(examination, share);
    if (retraining !== null) retrainings.push(retraining);
  }
  const isFinite = Number.isFinite(measured.train.loss);
  const standing = isFinite ? await standingOf(examination, batch) : null;

  const rivals = [...baselines, ...retrainings.map(({ rival }) => rival)];
  const findings: Findings = { model: measured, rivals, hints, statistics, standing, lr: options.lr };
  const decision = decide(findings);
  examination.tell('done');
  return {
    ...decision,
    evidence: evidenceOf(findings),
    suggestions: suggestionsFor(decision, findings, retrainings),
    model: measured,
    ...{ rivals, standing, statistics, hints },
    curves: retrainings.flatMap(({ curves }) => curves),
  };
}

async function examinationOf(op: string, model: Layer, options: DiagnoseOptions): Promise<Examination> {
  if (!(model instanceof Module)) throw new ValueError(`${op}: model is a Module, got ${typeof model}`);
  if (typeof options !== 'object' || options === null) throw new ValueError(`${op}: needs { train, validation, task }`);
  checkNames(op, options, OPTIONS);
  const { task, loss, lr, budget = 60_000, seed = 0, onProgress } = options;
  if (loss !== undefined) checkChoice(op, 'loss', loss, [...new Set(Object.values(LOSSES))]);
  if (lr !== undefined) checkNumber(op, 'lr', lr, 0);
  checkNumber(op, 'budget', budget, 1);
  checkInteger(op, 'seed', seed, 0);
  const signal = signalOf(op, options) ?? undefined;
  const train = await readSamples(op, options.train, task);
  const classes = task === 'multiclass' ? train.samples.outputs : undefined;
  const validation = await readSamples(op, options.validation, task, classes);
  const examination = new Examination(model, train, validation, task, seed, signal, budget, onProgress);
  examination.throwIfAborted();
  checkPredictions(op, model, train);
  return examination;
}

function firstSamples({ x, y }: BaselineData, most: number): BaselineData {
  const size = Math.min(x.shape[0]!, most);
  const ranges = ({ shape }: Tensor): [number, number][] => shape.map((dim, i) => [0, i === 0 ? size : dim]);
  return { x: x.slice(ranges(x)), y: y.slice(ranges(y)) };
}
