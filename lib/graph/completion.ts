/** Programs that ran on the caller's thread delay other work by no more than this, and one program. */
const TURN_MILLISECONDS = 1;
let lastTurn = 0;
let turn: Promise<void> | null = null;

/** A turn of the event loop, if one is due or on its way: all that ended before it is heard of in order after it. */
function turnDue(): Promise<void> | null {
  if (turn === null && performance.now() - lastTurn >= TURN_MILLISECONDS)
    turn = new Promise((resolve) =>
      setImmediate(() => {
        lastTurn = performance.now();
        turn = null;
        resolve();
      }),
    );
  return turn;
}

/**
 * The promise of something that runs. Whoever awaits it gets its error; if nobody does, the error is held and thrown at
 * the next step or read, so that an unawaited step can neither end the process nor fail unseen.
 */
export class Completion<T> extends Promise<T> {
  /** Somebody listens. */
  observed = false;
  /** It is resolved or rejected already: only then does awaiting it give the event loop no turn. */
  ended = false;

  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.observed = true;
    const wait = this.ended ? turnDue() : null;
    return wait === null ? super.then(onFulfilled, onRejected) : wait.then(() => super.then(onFulfilled, onRejected));
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

/** A completion and what ends it. */
export interface Deferred<T> {
  readonly promise: Completion<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (error: Error) => void;
}

export function deferred<T>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (error: Error) => void;
  const promise = new Completion<T>((onResolve, onReject) => {
    resolve = (value) => {
      promise.ended = true;
      onResolve(value);
    };
    // Silenced only now: a listener on every promise would queue a microtask each, and a loop that never yields never
    // runs them.
    reject = (error) => {
      promise.ended = true;
      promise.silence();
      onReject(error);
    };
  });
  return { promise, resolve, reject };
}

let resolved: Completion<void> | null = null;

/** Of what needs no waiting: always the same one. */
export function completed(): Completion<void> {
  if (resolved === null) {
    const { promise, resolve } = deferred<void>();
    resolve();
    resolved = promise;
  }
  return resolved;
}
