import { ValueError } from '../errors';
import { readItemSync } from '../graph/reading';
import { detach } from '../ops/identity';
import { stateKey } from '../nn/state-dict';
import { cast } from '../ops/cast';
import { formatShape, shapesEqual } from '../tensor/shape';
import { TensorBase, Variable, type Tensor } from '../tensor/tensor';
import { ParameterState } from './state';

/** PyTorch's form: state by the parameter's number, counted through the groups in order. */
export interface OptimizerStateDict {
  readonly state: { readonly [parameter: string]: { readonly [name: string]: Tensor | number } };
  readonly param_groups: readonly { readonly params: readonly number[]; readonly [option: string]: unknown }[];
}

type Group = { params: Variable[] };
type States = Map<Variable, ParameterState>;
/** What the rule keeps of a parameter: the state after a step. */
type StateAfterOneStep<G> = (parameter: Variable, options: G) => ParameterState;

export function snapshot(groups: readonly Group[], states: States): OptimizerStateDict {
  const parameters = groups.flatMap((group) => group.params);
  const numbers = new Map(parameters.map((parameter, index) => [parameter, index]));
  const state: { [parameter: string]: { [name: string]: Tensor | number } } = {};
  for (const [parameter, { step, numbers: own, variables }] of states) {
    const entry: { [name: string]: Tensor | number } = { step };
    for (const [name, value] of Object.entries(own)) entry[stateKey(name)] = value;
    for (const [name, variable] of variables) entry[stateKey(name)] = detach(variable);
    state[numbers.get(parameter)!] = entry;
  }
  const paramGroups = groups.map(({ params, ...options }) => ({
    ...Object.fromEntries(Object.entries(options).map(([name, value]) => [stateKey(name), value])),
    params: params.map((parameter) => numbers.get(parameter)!),
  }));
  return { state, param_groups: paramGroups };
}

/** Puts a state dict in place of options and states; nothing has changed when it throws. */
export function restore<G extends Group>(
  owner: string,
  dict: OptimizerStateDict,
  groups: readonly G[],
  states: States,
  check: (options: G) => void,
  stateAfterOneStep: StateAfterOneStep<G>,
): void {
  const refuse = (reason: string): never => {
    throw new ValueError(`loadStateDict: ${owner} has not been changed; ${reason}`);
  };
  if (typeof dict?.state !== 'object' || dict.state === null || !Array.isArray(dict.param_groups))
    refuse('a state dict is an object { state, param_groups }');
  if (dict.param_groups.length !== groups.length)
    refuse(`it has ${dict.param_groups.length} parameter groups, expected ${groups.length}`);

  const problems: string[] = [];
  const wrongSizes = groups.flatMap(({ params }, index) => {
    const saved = dict.param_groups[index]?.params;
    if (Array.isArray(saved) && saved.length === params.length) return [];
    return [`group ${index} has ${String(saved?.length)} parameters, expected ${params.length}`];
  });
  if (wrongSizes.length > 0) refuse(wrongSizes.join('; '));

  const options = groups.map((group, index) => {
    const saved = dict.param_groups[index]!;
    const names = Object.keys(group).filter((name) => name !== 'params' && Object.hasOwn(saved, stateKey(name)));
    if (Number.isFinite(saved.initial_lr)) names.push('initialLr');
    const merged = { ...group, ...Object.fromEntries(names.map((name) => [name, saved[stateKey(name)]])) };
    try {
      check(merged);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      problems.push(`group ${index}: ${error.message}`);
    }
    return merged;
  });
  const hasOptions = problems.length === 0;

  const parameters = new Map<string, [parameter: Variable, options: G]>();
  groups.forEach((group, i) =>
    group.params.forEach((parameter, j) =>
      parameters.set(String(dict.param_groups[i]!.params[j]), [parameter, options[i]!]),
    ),
  );
  const loaded: States = new Map();
  for (const [number, entry] of Object.entries(dict.state)) {
    const [parameter, own] = parameters.get(number) ?? [];
    if (parameter === undefined) problems.push(`state ${number} belongs to no parameter`);
    else if (typeof entry !== 'object' || entry === null) problems.push(`state ${number} is no object`);
    else if (hasOptions)
      loaded.set(parameter, stateOf(parameter, number, entry, problems, stateAfterOneStep(parameter, own!)));
  }
  if (problems.length > 0) refuse(problems.join('; '));

  groups.forEach((group, index) => Object.assign(group, options[index]));
  states.clear();
  for (const [parameter, state] of loaded) states.set(parameter, state);
}

/** `example` has the names and shapes that are expected. */
function stateOf(
  parameter: Variable,
  number: string,
  entry: { readonly [name: string]: unknown },
  problems: string[],
  example: ParameterState,
): ParameterState {
  const state = new ParameterState(parameter);
  const given = new Map(Object.entries(entry).filter(([, value]) => value !== null && value !== undefined));
  const known = [...Object.keys(example.numbers), ...example.variables.keys()].map(stateKey);
  const missing = known.filter((key) => !given.has(key));
  const unexpected = [...given.keys()].filter((key) => key !== 'step' && !known.includes(key));
  if (missing.length > 0) problems.push(`state ${number}: missing keys: ${missing.join(', ')}`);
  if (unexpected.length > 0) problems.push(`state ${number}: unexpected keys: ${unexpected.join(', ')}`);

  // PyTorch's SGD does not count its steps.
  const step = numberOf(given.get('step') ?? 0);
  if (Number.isSafeInteger(step) && step >= 0) state.step = step;
  else problems.push(`state ${number}: step is an integer of at least 0, got ${shown(given.get('step'))}`);
  for (const name of Object.keys(example.numbers)) {
    const value = given.get(stateKey(name));
    if (value === undefined) continue;
    const found = numberOf(value);
    if (Number.isFinite(found)) state.numbers = { ...state.numbers, [name]: found };
    else problems.push(`state ${number}: ${stateKey(name)} is a finite number, got ${shown(value)}`);
  }
  for (const [name, { shape }] of example.variables) {
    const key = stateKey(name);
    const value = given.get(key);
    if (value === undefined) continue;
    if (!(value instanceof TensorBase)) problems.push(`state ${number}: ${key} is not a tensor`);
    else if (!shapesEqual(value.shape, shape))
      problems.push(`state ${number}: ${key} has shape ${formatShape(value.shape)}, expected ${formatShape(shape)}`);
    else state.variables.set(name, new Variable(cast(value, parameter.dtype)));
  }
  return state;
}

/** PyTorch saves numbers as tensors of one element. */
function numberOf(value: unknown): number {
  if (typeof value === 'number') return value;
  return value instanceof TensorBase && value.size === 1 ? readItemSync(value.capture()) : NaN;
}

function shown(value: unknown): string {
  if (value instanceof TensorBase) return `a tensor ${formatShape(value.shape)}`;
  return typeof value === 'number' ? String(value) : typeof value;
}
