import { zeros } from '../ops/create';
import { Variable, type Tensor } from '../tensor/tensor';

/** What an optimizer remembers of one parameter: how often it was moved, and tensors of its shape by name. */
export class ParameterState {
  step = 0;
  readonly variables = new Map<string, Variable>();

  constructor(private readonly parameter: Variable) {}

  has(name: string): boolean {
    return this.variables.has(name);
  }

  /** The current value, zeros at first. */
  read(name: string): Tensor {
    let variable = this.variables.get(name);
    if (variable === undefined) {
      variable = new Variable(zeros(this.parameter.shape, { dtype: this.parameter.dtype }));
      this.variables.set(name, variable);
    }
    return variable.current;
  }

  /** Replaces the value; returns it. `value` is the optimizer's own: nobody else may hold it. */
  write(name: string, value: Tensor): Tensor {
    this.read(name);
    const variable = this.variables.get(name)!;
    variable.replace(value);
    return variable.current;
  }

  /** The current values, to be computed. */
  tensors(): Tensor[] {
    return [...this.variables.values()].map((variable) => variable.current);
  }

  /** The step has failed; the Variables have gone back by themselves. */
  undo(): void {
    this.step--;
    if (this.step === 0) this.variables.clear();
  }
}
