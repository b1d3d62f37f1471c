/** Programs that ran on the caller's thread delay other work by no more than this, and one program. */
const TURN_MILLISECONDS = 1;
let lastTurn = 0;

/** Short programs end before they are awaited, and awaiting what has ended gives the event loop no turn by itself. */
function turnIsDue(): boolean {
  const now = performance.now();
  if (now - lastTurn < TURN_MILLISECONDS) return false;
  lastTurn = now;
  return true;
}

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
    if (!turnIsDue()) return super.then(onFulfilled, onRejected);
    return new Promise((resolve) => setImmediate(resolve)).then(() => super.then(onFulfilled, onRejected));
  }

  /** Keeps Node from ending the process for a rejection, without counting as somebody who listens. */
  silence(): void {
    super.then(undefined, () => undefined);
  }

  /** What `then` returns is a plain promise: its errors are its owner's. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise;
  }
}
