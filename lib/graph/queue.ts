import type { SaddlepointError } from '../errors';
import { BackendError, ValueError } from '../errors';
import type { Storage } from '../tensor/storage';
import type { Tensor } from '../tensor/tensor';
import { abortErrorOf, whenAborted, type AbortSignalLike } from './abort';
import type { Backend, Run, RunFailure } from './backend';
import { deferred, type Completion, type Deferred } from './completion';
import type { Compiled } from './programs';
import { recorder } from './recorder';

/** At most this many programs wait or run; the next submission waits for the oldest. */
const MAX_IN_FLIGHT = 16;

let runs = 0;

/** One execution of a program: what hangs on it, and who waits for it. */
export class Flight {
  readonly id = ++runs;
  readonly signal: AbortSignalLike | null;
  readonly #onFailure: ((error: Error) => void) | undefined;
  #ending: Deferred<void> | null = null;
  #run: Run | null = null;
  #siteOf: (instruction: number) => Error | null = () => null;
  hasFailed = false;
  /** When, if it is profiled. */
  submitted = 0;
  /** Whoever waits for it has heard of it; the backend may still have it. */
  isSettled = false;
  /** Ends listening to the signal. */
  ignoreSignal: (() => void) | null = null;

  constructor(
    /** What it computes: committed on success, without a value after a failure. */
    readonly roots: readonly Tensor[],
    /** Versions that it overwrites in place, as its very last act: after a failure they are as before. */
    readonly inPlace: readonly Tensor[],
    options: { signal?: AbortSignalLike | undefined; onFailure?: ((error: Error) => void) | undefined },
  ) {
    this.signal = options.signal ?? null;
    this.#onFailure = options.onFailure;
  }

  /** What is to run. `leaves` are what it reads; `sites` where operations were recorded that the data can make fail. */
  prepare(
    { loaded, sites: ordinals }: Compiled,
    bindings: readonly Storage[],
    scalars: ArrayLike<number>,
    leaves: readonly Tensor[],
    sites: readonly Error[],
  ): void {
    this.#run = { id: this.id, loaded, bindings, scalars, after: runsBefore(leaves), times: null };
    if (sites.length > 0) this.#siteOf = (instruction) => sites[ordinals[instruction] ?? -1] ?? null;
  }

  /** Just before it is handed to the backend. */
  start(backend: Backend): void {
    if (recorder === null) return;
    this.submitted = recorder.now();
    this.#run = { ...this.run, times: recorder.timesFor(this.run.loaded.program, backend) };
  }

  get run(): Run {
    return this.#run!;
  }

  siteOf(instruction: number): Error | null {
    return this.#siteOf(instruction);
  }

  /** Made when somebody asks: most runs end before that. */
  get completion(): Completion<void> {
    return (this.#ending ??= deferred<void>()).promise;
  }

  end(error: Error | null): void {
    this.hasFailed = error !== null;
    if (error === null) return this.#ending?.resolve();
    this.#onFailure?.(error);
    (this.#ending ??= deferred<void>()).reject(error);
  }
}

/** The runs in flight that fill some of the tensors. */
function runsBefore(leaves: readonly Tensor[]): number[] {
  const before: number[] = [];
  for (let i = 0; i < leaves.length; i++) {
    const { run } = leaves[i]!;
    if (run !== 0 && !before.includes(run)) before.push(run);
  }
  return before;
}

/**
 * The runs of one backend: first in, first out. Success commits the versions that a run computed; failure takes its
 * Variables back to their last committed versions, and every run that depends on it fails with the same cause.
 */
export class Queue {
  readonly #flights = new Map<number, Flight>();
  readonly #errors = new Map<number, Error>();
  /** What is still compiled, between turns of the event loop, and what ends that at once. */
  #preparing: { flight: Flight; finish: () => void } | null = null;
  #held: { error: Error; completion: Completion<unknown> } | null = null;

  constructor(readonly backend: Backend) {
    backend.onCompletion(() => this.collect());
  }

  get inFlight(): number {
    return this.#flights.size;
  }

  /** Takes a flight whose program is not there yet; `finish` compiles what is left of it, and enqueues it. */
  prepare(flight: Flight, finish: () => void): void {
    this.finishPreparing();
    for (const root of flight.roots) root.run = flight.id;
    this.#flights.set(flight.id, flight);
    this.#preparing = { flight, finish };
  }

  isPreparing(flight: Flight): boolean {
    return this.#preparing?.flight === flight;
  }

  /** Ends the preparation that is going on, if one is, by `finish`. */
  finishPreparing(finish = this.#preparing?.finish): void {
    if (this.#preparing === null) return;
    const { flight } = this.#preparing;
    this.#preparing = null;
    this.#flights.delete(flight.id);
    for (const root of flight.roots) root.run = 0;
    try {
      if (flight.signal?.aborted === true) throw abortErrorOf(flight.signal);
      finish!();
    } catch (error) {
      this.fail(flight, error as Error);
    }
  }

  /** Runs now if it is short and nothing waits, or if asked to; queues it otherwise. */
  enqueue(flight: Flight, inline: boolean): void {
    this.finishPreparing();
    this.collect();
    while (this.#flights.size >= MAX_IN_FLIGHT) this.#waitForOldest();
    if (inline && this.#flights.size === 0) {
      const began = recorder?.now() ?? 0;
      const failure = this.backend.runInline(flight.run);
      recorder?.ran(flight.run, this.backend, began, true);
      recorder?.span('running', began);
      this.#settle(flight, failure);
    } else {
      for (const root of flight.roots) root.run = flight.id;
      for (const version of flight.inPlace) version.run = flight.id;
      this.#flights.set(flight.id, flight);
      this.backend.submit(flight.run);
      const { signal } = flight;
      if (signal !== null) flight.ignoreSignal = whenAborted(signal, () => this.#abort(flight, signal));
    }
  }

  #abort(flight: Flight, signal: AbortSignalLike): void {
    this.collect();
    if (flight.isSettled) return;
    if (!this.backend.abort(flight.id)) return;
    // Variables go back in the order of the runs; without any, whoever waits hears of it at once.
    if (flight.inPlace.length > 0 || flight.roots.some((root) => root.variable !== null)) return;
    flight.isSettled = true;
    this.#finish(flight, abortErrorOf(signal));
  }

  /** Settles what has ended. */
  collect(): void {
    if (this.#flights.size === 0) {
      if (this.#errors.size > 0) this.#errors.clear();
      return;
    }
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
    if (this.#preparing?.flight.id === id) this.finishPreparing();
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
  fail(flight: Flight, error: Error): void {
    this.#finish(flight, error);
  }

  isRunning(id: number): boolean {
    return this.#flights.has(id);
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

  #finish(flight: Flight, error: Error | null): void {
    const { id, roots, inPlace } = flight;
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
      flight.end(error);
      this.hold(error, flight.completion);
    } else flight.end(null);
  }

  #errorOf(flight: Flight, failure: RunFailure): Error {
    const cause = this.#errors.get(failure.cause);
    if (cause !== undefined) return cause;
    if (failure.kind === 'aborted' && flight.signal?.aborted === true) return abortErrorOf(flight.signal);
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
