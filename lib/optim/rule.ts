import { applyFormula, FormulaRecorder, type FormulaRun } from '../graph/formula';
import { labelled } from '../graph/modes';
import { detach } from '../ops/identity';
import type { DType } from '../tensor/dtype';
import { shapesEqual, type Shape } from '../tensor/shape';
import type { Tensor, Variable } from '../tensor/tensor';
import { RuleState, type ParameterState } from './state';

/** A parameter that a step moves. */
export interface Member {
  readonly variable: Variable;
  readonly gradient: Tensor;
  readonly state: ParameterState;
}

/** What a rule has in its hands. `parameter`, `gradient` and what `state` reads stand for those of all that it moves. */
export interface RuleInput {
  readonly parameter: Tensor;
  readonly gradient: Tensor;
  readonly state: RuleState;
}

/** A rule's formula for one step of some members. */
export interface RuleRun extends FormulaRun {
  readonly members: readonly Member[];
  /** Names of the states that are written, in the order of the formula's outputs, which begin with the parameter. */
  readonly written: readonly string[];
}

/**
 * Runs an update rule once for all members that it moves alike: those with the same number of steps and the same state,
 * and with one shape unless the rule is the same for every element.
 */
export class RuleRunner {
  readonly #recorders: Known[] = [];

  constructor(
    private readonly name: string,
    private readonly perElement: boolean,
    private readonly rule: (input: RuleInput) => Tensor,
  ) {}

  /** Members must have begun their step. Numbers of their states move on. */
  run(members: readonly Member[]): RuleRun[] {
    const groups: Member[][] = [];
    for (const member of members) {
      let group: Member[] | undefined;
      for (let i = 0; i < groups.length && group === undefined; i++)
        if (isAlike(groups[i]![0]!, member, this.perElement)) group = groups[i];
      if (group === undefined) groups.push([member]);
      else group.push(member);
    }
    return groups.map((group) => this.#runOn(group));
  }

  /** Each kind of members has its own, which finds the formula of the last step again. */
  #recorderFor(dtype: DType, shape: Shape, state: ParameterState): FormulaRecorder {
    for (const known of this.#recorders)
      if (
        known.dtype === dtype &&
        (this.perElement || shapesEqual(known.shape, shape)) &&
        hasStates(state, known.states)
      )
        return known.recorder;
    const recorder = new FormulaRecorder(this.perElement);
    this.#recorders.push({ dtype, shape, states: [...state.variables.keys()], recorder });
    return recorder;
  }

  #runOn(members: readonly Member[]): RuleRun {
    const [{ variable, state: first }] = members as [Member];
    const { dtype, shape } = variable;
    const recorder = this.#recorderFor(dtype, shape, first);
    const parameter = recorder.input('parameter', shape, dtype);
    const gradient = recorder.input('gradient', shape, dtype);
    const states = members.map(({ state }) => state);
    const state = new RuleState(states, parameter, recorder);
    const run = recorder.run(() =>
      labelled(this.name, () => {
        const moved = this.rule({ parameter, gradient, state });
        return distinct([moved, ...state.written.values()]);
      }),
    );
    const { formula, scalars, captured } = run; // no spread, as in Optimizer
    return { formula, scalars, captured, members, written: [...state.written.keys()] };
  }
}

/** A recorder, and what its members have in common. */
interface Known {
  readonly dtype: DType;
  readonly shape: Shape;
  readonly states: readonly string[];
  readonly recorder: FormulaRecorder;
}

function hasStates({ variables }: ParameterState, names: readonly string[]): boolean {
  if (variables.size !== names.length) return false;
  for (let i = 0; i < names.length; i++) if (!variables.has(names[i]!)) return false;
  return true;
}

/** Points the Variables at the results, and adds these to `roots`: parameters and states. */
export function applyRule(run: RuleRun, roots: Tensor[]): void {
  const { formula, members, written } = run;
  const tensors = members.map(({ variable, gradient, state }) => {
    const own = new Array<Tensor>(formula.inputs.length);
    own[0] = variable.current;
    own[1] = gradient;
    for (let i = 2; i < own.length; i++) own[i] = state.variables.get(formula.inputs[i]!)!.current;
    return own;
  });
  const results = applyFormula(run, tensors);
  for (let m = 0; m < members.length; m++) {
    const { variable, state } = members[m]!;
    const values = results[m]!;
    variable.replace(values[0]!);
    for (let k = 0; k < written.length; k++) state.variables.get(written[k]!)!.replace(values[k + 1]!);
    roots.push(variable.current);
    for (const { current } of state.variables.values()) roots.push(current);
  }
}

function isAlike(a: Member, b: Member, perElement: boolean): boolean {
  return (
    a.variable.dtype === b.variable.dtype &&
    a.gradient.dtype === b.gradient.dtype &&
    a.state.step === b.state.step &&
    (perElement || shapesEqual(a.variable.shape, b.variable.shape)) &&
    sameNumbers(a.state, b.state) &&
    sameKeys(a.state.variables, b.state.variables)
  );
}

function sameNumbers({ numbers: a }: ParameterState, { numbers: b }: ParameterState): boolean {
  if (a === b) return true;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.is(a[name], b[name]));
}

function sameKeys(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  if (a.size !== b.size) return false;
  for (const key of a.keys()) if (!b.has(key)) return false;
  return true;
}

/** Each the result of an operation of its own, as a formula gives them. */
function distinct(outputs: readonly Tensor[]): Tensor[] {
  const own: Tensor[] = [];
  for (const output of outputs) own.push(output.op === null || own.includes(output) ? detach(output) : output);
  return own;
}
