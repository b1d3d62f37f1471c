import { TraceError } from '../../errors';
import type { Tensor, Variable } from '../../tensor/tensor';
import type { OffsetSource, TracedStep, TraceObserver } from '../../tensor/tracing';

/** A value of JavaScript that what was recorded depends on. */
export interface Guard {
  readonly description: string;
  readonly value: unknown;
  readonly read: () => unknown;
}

/** A random node of the trace: which number of its generator it took. */
export interface Draw {
  readonly generator: OffsetSource;
  readonly seed: Tensor;
  readonly offset: Tensor;
}

/** What a Variable was when the trace first touched it. */
interface Start {
  readonly version: Tensor;
  readonly grad: Tensor | null;
  readonly restore: () => void;
}

/** Writes down all that a function does besides recording, so that it can be undone now and repeated by replays. */
export class Observer implements TraceObserver {
  readonly nodes = new Set<Tensor>();
  readonly starts = new Map<Variable, Start>();
  readonly guards: Guard[] = [];
  readonly drawn: Draw[] = [];
  readonly traced: TracedStep[] = [];
  /** Gradients from before the trace that it reads. */
  readonly gradients = new Map<Tensor, Variable>();
  readonly #guarded = new Map<object, Set<string>>();

  recorded(tensor: Tensor): void {
    this.nodes.add(tensor);
  }

  changes(variable: Variable): void {
    if (this.starts.has(variable)) return;
    const { current: version, currentGrad: grad } = variable;
    this.starts.set(variable, { version, grad, restore: variable.bookmark() });
  }

  readsGradient(variable: Variable): void {
    if (this.starts.has(variable)) return;
    this.guard(variable, 'has a gradient', () => variable.currentGrad !== null);
    if (variable.currentGrad !== null) this.gradients.set(variable.currentGrad, variable);
  }

  guard(owner: object, name: string, read: () => unknown): void {
    let names = this.#guarded.get(owner);
    if (names === undefined) this.#guarded.set(owner, (names = new Set()));
    if (names.has(name)) return;
    names.add(name);
    this.guards.push({ description: `${owner.constructor.name}: ${name}`, value: read(), read });
  }

  draws(generator: OffsetSource, seed: Tensor, offset: Tensor): void {
    this.drawn.push({ generator, seed, offset });
  }

  steps(step: TracedStep): void {
    this.traced.push(step);
  }

  refuse(what: string, instead: string): never {
    throw new TraceError(
      `compile: ${what} inside of a compiled function, which runs once and is then replayed; ${instead}`,
    );
  }

  /** Takes back everything that the function has done: the first replay does it. */
  rollBack(): void {
    for (const { restore } of this.starts.values()) restore();
    for (let i = this.traced.length - 1; i >= 0; i--) this.traced[i]!.undo();
    const counts = new Map<OffsetSource, number>();
    for (const { generator } of this.drawn) counts.set(generator, (counts.get(generator) ?? 0) + 1);
    for (const [generator, count] of counts) generator.advance(-count);
  }

  /** What was recorded has no numbers of its own: whoever kept a tensor of it is told so. */
  poison(): void {
    const error = new TraceError(
      'compile: this tensor was recorded while a function was compiled and has no numbers; return it from the function',
    );
    for (const node of this.nodes) {
      node.failure = error;
      node.forgetInputs();
      node.replaces = null;
    }
    // Whatever holds on to the observer, as the stack of an error does, does not hold the weights of before.
    this.nodes.clear();
    this.starts.clear();
    this.gradients.clear();
  }
}
