import { ValueError } from '../errors';
import * as optim from '../optim';
import type { CommonOptions, Optimizer } from '../optim';
import type { Variable } from '../tensor/tensor';
import type { Settings } from './values';

type Rule = new (parameters: Iterable<Variable>, options: Settings) => Optimizer<CommonOptions>;

const exported: readonly unknown[] = Object.values(optim);

/** Every update rule of the library, by its class's name in lower case. */
const rules: ReadonlyMap<string, Rule> = new Map(
  exported.filter(isRule).map((rule) => [rule.name.toLowerCase(), rule]),
);

/** What is better for images than a rule's own defaults. */
const tuned: { readonly [name: string]: Settings } = { adam: { lr: 3e-3 }, sgd: { lr: 0.05, momentum: 0.9 } };

export const optimizerNames: readonly string[] = [...rules.keys()].sort();

/**
 * The named rule over the parameters. Throws ValueError for an option that the rule does not have or a value it does not
 * take, ShapeError for a rule that does not move parameters of these shapes.
 *
 *     const optimizer = createOptimizer('adamw', model.parameters(), { lr: 1e-3, betas: [0.9, 0.95] });
 */
export function createOptimizer(
  name: string,
  parameters: Iterable<Variable>,
  settings: Settings,
): Optimizer<CommonOptions> {
  const rule = rules.get(name);
  if (rule === undefined)
    throw new ValueError(`--optimizer ${name}: unknown; possible are ${optimizerNames.join(', ')}`);
  return new rule(parameters, { ...tuned[name], ...settings });
}

/** LBFGS is none: it evaluates the loss several times a step, through a closure. */
function isRule(value: unknown): value is Rule {
  return typeof value === 'function' && value.prototype instanceof optim.Optimizer;
}
