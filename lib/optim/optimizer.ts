import { ValueError } from '../errors';
import type { AbortOptions } from '../graph/abort';
import type { Completion } from '../graph/completion';
import { beforeSubmission, evaluateSync, recordTogether, submit } from '../graph/evaluate';
import { noGrad } from '../graph/modes';
import { zeros } from '../ops/create';
import { TensorBase, Variable, withoutCapturing, type Tensor } from '../tensor/tensor';
import { currentTrace, refuseInTrace, type TracedStep } from '../tensor/tracing';
import { checkNames, withDefaults } from './options';
import { applyRule, RuleRunner, type Member, type RuleInput, type RuleRun } from './rule';
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

/** What an update rule has in its hands, for all parameters that it moves alike. */
export interface Update<Options> extends RuleInput {
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
  /**
   * Whether the rule is the same for every element, whatever the parameter's shape: then it runs once a step for a whole
   * group. It must not look at `parameter.shape`.
   */
  protected readonly perElement: boolean = false;
  readonly #states = new Map<Variable, ParameterState>();
  /** For each group. */
  readonly #runners: RuleRunner[] = [];
  /** Counts what makes earlier traces of a step wrong: other parameters, other states. */
  #generation = 0;
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
    this.#generation++;
  }

  /** Forgets the gradients of all parameters. */
  zeroGrad(): void {
    for (const group of this.paramGroups) for (const parameter of group.params) parameter.grad = null;
  }

  /**
   * Moves every parameter that has a gradient, once. Returns at once; the promise resolves when the program has run. If it
   * fails or is aborted, parameters and state are as before. Throws what an earlier step failed with, if nobody awaited
   * that.
   *
   * A closure is called first, once, and its loss is computed in the same program: so every optimizer can be stepped as
   * LBFGS must be.
   *
   *     loss.backward();
   *     await optimizer.step({ also: [loss], signal: AbortSignal.timeout(1000) });
   */
  step(given: (StepOptions & AbortOptions) | Closure = {}): Completion<void> {
    const { also = [], signal } = this.#optionsOf(given);
    // An earlier failure is thrown here, and an abort ends it, before anything of this step is recorded.
    const ended = beforeSubmission({ signal });
    if (ended !== null) return ended;
    const { roots, undo } = this.#record();
    return submit([...roots, ...also], { onFailure: undo, signal });
  }

  /** As `step`, and has run when it returns. */
  stepSync(given: StepOptions | Closure = {}): void {
    const options = this.#optionsOf(given);
    void beforeSubmission({});
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

  /**
   * Continues from a state dict of the same kind of optimizer. Throws ValueError that lists all that is missing, unexpected
   * or misshapen, and then nothing has changed.
   */
  loadStateDict(dict: OptimizerStateDict): void {
    refuseInTrace('loadStateDict', 'load before you compile');
    this.#generation++;
    noGrad(() =>
      restore(
        this.name,
        dict,
        this.paramGroups,
        this.#states,
        (options) => this.check(options),
        (parameter, options) => this.#stateAfterOneStep(parameter, options),
      ),
    );
  }

  #optionsOf(given: (StepOptions & AbortOptions) | Closure): StepOptions & AbortOptions {
    if (typeof given !== 'function') return given;
    const loss = given();
    if (!(loss instanceof TensorBase))
      throw new ValueError(`${this.name}: the closure is synchronous and returns the loss, a tensor`);
    return { also: [loss] };
  }

  /** Records the rule for every parameter; from here on Variables point at the new versions. */
  #record(): { roots: Tensor[]; undo: () => void } {
    // Nobody keeps what the rule reads, so the next step may overwrite it.
    return quietly(() => {
      const members = this.paramGroups.map(({ params }) => this.#membersOf(params));
      const runs = this.#begin(members);
      const roots: Tensor[] = [];
      for (const run of runs) applyRule(run, roots);
      currentTrace()?.steps(this.#traced(members, runs));
      const undo = (): void => {
        for (const { state } of members.flat()) state.fail();
        this.#generation++;
      };
      return { roots, undo };
    });
  }

  #membersOf(params: readonly Variable[]): Member[] {
    const members: Member[] = [];
    for (const variable of params) {
      const gradient = variable.grad;
      if (gradient !== null) members.push({ variable, gradient, state: this.#stateOf(variable) });
    }
    return members;
  }

  /** One more step of the members, group by group: counted, and its formulas. */
  #begin(members: readonly (readonly Member[])[]): RuleRun[] {
    // Options may have been changed since the last step, by schedules or by hand.
    for (const group of this.paramGroups) this.check(group);
    const runs: RuleRun[] = [];
    for (let index = 0; index < members.length; index++) {
      const own = members[index]!;
      for (const { state } of own) state.begin();
      runs.push(...this.#runnerOf(this.paramGroups[index]!, index).run(own));
    }
    return runs;
  }

  /** This step as a compiled function repeats it: the same formulas for the same parameters, with new numbers. */
  #traced(members: readonly (readonly Member[])[], runs: readonly RuleRun[]): TracedStep {
    const generation = this.#generation;
    const undo = (): void => members.forEach((own) => own.forEach(({ state }) => state.undo()));
    return {
      name: this.name,
      scalars: runs.flatMap(({ scalars }) => scalars),
      advance: () => {
        if (generation !== this.#generation) return null;
        const again = quietly(() => this.#begin(members));
        if (again.length === runs.length && again.every(({ formula }, i) => formula === runs[i]!.formula))
          return again.length === 1 ? again[0]!.scalars : again.flatMap(({ scalars }) => scalars);
        undo();
        return null;
      },
      undo,
    };
  }

  #runnerOf(group: ParameterGroup<Options>, index: number): RuleRunner {
    return (this.#runners[index] ??= this.#newRunner(group));
  }

  #newRunner(options: Options): RuleRunner {
    return new RuleRunner(this.name, this.perElement, ({ parameter, gradient, state }) =>
      // No spread: V8 makes such clones in its old space, where they keep alive what they point at.
      this.update({ parameter, gradient, state, options }),
    );
  }

  /** Recorded, never computed: what the rule keeps of a parameter with these options. */
  #stateAfterOneStep(variable: Variable, options: Options): ParameterState {
    const state = new ParameterState(variable);
    state.begin();
    const gradient = zeros(variable.shape, { dtype: variable.dtype });
    withoutCapturing(() => this.#newRunner(options).run([{ variable, gradient, state }]));
    return state;
  }

  #stateOf(variable: Variable): ParameterState {
    let state = this.#states.get(variable);
    if (state === undefined) this.#states.set(variable, (state = new ParameterState(variable)));
    return state;
  }
}

/** Records without gradients, without marking anything as seen, and without a submission in between. */
function quietly<T>(fn: () => T): T {
  return noGrad(() => withoutCapturing(() => recordTogether(fn)));
}
