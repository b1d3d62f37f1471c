import type { SaddlepointError } from '../errors';
import { BackendError, ValueError } from '../errors';
import type { Tensor } from '../tensor/tensor';
import { abortErrorOf, whenAborted } from './abort';
import type { Backend, Run, RunFailure } from './backend';
import type { Completion } from './completion';
import { recorder } from './recorder';

/** At most this many programs wait or run; the next submission waits for the oldest. */
const MAX_IN_FLIGHT = 16;

/** What hangs on a run that has not ended. */
export interface Pending {
  readonly id: number;
  readonly roots: readonly Tensor[];
  readonly onFailure: ((error: Error) => void) | undefined;
  readonly signal: AbortSignal | null;
  readonly completion: Completion<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** One that the backend has. */
export interface Flight extends Pending {
  readonly run: Run;
  /** For each instruction where the operation that it checks was recorded. */
  readonly siteOf: (instruction: number) => Error | null;
  /** When, if it is profiled. */
  readonly submitted: number;
  /** Whoever waits for it has heard of it; the backend may still have it. */
  isSettled: boolean;
  /** Ends listening to the signal. */
  ignoreSignal: (() => void) | null;
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
      const began = recorder?.now() ?? 0;
      const failure = this.backend.runInline(flight.run);
      recorder?.ran(flight.run, this.backend, began, true);
      recorder?.span('running', began);
      this.#settle(flight, failure);
    } else {
      for (const root of flight.roots) root.run = flight.run.id;
      this.#flights.set(flight.run.id, flight);
      this.backend.submit(flight.run);
      const { signal } = flight;
      if (signal !== null) flight.ignoreSignal = whenAborted(signal, () => this.#abort(flight, signal));
    }
  }

  #abort(flight: Flight, signal: AbortSignal): void {
    this.collect();
    if (flight.isSettled) return;
    if (!this.backend.abort(flight.run.id)) return;
    // Variables go back in the order of the runs; without any, whoever waits hears of it at once.
    if (flight.roots.some((root) => root.variable !== null)) return;
    flight.isSettled = true;
    this.#finish(flight, abortErrorOf(signal));
  }

  /** Settles what has ended. */
  collect(): void {
    for (const { id, failure } of this.backend.collect()) {
      const flight = this.#flights.get(id);
      if (flight === undefined) continue;
      this.#flights.delete(id);
      recorder?.ran(flight.run, this.backend, flight.submitted, false);
      this.#settle(flight, failure);
    }
    if (this.#flights.size === 0) this.#errors.clear();
  }

  /** Blocks until the run has ended and is settled. */
  wait(id: number): void {
    if (!this.#flights.has(id)) return;
    const began = recorder?.now() ?? 0;
    this.backend.wait(id);
    recorder?.span('waiting', began);
    this.collect();
  }

  waitForAll(): void {
    while (this.#flights.size > 0) this.#waitForOldest();
  }

  completionOf(id: number): Completion<void> | null {
    return this.#flights.get(id)?.completion ?? null;
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

  #waitForOldest(): void {
    const [oldest] = this.#flights.keys();
    this.wait(oldest!);
  }

  #settle(flight: Flight, failure: RunFailure | null): void {
    flight.ignoreSignal?.();
    if (flight.isSettled) return;
    flight.isSettled = true;
    this.#finish(flight, failure === null ? null : this.#errorOf(flight, failure));
  }

  #finish(flight: Pending, error: Error | null): void {
    for (const root of flight.roots) {
      root.run = 0;
      if (error !== null) {
        root.failure = error;
        root.storage = null;
      } else root.variable?.commit(root);
    }
    if (error === null) return flight.resolve();
    this.#errors.set(flight.id, error);
    for (const root of flight.roots) root.variable?.revert(root);
    flight.onFailure?.(error);
    flight.reject(error);
    this.hold(error, flight.completion);
  }

  #errorOf(flight: Flight, failure: RunFailure): Error {
    const cause = this.#errors.get(failure.cause);
    if (cause !== undefined) return cause;
    if (failure.kind === 'aborted' && flight.signal?.aborted === true) return abortErrorOf(flight.signal);
    const instruction = flight.run.loaded.program.instructions[failure.instruction];
    const message = instruction === undefined ? failure.message : `${instruction.label}: ${failure.message}`;
    if (failure.kind !== 'value') return new BackendError(message);
    const error: SaddlepointError = new ValueError(message);
    const site = flight.siteOf(failure.instruction);
    // The stack that helps is where the operation was recorded, not where its numbers were asked for.
    if (site?.stack !== undefined)
      error.stack = `${error.name}: ${message}\n${site.stack.split('\n').slice(1).join('\n')}`;
    return error;
  }
}
