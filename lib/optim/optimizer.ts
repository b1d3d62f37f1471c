import { ValueError } from '../errors';
import type { Completion } from '../graph/completion';
import { evaluateSync, recordTogether, submit } from '../graph/evaluate';
import { noGrad } from '../graph/modes';
import type { Shape } from '../tensor/shape';
import { TensorBase, Variable, withoutCapturing, type Tensor } from '../tensor/tensor';
import { checkNames, withDefaults } from './options';
import { ParameterState } from './state';
import { restore, snapshot, type OptimizerStateDict } from './state-dict';

/** Options that the optimizers share. */
export interface CommonOptions {
  /** Learning rate. */
  lr: number;
  /** Climbs instead of descending. */
  maximize: boolean;
}

/** Parameters that share options; what a scheduler changes. */
export type ParameterGroup<Options> = Options & {
  params: Variable[];
  /** The learning rate that schedules start from: set by the first of them. */
  initialLr?: number;
};

/** Parameters, or groups of them with options of their own. */
export type Parameters<Options> = Iterable<Variable> | Iterable<Partial<Options> & { params: Iterable<Variable> }>;

/** What an update rule has in its hands. */
export interface Update<Options> {
  readonly parameter: Tensor;
  readonly gradient: Tensor;
  readonly state: ParameterState;
  readonly options: Options;
}

/** Computes the loss and the gradients of the parameters: `zeroGrad`, forward, `backward`; returns the loss. */
export type Closure = () => Tensor;

export interface StepOptions {
  /** Tensors to compute in the same program: the loss, an accuracy. */
  readonly also?: readonly Tensor[];
}

/**
 * Base of all optimizers. A rule is one formula over tensors in `update`; this class applies it to every parameter that
 * has a gradient, as one program.
 */
export abstract class Optimizer<Options extends CommonOptions> {
  readonly paramGroups: ParameterGroup<Options>[] = [];
  readonly #states = new Map<Variable, ParameterState>();
  readonly #defaults: Options;

  /** Throws ValueError for no parameters, a parameter given twice, or an option outside what is possible. */
  constructor(parameters: Parameters<Options>, defaults: Options, options: Partial<Options>) {
    checkNames(this.name, options, defaults);
    this.#defaults = withDefaults(options, defaults);
    const items = [...(parameters as Iterable<unknown>)];
    if (items.length === 0) throw new ValueError(`${this.name}: got an empty list of parameters`);
    if (items.some((item) => item instanceof Variable)) this.addParamGroup({ params: items as Variable[] } as never);
    else for (const item of items) this.addParamGroup(item as never);
  }

  /** The optimizer's name, for messages. */
  get name(): string {
    return this.constructor.name;
  }

  /** The new value of a parameter: the rule itself. It may read and write `state`. */
  protected abstract update(update: Update<Options>): Tensor;

  /** Throws ValueError for an option outside what is possible. */
  protected abstract check(options: Options): void;

  /** The shape of a state that is loaded, or 'number': the parameter's, where the rule keeps no others. */
  protected stateShape(_name: string, parameter: Variable): Shape | 'number' {
    return parameter.shape;
  }

  /** Adds parameters with options of their own; what is not given is as for the optimizer. */
  addParamGroup(group: Partial<Options> & { params: Iterable<Variable> }): void {
    if (typeof group !== 'object' || group === null || typeof group.params?.[Symbol.iterator] !== 'function')
      throw new ValueError(`${this.name}: takes parameters or groups { params, ...options }, got ${typeof group}`);
    const params = [...group.params];
    const known = new Set(this.paramGroups.flatMap((other) => other.params));
    for (const parameter of params) {
      if (!(parameter instanceof Variable))
        throw new ValueError(`${this.name}: a parameter is a Variable, got ${String(parameter)}`);
      if (known.has(parameter)) throw new ValueError(`${this.name}: a parameter is given twice`);
      known.add(parameter);
    }
    const { params: _, ...given } = group;
    checkNames(this.name, given, { ...this.#defaults, initialLr: 0 });
    const options = withDefaults(given as unknown as Partial<Options>, this.#defaults);
    this.check(options);
    this.paramGroups.push({ ...options, params });
  }

  /** Forgets the gradients of all parameters. */
  zeroGrad(): void {
    for (const group of this.paramGroups) for (const parameter of group.params) parameter.grad = null;
  }

  /**
   * Moves every parameter that has a gradient, once. Returns at once; the promise resolves when the program has run. If it
   * fails, parameters and state are as before. Throws what an earlier step failed with, if nobody awaited that.
   *
   * A closure is called first, once, and its loss is computed in the same program: so every optimizer can be stepped as
   * LBFGS must be.
   *
   *     loss.backward();
   *     await optimizer.step({ also: [loss] });
   */
  step(given: StepOptions | Closure = {}): Completion<void> {
    const options = this.#optionsOf(given);
    void submit([]); // An earlier failure is thrown here, before anything of this step is recorded.
    const { roots, undo } = this.#record();
    return submit([...roots, ...(options.also ?? [])], { onFailure: undo });
  }

  /** As `step`, and has run when it returns. */
  stepSync(given: StepOptions | Closure = {}): void {
    const options = this.#optionsOf(given);
    void submit([]);
    const { roots, undo } = this.#record();
    try {
      evaluateSync([...roots, ...(options.also ?? [])]);
    } catch (error) {
      undo();
      throw error;
    }
  }

  /** Options and state, in the form and with the names of PyTorch's optimizers; tensors are snapshots. */
  stateDict(): OptimizerStateDict {
    return noGrad(() => snapshot(this.paramGroups, this.#states));
  }

  /** Continues from a state dict of the same kind of optimizer. Throws ValueError, changing nothing, if it does not fit. */
  loadStateDict(dict: OptimizerStateDict): void {
    noGrad(() =>
      restore(
        this.name,
        dict,
        this.paramGroups,
        this.#states,
        (options) => this.check(options),
        (name, parameter) => this.stateShape(name, parameter),
      ),
    );
  }

  #optionsOf(given: StepOptions | Closure): StepOptions {
    if (typeof given !== 'function') return given;
    const loss = given();
    if (!(loss instanceof TensorBase))
      throw new ValueError(`${this.name}: the closure is synchronous and returns the loss, a tensor`);
    return { also: [loss] };
  }

  /** Records the rule for every parameter; from here on Variables point at the new versions. */
  #record(): { roots: Tensor[]; undo: () => void } {
    // Options may have been changed since the last step, by schedules or by hand.
    for (const group of this.paramGroups) this.check(group);
    const roots: Tensor[] = [];
    const stepped: ParameterState[] = [];
    const record = (): void => {
      for (const options of this.paramGroups)
        for (const variable of options.params) {
          const gradient = variable.grad;
          if (gradient === null) continue;
          const state = this.#stateOf(variable);
          state.begin();
          stepped.push(state);
          variable.replace(this.update({ parameter: variable.current, gradient, state, options }));
          roots.push(variable.current, ...state.tensors());
        }
    };
    // Nobody keeps what the rule reads, so the next step may overwrite it.
    noGrad(() => withoutCapturing(() => recordTogether(record)));
    const undo = (): void => {
      for (const state of stepped) state.undo();
    };
    return { roots, undo };
  }

  #stateOf(variable: Variable): ParameterState {
    let state = this.#states.get(variable);
    if (state === undefined) this.#states.set(variable, (state = new ParameterState(variable)));
    return state;
  }
}
