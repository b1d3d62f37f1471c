import { ValueError } from '../errors';
import { readItemSync } from '../graph/evaluate';
import { detach } from '../ops/identity';
import { stateKey } from '../nn/state-dict';
import { cast } from '../ops/cast';
import { formatShape, shapesEqual, type Shape } from '../tensor/shape';
import { TensorBase, Variable, type Tensor } from '../tensor/tensor';
import { ParameterState } from './state';

/** PyTorch's form: state by the parameter's number, counted through the groups in order. */
export interface OptimizerStateDict {
  readonly state: { readonly [parameter: string]: { readonly [name: string]: Tensor | number } };
  readonly param_groups: readonly { readonly params: readonly number[]; readonly [option: string]: unknown }[];
}

type Group = { params: Variable[] };
type States = Map<Variable, ParameterState>;
/** The shape of a state tensor by its field's name, or that it is a number. */
export type StateShape = (name: string, parameter: Variable) => Shape | 'number';

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
  stateShape: StateShape,
): void {
  const refuse = (reason: string): never => {
    throw new ValueError(`loadStateDict: ${owner} has not been changed; ${reason}`);
  };
  if (typeof dict?.state !== 'object' || dict.state === null || !Array.isArray(dict.param_groups))
    refuse('a state dict is an object { state, param_groups }');
  if (dict.param_groups.length !== groups.length)
    refuse(`it has ${dict.param_groups.length} parameter groups, expected ${groups.length}`);

  const options = groups.map((group, index) => {
    const saved = dict.param_groups[index]!;
    if (!Array.isArray(saved.params) || saved.params.length !== group.params.length)
      refuse(`group ${index} has ${saved.params?.length} parameters, expected ${group.params.length}`);
    const names = Object.keys(group).filter((name) => name !== 'params' && Object.hasOwn(saved, stateKey(name)));
    if (Number.isFinite(saved.initial_lr)) names.push('initialLr');
    const merged = { ...group, ...Object.fromEntries(names.map((name) => [name, saved[stateKey(name)]])) };
    check(merged);
    return merged;
  });

  const parameters = new Map<string, Variable>();
  groups.forEach((group, i) =>
    group.params.forEach((parameter, j) => parameters.set(String(dict.param_groups[i]!.params[j]), parameter)),
  );
  const problems: string[] = [];
  const loaded: States = new Map();
  for (const [number, entry] of Object.entries(dict.state)) {
    const parameter = parameters.get(number);
    if (parameter === undefined) problems.push(`state ${number} belongs to no parameter`);
    else loaded.set(parameter, stateOf(parameter, number, entry, problems, stateShape));
  }
  if (problems.length > 0) refuse(problems.join('; '));

  groups.forEach((group, index) => Object.assign(group, options[index]));
  states.clear();
  for (const [parameter, state] of loaded) states.set(parameter, state);
}

function stateOf(
  parameter: Variable,
  number: string,
  entry: { readonly [name: string]: Tensor | number },
  problems: string[],
  stateShape: StateShape,
): ParameterState {
  const state = new ParameterState(parameter);
  for (const [key, value] of Object.entries(entry)) {
    const name = fieldName(key);
    const expected = key === 'step' ? 'number' : stateShape(name, parameter);
    if (expected === 'number') {
      const given = numberOf(value);
      if (key !== 'step' && Number.isFinite(given)) state.writeNumber(name, given);
      else if (key === 'step' && Number.isSafeInteger(given) && given >= 0) state.step = given;
      else
        problems.push(
          `state ${number}: ${key} is ${key === 'step' ? 'an integer of at least 0' : 'a finite number'}, got ${String(value)}`,
        );
    } else if (!(value instanceof TensorBase)) problems.push(`state ${number}: ${key} is not a tensor`);
    else if (!shapesEqual(value.shape, expected))
      problems.push(`state ${number}: ${key} has shape ${formatShape(value.shape)}, expected ${formatShape(expected)}`);
    else state.variables.set(name, new Variable(cast(value, parameter.dtype)));
  }
  return state;
}

/** The field whose `stateKey` is the key. */
function fieldName(key: string): string {
  return key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** PyTorch saves numbers as tensors of one element. */
function numberOf(value: Tensor | number): number {
  if (typeof value === 'number') return value;
  return value instanceof TensorBase && value.size === 1 ? readItemSync(value) : NaN;
}
