import type { FormulaRecorder } from '../graph/formula';
import { sizeOf, type Shape } from '../tensor/shape';
import { Storage } from '../tensor/storage';
import { Tensor, Variable } from '../tensor/tensor';
import { withTrace } from '../tensor/tracing';

/** More steps than programs may be in flight: how far back a failure can reach. */
const MAX_EARLIER = 32;

type Numbers = Readonly<Record<string, number>>;
const NO_NUMBERS: Numbers = {};

interface Initial {
  /** The parameter's where not given. */
  readonly shape?: Shape | undefined;
  /** 0 where not given. */
  readonly fill?: number | undefined;
}

/**
 * What an optimizer remembers of one parameter: how often it was moved, tensors by name (of the parameter's shape unless
 * told otherwise), and numbers by name that depend on the steps alone.
 */
export class ParameterState {
  step = 0;
  numbers: Numbers = NO_NUMBERS;
  readonly variables = new Map<string, Variable>();
  /** The steps in which the Variables were first used; none for those that were loaded. */
  readonly #firstSteps = new Map<string, number>();
  /** The numbers before the latest steps, the last one last. */
  readonly #earlier: Numbers[] = [];

  constructor(private readonly parameter: Variable) {}

  /** The Variable of that name; it is made at its first use. */
  variable(name: string, { shape = this.parameter.shape, fill = 0 }: Initial = {}): Variable {
    let variable = this.variables.get(name);
    if (variable === undefined) {
      // A value that nobody else sees: so the first step is the program that all later ones are.
      const storage = new Storage(this.parameter.dtype, sizeOf(shape), { zeroed: true });
      if (fill !== 0) storage.data.fill(fill as never);
      variable = withTrace(null, () => new Variable(Tensor.ofStorage(storage, shape)));
      variable.current.captured = false;
      this.variables.set(name, variable);
      this.#firstSteps.set(name, this.step);
    }
    return variable;
  }

  /** Whether an earlier step, or a state dict, has left a value of that name. */
  has(name: string): boolean {
    return this.variables.has(name) && (this.#firstSteps.get(name) ?? -1) < this.step;
  }

  /** One more step begins. */
  begin(): void {
    this.step++;
    this.#earlier.push(this.numbers);
    if (this.#earlier.length > MAX_EARLIER) this.#earlier.shift();
  }

  /** The step is taken back; its Variables have gone back by themselves. */
  undo(): void {
    this.step--;
    this.numbers = this.#earlier.pop() ?? this.numbers;
  }

  /** As `undo`, after a failure: what the first step made is gone too. */
  fail(): void {
    this.undo();
    if (this.step === 0) this.variables.clear();
  }
}

/**
 * The states of parameters that a rule moves alike, as the rule sees them: tensors are placeholders of its formula. All have
 * states of the same names.
 */
export class RuleState {
  readonly written = new Map<string, Tensor>();

  constructor(
    private readonly states: readonly ParameterState[],
    private readonly parameter: Tensor,
    private readonly recorder: FormulaRecorder,
  ) {}

  /** How many steps there were, this one included. */
  get step(): number {
    return this.states[0]!.step;
  }

  get numbers(): Numbers {
    return this.states[0]!.numbers;
  }

  has(name: string): boolean {
    return this.states[0]!.has(name);
  }

  /** The current value; at first `fill` everywhere, 0 unless told otherwise. */
  read(name: string, initial: Initial = {}): Tensor {
    const written = this.written.get(name);
    if (written !== undefined) return written;
    this.#make(name, initial);
    return this.recorder.input(name, initial.shape ?? this.parameter.shape, this.parameter.dtype);
  }

  /** Replaces the value; returns it. */
  write(name: string, value: Tensor): Tensor {
    const shape = this.recorder.perElement ? undefined : value.shape;
    this.#make(name, { shape });
    this.written.set(name, value);
    return value;
  }

  #make(name: string, initial: Initial): void {
    if (this.states[0]!.variables.has(name)) return;
    for (const state of this.states) state.variable(name, initial);
  }

  /** Replaces a number; returns it. */
  writeNumber(name: string, value: number): number {
    const numbers = { ...this.numbers, [name]: value };
    for (const state of this.states) state.numbers = numbers;
    return value;
  }
}
