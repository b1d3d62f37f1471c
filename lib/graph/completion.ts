/**
 * The promise of something that runs. Whoever awaits it gets its error; if nobody does, the error is held and thrown at
 * the next step or read, so that an unawaited step can neither end the process nor fail unseen.
 */
export class Completion<T> extends Promise<T> {
  /** Somebody listens. */
  observed = false;

  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.observed = true;
    return super.then(onFulfilled, onRejected);
  }

  /** Keeps Node from ending the process for a rejection, without counting as somebody who listens. */
  silence(): this {
    super.then(undefined, () => undefined);
    return this;
  }

  /** What `then` returns is a plain promise: its errors are its owner's. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }
}
