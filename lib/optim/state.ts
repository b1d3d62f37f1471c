import { full } from '../ops/create';
import type { Shape } from '../tensor/shape';
import { Variable, type Tensor } from '../tensor/tensor';

/** More steps than programs may be in flight: how far back a failure can reach. */
const MAX_EARLIER = 32;

type Numbers = Readonly<Record<string, number>>;

/**
 * What an optimizer remembers of one parameter: how often it was moved, tensors by name (of the parameter's shape unless
 * told otherwise), and numbers by name that depend on the steps alone.
 */
export class ParameterState {
  step = 0;
  numbers: Numbers = {};
  readonly variables = new Map<string, Variable>();
  /** The numbers before the latest steps, the last one last. */
  readonly #earlier: Numbers[] = [];

  constructor(private readonly parameter: Variable) {}

  has(name: string): boolean {
    return this.variables.has(name);
  }

  /** The current value; at first `fill` everywhere, 0 unless told otherwise. */
  read(name: string, { shape = this.parameter.shape, fill = 0 }: { shape?: Shape; fill?: number } = {}): Tensor {
    let variable = this.variables.get(name);
    if (variable === undefined) {
      variable = new Variable(full(shape, fill, { dtype: this.parameter.dtype }));
      this.variables.set(name, variable);
    }
    return variable.current;
  }

  /** Replaces the value; returns it. `value` is the optimizer's own: nobody else may hold it. */
  write(name: string, value: Tensor): Tensor {
    this.read(name, { shape: value.shape });
    const variable = this.variables.get(name)!;
    variable.replace(value);
    return variable.current;
  }

  /** Replaces a number; returns it. */
  writeNumber(name: string, value: number): number {
    this.numbers = { ...this.numbers, [name]: value };
    return value;
  }

  /** The current values, to be computed. */
  tensors(): Tensor[] {
    return [...this.variables.values()].map((variable) => variable.current);
  }

  /** One more step begins. */
  begin(): void {
    this.step++;
    this.#earlier.push(this.numbers);
    if (this.#earlier.length > MAX_EARLIER) this.#earlier.shift();
  }

  /** The step has failed; the Variables have gone back by themselves. */
  undo(): void {
    this.step--;
    this.numbers = this.#earlier.pop() ?? this.numbers;
    if (this.step === 0) this.variables.clear();
  }
}
