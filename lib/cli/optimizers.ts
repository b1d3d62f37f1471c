import { ValueError } from '../errors';
import * as optim from '../optim';
import type { Scheduled } from '../optim';
import type { Variable } from '../tensor/tensor';
import type { TrainingOptimizer } from '../train';
import { defaultSchedule, type ScheduleChoice } from './schedules';
import type { Settings } from './values';

/** What a training of the command line uses of a rule. */
export type NamedOptimizer = TrainingOptimizer & Scheduled;

type Rule = new (parameters: Iterable<Variable>, options: Settings) => NamedOptimizer;

const exported: readonly unknown[] = Object.values(optim);

/** Every update rule of the library, by its class's name in lower case. */
const rules: ReadonlyMap<string, Rule> = new Map(
  exported.filter(isRule).map((rule) => [rule.name.toLowerCase(), rule]),
);

/** What is better for images than a rule's own defaults. */
const tuned: { readonly [name: string]: Settings } = {
  adam: { lr: 3e-3 },
  sgd: { lr: 0.05, momentum: 0.9 },
  lbfgs: { lineSearchFn: 'strongWolfe' },
};

/** As many images as one step of L-BFGS takes where memory should do for any network here: all digits. */
const LARGE_BATCH = 8192;

export const optimizerNames: readonly string[] = [...rules.keys()].sort();

/**
 * The named rule over the parameters. Throws ValueError for an option that the rule does not have or a value it does not
 * take, ShapeError for a rule that does not move parameters of these shapes.
 *
 *     const optimizer = createOptimizer('adamw', model.parameters(), { lr: 1e-3, betas: [0.9, 0.95] });
 */
export function createOptimizer(name: string, parameters: Iterable<Variable>, settings: Settings): NamedOptimizer {
  const rule = rules.get(name);
  if (rule === undefined)
    throw new ValueError(`--optimizer ${name}: unknown; possible are ${optimizerNames.join(', ')}`);
  return new rule(parameters, { ...tuned[name], ...settings });
}

/**
 * The batch size and schedule of a training by the named rule, where none is given. L-BFGS tells curvatures from how gradients
 * change, so each of its steps sees all images that fit one batch, and its line search says how far to go.
 *
 *     const { batchSize, schedule } = trainingDefaults('adam', { images: 60_000, batchSize: 64 });
 */
export function trainingDefaults(
  name: string,
  { images, batchSize }: { images: number; batchSize: number },
): { batchSize: number; schedule: ScheduleChoice } {
  return name === 'lbfgs'
    ? { batchSize: Math.min(images, LARGE_BATCH), schedule: { name: 'none', settings: {} } }
    : { batchSize, schedule: defaultSchedule };
}

function isRule(value: unknown): value is Rule {
  return typeof value === 'function' && (value.prototype instanceof optim.Optimizer || value === optim.LBFGS);
}
