import type { SaddlepointError } from '../errors';
import { BackendError, ValueError } from '../errors';
import type { Tensor } from '../tensor/tensor';
import type { Backend, Run, RunFailure } from './backend';
import { deferred, type Completion, type Deferred } from './completion';

/** At most this many programs wait or run; the next submission waits for the oldest. */
const MAX_IN_FLIGHT = 16;

/** What hangs on a run: what becomes of it when it ends, and who waits for that. */
export class Pending {
  #ending: Deferred<void> | null = null;
  hasFailed = false;

  constructor(
    readonly id: number,
    /** What it computes: committed on success, without a value after a failure. */
    readonly roots: readonly Tensor[],
    /** Versions that it overwrites in place, as its very last act: after a failure they are as before. */
    readonly inPlace: readonly Tensor[],
    readonly onFailure: ((error: Error) => void) | undefined,
  ) {}

  /** Made when somebody asks: most runs end before that. */
  get completion(): Completion<void> {
    return (this.#ending ??= deferred<void>()).promise;
  }

  end(error: Error | null): void {
    this.hasFailed = error !== null;
    if (error !== null) (this.#ending ??= deferred<void>()).reject(error);
    else this.#ending?.resolve();
  }
}

/** One that the backend has. */
export interface Flight {
  readonly pending: Pending;
  readonly run: Run;
  /** For each instruction where the operation that it checks was recorded. */
  readonly siteOf: (instruction: number) => Error | null;
}

/**
 * The runs of one backend: first in, first out. Success commits the versions that a run computed; failure takes its
 * Variables back to their last committed versions, and every run that depends on it fails with the same cause.
 */
export class Queue {
  readonly #flights = new Map<number, Flight>();
  readonly #errors = new Map<number, Error>();
  #held: { error: Error; completion: Completion<unknown> } | null = null;

  constructor(readonly backend: Backend) {
    backend.onCompletion(() => this.collect());
  }

  get inFlight(): number {
    return this.#flights.size;
  }

  /** Runs now if it is short and nothing waits, or if asked to; queues it otherwise. */
  enqueue(flight: Flight, inline: boolean): void {
    this.collect();
    while (this.#flights.size >= MAX_IN_FLIGHT) this.#waitForOldest();
    if (inline && this.#flights.size === 0) {
      this.#settle(flight, this.backend.runInline(flight.run));
    } else {
      for (const root of flight.pending.roots) root.run = flight.run.id;
      for (const version of flight.pending.inPlace) version.run = flight.run.id;
      this.#flights.set(flight.run.id, flight);
      this.backend.submit(flight.run);
    }
  }

  /** Settles what has ended. */
  collect(): void {
    for (const { id, failure } of this.backend.collect()) {
      const flight = this.#flights.get(id);
      if (flight === undefined) continue;
      this.#flights.delete(id);
      this.#settle(flight, failure);
    }
    if (this.#flights.size === 0) this.#errors.clear();
  }

  /** Blocks until the run has ended and is settled. */
  wait(id: number): void {
    if (!this.#flights.has(id)) return;
    this.backend.wait(id);
    this.collect();
  }

  waitForAll(): void {
    while (this.#flights.size > 0) this.#waitForOldest();
  }

  completionOf(id: number): Completion<void> | null {
    return this.#flights.get(id)?.pending.completion ?? null;
  }

  /** Keeps an error for the next step or read, unless somebody listens to its completion by then. */
  hold(error: Error, completion: Completion<unknown>): void {
    if (!completion.observed) this.#held = { error, completion };
  }

  /** Throws the error of a run that nobody listened to, once. */
  throwHeld(): void {
    const held = this.#held;
    this.#held = null;
    if (held !== null && !held.completion.observed) throw held.error;
  }

  /** What cannot start: all that it would have computed fails with `error`. */
  fail(pending: Pending, error: Error): void {
    this.#finish(pending, error);
  }

  isRunning(id: number): boolean {
    return this.#flights.has(id);
  }

  #waitForOldest(): void {
    const [oldest] = this.#flights.keys();
    this.wait(oldest!);
  }

  #settle(flight: Flight, failure: RunFailure | null): void {
    this.#finish(flight.pending, failure === null ? null : this.#errorOf(flight, failure));
  }

  #finish(pending: Pending, error: Error | null): void {
    const { id, roots, inPlace } = pending;
    // A later run may be on its way to the same place.
    for (const version of inPlace) if (version.run === id) version.run = 0;
    for (const root of roots) {
      if (root.run === id) root.run = 0;
      if (error !== null) {
        root.failure = error;
        root.storage = null;
      } else root.variable?.commit(root);
    }
    if (error !== null) {
      this.#errors.set(id, error);
      for (const root of roots) root.variable?.revert(root);
      pending.onFailure?.(error);
      pending.end(error);
      this.hold(error, pending.completion);
    } else pending.end(null);
  }

  #errorOf(flight: Flight, failure: RunFailure): Error {
    const cause = this.#errors.get(failure.cause);
    if (cause !== undefined) return cause;
    const instruction = flight.run.loaded.program.instructions[failure.instruction];
    const site = flight.siteOf(failure.instruction);
    // Two recipes of one structure share a program, but the site says which was recorded.
    const label = site?.message ?? instruction?.label;
    const message = label === undefined ? failure.message : `${label}: ${failure.message}`;
    if (failure.kind !== 'value') return new BackendError(message);
    const error: SaddlepointError = new ValueError(message);
    // The stack that helps is where the operation was recorded, not where its numbers were asked for.
    if (site?.stack !== undefined)
      error.stack = `${error.name}: ${message}\n${site.stack.split('\n').slice(1).join('\n')}`;
    return error;
  }
}
