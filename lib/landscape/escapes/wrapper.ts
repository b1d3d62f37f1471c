import { ValueError } from '../../errors';
import { submit } from '../../graph/evaluate';
import { noGrad } from '../../graph/modes';
import { tensor } from '../../ops/create';
import { detach } from '../../ops/identity';
import { Generator, type GeneratorState } from '../../ops/random';
import { LBFGS } from '../../optim/lbfgs';
import { shapesEqual } from '../../tensor/shape';
import { TensorBase, Variable, withoutCapturing, type Tensor } from '../../tensor/tensor';
import { refuseInTrace } from '../../tensor/tracing';

/** What is used of an optimizer: every one of `saddlepoint/optim` has it. */
export interface WrappedOptimizer {
  readonly paramGroups: readonly { readonly params: readonly Variable[]; lr: number; initialLr?: number }[];
  zeroGrad(): void;
  step(given: never): PromiseLike<unknown>;
  stateDict(): unknown;
  loadStateDict(dict: never): void;
}

export type WrapperStateDict<Wrapped> = {
  readonly optimizer: Wrapped;
  readonly state: { readonly [name: string]: Tensor };
  readonly generator: GeneratorState;
};

/**
 * An optimizer that does something of its own around the steps of another. What it does is recorded with the step and
 * needs no number from it: steps need not be awaited, and can be compiled.
 */
export abstract class Wrapper {
  protected readonly params: readonly Variable[];
  protected readonly state = new Map<string, Variable>();

  constructor(
    readonly optimizer: WrappedOptimizer,
    protected readonly generator: Generator,
  ) {
    const groups = (optimizer as Partial<WrappedOptimizer> | undefined)?.paramGroups;
    if (!Array.isArray(groups) || typeof optimizer.step !== 'function')
      throw new ValueError(`${this.name}: wraps an optimizer of saddlepoint/optim, got ${typeof optimizer}`);
    if (optimizer instanceof Wrapper)
      throw new ValueError(`${this.name}: wraps an optimizer, not ${optimizer.name}: one way out at a time`);
    this.params = groups.flatMap(({ params }: { params: readonly Variable[] }) => [...params]);
  }

  get name(): string {
    return this.constructor.name;
  }

  /** Those of the optimizer: schedulers and users change them there. */
  get paramGroups(): WrappedOptimizer['paramGroups'] {
    return this.optimizer.paramGroups;
  }

  /** Forgets the gradients of all parameters. */
  zeroGrad(): void {
    this.optimizer.zeroGrad();
  }

  /**
   * One step. The closure computes the loss and the gradients (`zeroGrad`, forward, `backward`) and returns the loss. Throws
   * ValueError if it is something else.
   *
   *     await optimizer.step(() => (optimizer.zeroGrad(), loss.backward(), loss));
   */
  step(closure: () => Tensor): PromiseLike<unknown> {
    if (typeof closure !== 'function')
      throw new ValueError(`${this.name}: step takes a closure that returns the loss, got ${typeof closure}`);
    const loss = closure();
    if (!(loss instanceof TensorBase))
      throw new ValueError(`${this.name}: the closure is synchronous and returns the loss, a tensor`);
    const moved = noGrad(() => withoutCapturing(() => this.interfere(loss)));
    const also = [loss, ...[...this.state.values()].map(({ current }) => current)];
    if (!(this.optimizer instanceof LBFGS)) return this.optimizer.step({ also } as never);
    // It evaluates the closure by itself, at several points.
    void submit([...also, ...moved.map(({ current }) => current)]);
    return this.optimizer.step(this.repeat?.(closure) ?? closure);
  }

  /** Records what is done between the gradients and the step; returns the parameters that it moved. */
  protected abstract interfere(loss: Tensor): readonly Variable[];

  /** The closure for an optimizer that calls it several times a step; by default as it was given. */
  protected repeat?(closure: () => Tensor): () => Tensor;

  /** A number that is kept from step to step. */
  protected counter(name: string, value: number): Variable {
    return this.keep(name, tensor(value, { dtype: 'float32' }));
  }

  protected keep(name: string, value: TensorBase): Variable {
    const variable = new Variable(value);
    this.state.set(name, variable);
    return variable;
  }

  /** The optimizer's state, this one's, and where the random numbers are: a run that loads it continues bit for bit. */
  stateDict(): WrapperStateDict<unknown> {
    const state = noGrad(() => [...this.state].map(([name, variable]) => [name, detach(variable)] as const));
    return { optimizer: this.optimizer.stateDict(), state: Object.fromEntries(state), generator: this.generator.state };
  }

  /** Continues from a state dict. Throws ValueError if it is of something else; then nothing has changed. */
  loadStateDict(dict: WrapperStateDict<never>): void {
    refuseInTrace('loadStateDict', 'load before you compile');
    const names = [...this.state.keys()];
    const saved = dict?.state ?? {};
    const wrong = names.filter(
      (name) => !(saved[name] instanceof TensorBase) || !fits(saved[name], this.state.get(name)!),
    );
    if (wrong.length > 0 || Object.keys(saved).length !== names.length)
      throw new ValueError(
        `${this.name}: the state dict has ${names.join(', ')} as they are here; wrong are ${wrong.join(', ')}`,
      );
    const generator = new Generator();
    // Throws for what is no state.
    if (typeof dict.generator !== 'object' || dict.generator === null)
      throw new ValueError(`${this.name}: the state dict has no generator`);
    generator.state = dict.generator;
    this.optimizer.loadStateDict(dict.optimizer);
    for (const [name, variable] of this.state) variable.assign(saved[name]!);
    this.generator.state = dict.generator;
  }
}

function fits(value: TensorBase, { shape, dtype }: Variable): boolean {
  return value.dtype === dtype && shapesEqual(value.shape, shape);
}
